#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""All tests: builds with two compilers, unit tests (again under sanitizers), hygiene, Pacemaker 3, real kernels in the lab.

What must always run comes first, then the rest in an order of worth, as far as the budget goes. What is left for time is
named at the end. The machine is measured, and from that follows how many labs run at a time and how long set-up may take.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import lab_machines                 # noqa: E402
import plan                     # noqa: E402
import processes                # noqa: E402
from job import HERE, LABS, LOG, OUT, TOP, make         # noqa: E402
from machine import Machine     # noqa: E402
from report import Report       # noqa: E402
from screen import Screen       # noqa: E402

BUDGET = 45                     # minutes
STEPS = ("build", "unit", "hygiene", "pacemaker3", "lab", "soak")
SUITES = ("tests/golden", "tests/check", "tests/lab", "tests/vm")
# Races, fencings under load, splits and failovers: a few of each, so that ./check stays short; all of them in the soak.
FEW = {"BLKPR_RACES": "12", "BLKPR_FENCINGS": "6", "BLKPR_KILLS": "5", "BLKPR_SPLITS": "1", "BLKPR_CLUSTER_KILLS": "2",
       "BLKPR_MOVES": "1", "BLKPR_FAILOVERS": "1"}
SOAK = {"BLKPR_SHAPES": "all", "BLKPR_CLUSTERS": "all", "BLKPR_WATCH": "hard", "BLKPR_LOOKS": "5", "BLKPR_SPLITS": "20",
        "BLKPR_MOVES": "50", "BLKPR_FAILOVERS": "50", "BLKPR_ANALYZER_NODES": "225000"}
SILENCE = 1200                  # seconds without a word from a group, on a quick machine: it hangs
CLOSING = 8                     # seconds that ending all that runs may take, on a quick machine
WORTH_BEGINNING = 0.5           # what part of a group must fit into what is left of the budget
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptError(Exception):
    """A signal asked for the end."""


class Check:
    """Runs jobs: in their order, as many at a time as the machine can bear, until the budget is used up."""

    def __init__(self, screen, machine, budget, environment):
        self.screen, self.machine, self.environment = screen, machine, environment
        self.budget = budget                            # minutes
        self.report = Report(screen)
        self.queue, self.running = [], []
        self.done = {}                  # function of plan.py: whether its job ended well
        self.pace = [0, 0]              # seconds of the groups that have ended: as planned, as it was

    # -- which job may start

    @property
    def deadline(self):
        return self.screen.began + self.budget * 60 - CLOSING * self.machine.slowness

    def share(self, job):
        """Of the machine."""
        return 1.0 if job.alone else job.plan.width or 1 / self.machine.labs

    def expected(self, job):
        """Seconds that it takes, by the plan and by how the groups before it went."""
        planned, was = self.pace
        weight = 100                    # the first groups do not decide it alone
        return job.plan.seconds * (was + weight * self.machine.slowness) / (planned + weight)

    def start_what_fits(self):
        """The first in the queue, or none: their order is one of worth."""
        while self.queue:
            job = self.queue[0]
            failed = [need for need in job.plan.needs if self.done.get(need) is False]
            if failed:
                self.report.not_run(job, f"it needs what failed before: {' '.join(failed)}")
            elif self.is_late(job, self.expected(job) * WORTH_BEGINNING):
                self.report.leave(job)
            elif all(need in self.done for need in job.plan.needs) and self.fits(job):
                job.start(self.environment)
                self.running.append(job)
            else:
                return
            self.queue.pop(0)

    def is_late(self, job, seconds=0):
        """Whether the budget would be used up in that many seconds. It does not bind what must always run."""
        return not job.plan.core and time.monotonic() + seconds > self.deadline

    def fits(self, job):
        return sum(map(self.share, self.running)) + self.share(job) < 1.001

    # -- what becomes of those that run

    def look(self):
        ended = processes.reap()
        for job in list(self.running):
            job.look()
            if job.pid in ended:
                status, job.processor = ended[job.pid]
                job.end(status)
                self.finish(job)
            elif time.monotonic() - job.heard > SILENCE * self.machine.slowness:
                self.kill(job)
                job.end(-signal.SIGKILL)
                self.finish(job)
            elif self.is_late(job):
                self.kill(job)
                job.stop(-signal.SIGKILL)
                self.finish(job)
            else:
                self.report.take(job)

    def finish(self, job):
        """It has ended: nothing of it stays, and what it told is counted."""
        self.running.remove(job)
        job.processor += clean_up(job.labs, [other.pid for other in self.running])
        self.report.take(job)
        self.report.ended(job)
        if job.left:                    # it was late
            job.left += job.failed_setups
            self.report.leave(job)
        elif job.failed_setups:
            self.queue.insert(0, job.once_more())
        else:
            self.done[job.plan.function] = job.good
        if job.plan.function == plan.FIRST_LAB and job.good:
            self.measured(job.seconds())
        if job.plan.width is None:
            self.pace = [self.pace[0] + job.plan.seconds, self.pace[1] + job.took]

    def measured(self, seconds):
        self.machine.lab = seconds
        self.environment["BLKPR_SLOWNESS"] = f"{self.machine.slowness:.2f}"
        self.screen.line(f"this machine: {self.machine}; labs at a time: {self.machine.labs}")

    @staticmethod
    def kill(job):
        processes.kill([job.pid, *processes.descendants(job.pid)])
        os.waitpid(job.pid, 0)

    # -- all of it

    def run(self, jobs):
        self.queue = list(jobs)
        while self.queue or self.running:
            self.start_what_fits()
            self.look()
            self.screen.status(self.status())
            time.sleep(0.1)

    def status(self):
        left = sum(self.expected(job) * self.share(job) for job in self.queue)
        left += max([max(0, self.expected(job) - job.took) for job in self.running], default=0)
        left = min(left, max(0, self.deadline - time.monotonic())) if self.budget < float("inf") else left
        to_come = sum(len(job.left) for job in self.queue + self.running)
        return (f"{self.report.progress(to_come)}, about {left / 60:.0f} min left; now: "
                + ", ".join(job.now() for job in self.running))


# ---------------------------------------------------------------- leaving nothing

def clean_up(labs, jobs=()):
    """No process of ours but these jobs and what they have started; no lab whose name begins so. Returns the seconds of
    processor time of what had to be ended."""
    used = processes.end_orphans(jobs)
    for name in lab_machines.all_labs():
        if name.startswith(labs + "-"):
            lab_machines.down(name)
    return used


def handle_signals(action):
    for number in SIGNALS:
        signal.signal(number, action)


def interrupted(number, _frame):
    raise InterruptError(signal.Signals(number).name)


# ---------------------------------------------------------------- what is to be done

def collect(environment):
    """{group: [test]} of every suite, by pytest."""
    events = os.path.join(LOG, "collect.events")
    done = subprocess.run(["/usr/bin/python3", "-B", "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-p",
                           "events", *SUITES], cwd=TOP, capture_output=True, text=True, check=False,
                          env={**environment, "PYTHONPATH": HERE, "BLKPR_EVENTS": events, "BLKPR_TESTS": ""})
    if done.returncode:
        sys.exit(f"pytest cannot collect the tests:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    found = {}
    with open(events) as f:
        for test, group in json.loads(f.readline())["collected"]:
            found.setdefault(group, []).append(test)
    return found


def chosen(wanted, groups):
    """The jobs of these steps and tests, and those that they need."""
    steps = [w for w in wanted if w in STEPS] or ([] if wanted else [s for s in STEPS if s != "soak"])
    places = [w.removeprefix("./") for w in wanted if w not in STEPS]
    steps += ["lab"] * ("soak" in steps)
    unplanned = [plan.group(name, 60) for name in groups if name not in [p.name for p in plan.GROUPS]]
    jobs = []
    for planned in (*plan.GROUPS, *unplanned, *plan.STEPS[::-1]):
        runs = "lab" in steps and (not planned.soak or "soak" in steps)
        tests = [t for t in groups.get(planned.name, ()) if runs or any(map(t.startswith, places))]
        needed = any(planned.function in job.plan.needs for job in jobs if planned.function)
        if tests or needed or (planned.function and planned.step in steps):
            jobs.append(make(planned, tests))
    order = {id(p): i for i, p in enumerate((*plan.STEPS, *plan.GROUPS))}
    return sorted(jobs, key=lambda job: order.get(id(job.plan), len(order)))


def arguments():
    parser = argparse.ArgumentParser(prog="./check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="The logs are in build/check/log. Examples: ./check build unit; "
                                            "./check tests/lab/test_safety.py; ./check soak (about three hours)")
    parser.add_argument("what", nargs="*", metavar="STEP|TEST",
                        help=f"only these: {', '.join(STEPS)}; or what a test's name begins with (default: all but soak, "
                             "which has everything on every kind of lab, as often as the documentation says)")
    parser.add_argument("--budget", type=float, default=None, metavar="MINUTES",
                        help=f"what may begin, and go on, only until then; what is core runs all the same (default: {BUDGET}, "
                             "or BLKPR_CHECK_BUDGET in the environment; without an end for soak)")
    parser.add_argument("--labs", type=int, metavar="N", help="labs at a time (default: what the machine can bear)")
    args = parser.parse_args()
    if args.budget is None:
        given = os.environ.get("BLKPR_CHECK_BUDGET")
        try:
            args.budget = float(given) if given else float("inf") if "soak" in args.what else BUDGET
        except ValueError:
            parser.error(f"BLKPR_CHECK_BUDGET={given}: not a number of minutes")
    if not args.budget > 0:
        parser.error(f"--budget {args.budget:g}: a number of minutes above 0")
    for what in args.what:
        if what not in STEPS and not what.removeprefix("./").startswith("tests/"):
            parser.error(f"no step '{what}'; there are {', '.join(STEPS)}, and the tests below tests/")
    return args


def main():
    args = arguments()
    began = time.monotonic() - max(0, time.time() - float(os.environ.get("BLKPR_CHECK_BEGAN") or time.time()))
    screen = Screen(began)
    processes.adopt_orphans()
    handle_signals(interrupted)
    for left in (LOG, os.path.join(OUT, "tmp")):
        shutil.rmtree(left, ignore_errors=True)
    os.makedirs(LOG)
    os.makedirs(os.path.join(OUT, "tmp"))
    environment = {**os.environ, **(SOAK if "soak" in args.what else FEW), "BLKPR_STAGE": os.path.join(OUT, "stage"),
                   "BLKPR_OLD_STAGE": os.path.join(OUT, "before/stage"),
                   "BLKPR_AGENT": os.path.join(OUT, "stage/usr/sbin/fence_blkpr")}
    status = 130
    try:
        check = Check(screen, Machine(args.labs), args.budget, environment)
        jobs = chosen(args.what, collect(environment))
        if not jobs:
            sys.exit(f"no test's name begins with {' or '.join(args.what)}")
        check.run(jobs)
        status = check.report.close(f"{args.budget:g} minutes")
    except InterruptError as e:
        screen.line(f"{e}: ending what runs")
    finally:
        handle_signals(signal.SIG_IGN)
        clean_up(LABS)
        shutil.rmtree(os.path.join(OUT, "tmp"), ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
