# SPDX-License-Identifier: GPL-2.0-or-later
"""./check tested by itself, with jobs that are shell scripts: what it counts, leaves out, tries again and leaves behind."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]
import check as check_module    # noqa: E402
import job as job_module        # noqa: E402
import links                    # noqa: E402
import plan                     # noqa: E402
import processes                # noqa: E402
from machine import Machine     # noqa: E402
from screen import Screen       # noqa: E402

TELL = "tell() { echo \"$1\" >>$BLKPR_EVENTS; }; good() { tell \"{\\\"test\\\": \\\"$1\\\", \\\"outcome\\\": \\\"passed\\\", " \
       "\\\"message\\\": \\\"\\\"}\"; }; bad() { tell \"{\\\"test\\\": \\\"$1\\\", \\\"outcome\\\": \\\"$2\\\", " \
       "\\\"message\\\": \\\"because\\\"}\"; }\n"


class Quick:
    """A machine that need not be measured."""
    slowness, labs, lab = 1.0, 2, None


class Script(job_module.Group):
    """A group of tests whose pytest is a shell script."""

    def __init__(self, name, script, tests=("t1",), core=False, seconds=1, alone=False):
        super().__init__(plan.group(name, seconds, core=core, needs=()), tests, alone)
        self.script = script

    def command(self):
        return ["/bin/bash", "-c", TELL + self.script]

    def once_more(self):
        return Script(self.plan.name, self.script, self.failed_setups, self.plan.core, alone=True)


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A function that runs jobs; `left`, seconds that are left of the budget."""
    monkeypatch.setattr(job_module, "LOG", str(tmp_path))
    processes.adopt_orphans()

    def run(*jobs, left=1000):
        budget = (check_module.CLOSING + left) / 60
        check = check_module.Check(Screen(time.monotonic()), Quick(), budget, dict(os.environ, HERE=str(tmp_path)))
        check.run(jobs)
        check.status_at_end = check.report.close("so many minutes")
        return check
    return run


def closing_line(text):
    return text.splitlines()[-1]


def test_outcomes_are_counted(runner, capsys):
    check = runner(Script("a", "good t1; bad t2 skipped; good t3", ["t1", "t2", "t3"]))
    assert closing_line(capsys.readouterr().out) == "2 passed, 0 failed, 1 skipped"
    assert check.status_at_end == 0


def test_failure_is_told_while_others_run(runner, capsys):
    """The second test waits for what the first one's failure makes ./check print."""
    runner(Script("a", "bad t1 failed; until [ -e $HERE/go ]; do sleep 0.01; done; good t2; exit 1", ["t1", "t2"]),
           Script("b", "sleep 0.5; touch $HERE/go; good t1"))
    said = capsys.readouterr().out
    assert said.index("FAILED  t1") < said.index("ended   a") and "because" in said
    assert closing_line(said) == "2 passed, 1 failed"


def test_nothing_that_ran_is_no_success(runner):
    assert runner(Script("a", "bad t1 skipped")).status_at_end == 1


def test_run_that_dies_has_failed_in_what_it_did_not_tell(runner, capsys):
    runner(Script("a", "good t1; kill -9 $$", ["t1", "t2"]))
    assert closing_line(capsys.readouterr().out) == "1 passed, 1 failed"


def test_step_that_fails_is_summed_up_by_its_first_sign_of_a_fault(runner, capsys, monkeypatch):
    step = job_module.Step(plan.Plan("step", "does it", 1, "does_it", 1, core=True))
    monkeypatch.setattr(step, "command", lambda: ["/bin/sh", "-c", "echo good; echo 'FAILED one'; echo more; exit 1"])
    runner(step)
    assert "FAILED  does it: FAILED one\n" in capsys.readouterr().out


def test_what_does_not_fit_the_budget_is_named_and_not_counted(runner, capsys):
    check = runner(Script("long", "good t1; good t2", ["t1", "t2"], seconds=5000), Script("short", "good t3", ["t3"]))
    said = capsys.readouterr().out
    assert "NOT RUN long: 2 tests\n            t1\n            t2\n" in said
    assert closing_line(said) == "1 passed, 0 failed" and check.status_at_end == 0


def test_core_runs_whatever_the_budget_is(runner, capsys):
    runner(Script("core", "good t1", core=True, seconds=5000), left=-5)
    assert closing_line(capsys.readouterr().out) == "1 passed, 0 failed"


def test_what_runs_when_the_budget_is_used_up_is_ended(runner, capsys):
    """What it has told counts; the rest is left, and so is what had no time to be tried again."""
    began = time.monotonic()
    check = runner(Script("a", "good t1; bad t2 setup; setsid sleep 1000 & sleep 1000", ["t1", "t2", "t3"], seconds=0), left=1)
    assert time.monotonic() - began < 500
    said = capsys.readouterr().out
    assert "NOT RUN a: 2 tests" in said and closing_line(said) == "1 passed, 0 failed" and check.status_at_end == 0
    assert processes.orphans([]) == []


def test_set_up_that_failed_is_tried_again_alone(runner, capsys):
    script = "if mkdir $HERE/once; then bad t1 setup; exit 1; fi; [ -z \"$(ls $HERE/running)\" ] && good t1"
    other = "mkdir -p $HERE/running; touch $HERE/running/$$; sleep 0.5; rm $HERE/running/$$; good {}"
    os.makedirs(os.path.join(job_module.LOG, "running"))
    runner(Script("a", script), *(Script(f"b{i}", other.format(f"t{i}"), [f"t{i}"]) for i in range(2, 6)))
    said = capsys.readouterr().out
    assert "SET-UP  of a failed; tried once more, alone, it worked" in said
    assert "set-ups that failed at first: 1" in said
    assert closing_line(said) == "5 passed, 0 failed"


def test_set_up_that_fails_twice_has_failed(runner, capsys):
    runner(Script("a", "bad t1 setup; exit 1"))
    said = capsys.readouterr().out
    assert "it failed again" in said and closing_line(said) == "0 passed, 1 failed"


def test_set_ups_that_fail_alone_again_and_again_are_not_tried_again(runner, capsys):
    runner(*(Script(f"a{i}", f"echo >>$HERE/runs; bad t{i} setup; exit 1", [f"t{i}"]) for i in range(6)))
    said = capsys.readouterr().out
    assert closing_line(said) == "0 passed, 6 failed" and said.count("it failed again") < 6
    assert len(Path(job_module.LOG, "runs").read_text()) < 12


def test_job_whose_need_failed_is_a_failure(runner, capsys):
    needy = Script("b", "good t1")
    needy.plan.needs = ("made",)
    first = Script("a", "bad t1 failed; exit 1")
    first.plan.function = "made"
    runner(first, needy)
    said = capsys.readouterr().out
    assert "b: not run: it needs what failed before: made" in said and closing_line(said) == "0 passed, 2 failed"


def test_nothing_that_a_job_started_outlives_it(runner):
    runner(Script("a", "good t1; setsid -f sleep 1000; (setsid -f sh -c 'sleep 1000 & sleep 1000')"))
    assert processes.descendants(os.getpid()) == []


def test_every_group_has_its_place_in_the_order_of_worth(tmp_path, monkeypatch):
    monkeypatch.setattr(check_module, "LOG", str(tmp_path))
    groups = check_module.collect(dict(os.environ))
    planned = [p.name for p in plan.GROUPS if not p.function]
    assert sorted(groups) == sorted(planned)
    jobs = check_module.chosen([], groups)
    assert [job.plan.core for job in jobs] == sorted((job.plan.core for job in jobs), reverse=True)


def test_one_test_brings_what_it_needs_and_no_more():
    groups = {"test_lab": ["tests/lab/test_lab.py::test_a", "tests/lab/test_lab.py::test_b"], "test_metadata": ["tests/golden/x"]}
    jobs = check_module.chosen(["tests/lab/test_lab.py::test_b"], groups)
    assert [job.plan.function for job in jobs] == ["lab_prepared", "autoreconf_", "gcc_", "install_", "first_lab", ""]
    assert jobs[-1].left == ["tests/lab/test_lab.py::test_b"]


@pytest.mark.parametrize("call,lab,slowness,labs", [(0.2, 1.5, 1, 5), (0.25, 3.4, 2, 2), (1.2, 7, 4.8, 1), (2.5, 2, 10, 1)])
def test_slow_machine_has_fewer_labs(monkeypatch, call, lab, slowness, labs):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    machine = Machine()
    machine.call, machine.lab = call, lab
    assert (round(machine.slowness, 1), machine.labs) == (slowness, labs)


def test_slow_machine_runs_a_command_slowly_and_gives_its_status():
    """Of processor time, which is what is limited, a busy loop gets about a quarter; by either means."""
    loop = "import os, sys, time; end = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
    for how in ([], ["--loops"]):
        done = subprocess.run([str(HERE.parent / "slow-machine"), "--percent", "10", *how, sys.executable, "-c", loop],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        assert float(done.stdout) < 0.1 * os.cpu_count() + 0.3
        done = subprocess.run([str(HERE.parent / "slow-machine"), *how, "sh", "-c", "exit 7"], check=False)
        assert done.returncode == 7


def test_events_tell_what_pytest_does(tmp_path):
    """The plugin: phases become one outcome, and a machine that does not come up is a set-up wherever it happens."""
    (tmp_path / "test_sample.py").write_text(
        "import sys, pytest\n"
        f"sys.path.insert(0, {str(HERE.parent / 'lab')!r})\n"
        "from lab_host import NotReadyError\n"
        "@pytest.fixture\ndef broken(): raise RuntimeError('no')\n"
        "@pytest.fixture\ndef late(): yield; raise RuntimeError('late')\n"
        "def test_good(): pass\ndef test_bad(): assert False\ndef test_skip(): pytest.skip('why')\n"
        "def test_setup(broken): pass\ndef test_boot(): raise NotReadyError('n1')\ndef test_teardown(late): pass\n")
    events = tmp_path / "events"
    subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "events", "test_sample.py"],
                   cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HERE), "BLKPR_EVENTS": str(events), "BLKPR_TESTS": ""},
                   stdout=subprocess.DEVNULL, check=False)
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert {e["test"].partition("::")[2]: e["outcome"] for e in told if "test" in e} == {
        "test_good": "passed", "test_bad": "failed", "test_skip": "skipped", "test_setup": "setup", "test_boot": "setup",
        "test_teardown": "failed"}


def test_job_that_ends_while_anothers_leavings_are_ended_is_not_lost():
    processes.adopt_orphans()
    job = subprocess.Popen(["true"])
    os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOWAIT)
    left = subprocess.Popen(["sleep", "60"])
    processes.end_orphans([job.pid])
    ended = processes.reap()
    assert ended[job.pid][0] == 0 and left.pid not in ended
    job.returncode = left.returncode = 0        # nobody is to wait for them again


def test_links_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "a.md").write_text("# What it's for\n[1](b.md) [2](#what-its-for) [3](#gone) `[4](code.md)`\n")
    found = list(links.broken(str(tmp_path / "a.md")))
    assert [line.partition(": ")[2] for line in found] == ["b.md: there is no such file",
                                                           "#gone: there is no such heading"]
