#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_scsi and fence_blkpr side by side: the same lab, the same disks, the same faults.

    compare.py --stage DIR          DIR: make install DESTDIR=DIR, and seqio; writes doc/comparison.md

`make compare` calls it. fence_scsi is Debian 12's, as it is installed in the lab's nodes, and Debian 13's.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
import experiments          # noqa: E402
import lab as lab_module    # noqa: E402
import newer                # noqa: E402
import text                 # noqa: E402
from side import LUNS, Agent, Side      # noqa: E402

BESIDE = ("hung_last", "hung_first")        # these mostly wait: each in a lab of its own, while the others run


def say(what):
    print(what, file=sys.stderr, flush=True)


def ask(lab, agents, name, count):
    """One experiment with all agents: [(question, [an answer from each])]."""
    answers = []
    for agent in agents:
        began = time.monotonic()
        answers.append(getattr(experiments, name)(Side(lab, agent), count))
        say(f"{name}, {agent.title}: {time.monotonic() - began:.0f} s")
    return [(question, [a[question] for a in answers]) for question in answers[0]]


def counts(names, count):
    """How often each experiment is made: those that take long, and differ little from time to time, less often."""
    parts = {"plain": count, "evicted": 2, "forgotten": 3, "stranger": 3, "added": 3, "hung_last": 5, "hung_first": 5,
             "in_flight_both": 3, "survivor": 2, "costs": 2}
    return {name: max(1, count // parts.get(name, 1)) for name in names}


def table(agents, rows):
    lines = ["| | " + " | ".join(agent.title for agent in agents) + " |", "| --- " * (len(agents) + 1) + "|"]
    lines += [f"| {question} | " + " | ".join(answers) + " |" for question, answers in rows]
    return "\n".join(lines)


def summary(agents):
    return [("how often `off` said success", [str(agent.successes) for agent in agents]),
            ("… and the victim could still write to a disk", [str(agent.lies) for agent in agents])]


class Labs:
    """The labs of this run, which are taken down whatever happens."""

    def __init__(self, stage):
        self.stage, self.up = stage, []

    def __call__(self, what, **wanted):
        name = f"compare-{os.getpid()}-{what}"
        self.up.append(lab_module.up(name=name, luns=LUNS, kernel="7", stage=self.stage, **wanted))
        return self.up[-1]

    def __enter__(self):
        """Removes first what a run that was killed could not take down."""
        for name in lab_module.all_labs():
            found = re.fullmatch(r"compare-(\d+)-.*", name)
            if found and not os.path.exists(f"/proc/{found.group(1)}"):
                lab_module.down(name)
        return self

    def __exit__(self, *_):
        for lab in self.up:
            lab.down()


def measure(labs, agents, how_often):
    """{experiment: rows}, and what the nodes run."""
    beside = {name: labs(name, nodes=2) for name in BESIDE if name in how_often}
    lab = labs("main", nodes=3, slow_luns=[experiments.SLOW])
    with concurrent.futures.ThreadPoolExecutor(len(BESIDE)) as pool:
        try:
            waiting = {name: pool.submit(ask, beside[name], agents, name, how_often[name]) for name in beside}
            rows = {name: ask(lab, agents, name, how_often[name])
                    for name in how_often if name not in waiting and name != "costs"}
            rows.update({name: future.result() for name, future in waiting.items()})
        except BaseException:
            for other in beside.values():       # or the threads would go on to their end
                other.down()
            raise
    if "costs" in how_often:                    # with nothing else going on
        rows["costs"] = ask(lab, agents, "costs", how_often["costs"])
    return rows, versions(lab)


def versions(lab):
    """What the nodes run."""
    found = lab.exec("n1", "uname -r; fence_blkpr -V; pacemakerd --version | head -n 1; "
                           "dpkg-query -W -f '${Package} ${Version}\\n' corosync sg3-utils", check=True).stdout
    kernel, blkpr, *rest = found.splitlines()
    return {"kernel": kernel, "blkpr": blkpr, "rest": ", ".join(rest)}


def find_agents(stage, scratch):
    """The columns; stage gets what is not in the lab's image."""
    root = lab_module.lab_image.prepare().root
    with open(os.path.join(root, "var/lib/dpkg/status")) as f:
        older = re.search(r"^Package: fence-agents$.*?^Version: (\S+)$", f.read(), re.M | re.S).group(1)
    found = [Agent(f"fence_scsi {older} (Debian 12)", "fence_scsi")]
    version = newer.install(stage, scratch)
    if version:
        found.append(Agent(f"fence_scsi {version} (Debian 13)", f"{newer.INSIDE}/fence_scsi"))
    return [*found, Agent("fence_blkpr", "fence_blkpr")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree, with seqio in usr/bin")
    parser.add_argument("--count", type=int, default=10, help="how often the races are made (default 10); "
                                                              "others as often, or less")
    parser.add_argument("--output", default=os.path.join(TOP, "doc", "comparison.md"))
    parser.add_argument("--only", nargs="+", choices=text.SECTIONS, help="some experiments, to standard output")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the labs are taken down
    began = time.monotonic()
    how_often = counts(args.only or text.SECTIONS, args.count)
    with tempfile.TemporaryDirectory(prefix="compare-") as scratch:
        stage = os.path.join(scratch, "stage")
        shutil.copytree(args.stage, stage)
        agents = find_agents(stage, os.path.join(scratch, "newer"))
        with Labs(stage) as labs:
            rows, found = measure(labs, agents, how_often)
    page = text.page({name: table(agents, rows[name]) for name in rows}, table(agents, summary(agents)), how_often,
                     found, agents, time.monotonic() - began, LUNS)
    if args.only:
        print(page)
        return
    with open(args.output, "w") as f:
        f.write(page)
    say(f"{args.output} is written, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
