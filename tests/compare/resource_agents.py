#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ocf:heartbeat:sg_persist and ocf:blkpr:reservation side by side: the same lab, the same disks, the same faults.

    resource_agents.py --stage DIR  DIR: make install DESTDIR=DIR; writes doc/comparison-sg_persist.md

`make compare-resource` calls it. sg_persist is Debian 12's, as it is installed in the lab's nodes.
"""

import argparse
import os
import re
import signal
import sys
import time

import compare              # which also finds tests/lab
import lab as lab_module
import resource_experiments as experiments
import resource_text as text
from resource_side import Kind, Service

FAULTS = range(2)           # the disks of all experiments but those that are timed
TIMED = {1: 3, 16: 3, 64: 1}        # LUNs: how often, times COUNT
CLAIMS = ("held by `start`", "not held by `start`", "`monitor`: held", "`monitor`: failed",
          "`monitor`: cleanly not here", "stopped by `stop`", "not stopped by `stop`")


def kinds():
    return [Kind("sg_persist", True, True, 1),
            Kind("sg_persist, type 5, all disks", True, True, 5, reservation_type=5, required_devs_nof=len(FAULTS)),
            Kind("reservation", False, False, 5),
            Kind("reservation, promotable", False, True, 1, reservation_type="WRITE_EXCLUSIVE")]


class Labs(compare.Labs):
    def __call__(self, what, **wanted):
        name = f"compare-{os.getpid()}-{what}"
        self.up.append(lab_module.up(name=name, nodes=2, kernel="7", cluster="pacemaker", stage=self.stage, **wanted))
        return self.up[-1]


def ask(lab, columns, name, count, device):
    """One experiment with some kinds: (kinds, [(question, [an answer from each])])."""
    answers = []
    for kind in columns:
        began = time.monotonic()
        side = Service(lab, kind, FAULTS, device)
        answers.append(experiments.many(count, [getattr(experiments, name)(side) for _ in range(count)]))
        compare.say(f"{name}, {kind.title}: {time.monotonic() - began:.0f} s")
    return compare.table(columns, [(question, [a[question] for a in answers]) for question in answers[0]])


def time_them(lab, columns, timed):
    rows = []
    for luns, count in timed.items():
        began = time.monotonic()
        answers = [experiments.costs(Service(lab, kind, range(luns)), count, luns) for kind in columns]
        rows += [(question, [a[question] for a in answers]) for question in answers[0]]
        compare.say(f"times, {luns} LUNs: {time.monotonic() - began:.0f} s")
    return compare.table(columns, rows)


def measure(labs, every, names, timed, count):
    """{section: table}, the table of times, and what the nodes run; one lab at a time."""
    tables, costs = {}, ""
    plain = [n for n in names if n not in text.ON_MAPS and n != "own_other_nexus"]
    lab = labs("one", luns=max([*timed, len(FAULTS)]), hang_luns=[1])
    for name in plain:
        tables[name] = ask(lab, [every[i] for i in text.SECTIONS[name][2]], name, count, "/dev/lun{}")
    if timed:
        costs = time_them(lab, [every[i] for i in text.ALL], timed)
    found = compare.versions(lab)
    found["heartbeat"] = lab.exec("n1", "dpkg-query -W -f '${Version}' resource-agents", check=True).stdout
    lab.down()
    labs.up.remove(lab)
    if set(names) - set(plain):
        lab = labs("maps", luns=len(FAULTS), paths=2)
        for name in (n for n in text.ON_MAPS if n in names):
            tables[name] = ask(lab, [every[i] for i in text.SECTIONS[name][2]], name, count, "/dev/mapper/mp{}")
        if "own_other_nexus" in names:
            experiments.without_maps(Service(lab, every[0], FAULTS))
            columns = [every[i] for i in text.SECTIONS["own_other_nexus"][2]]
            tables["own_other_nexus"] = ask(lab, columns, "own_other_nexus", count, "/dev/lun{}")
    return {name: tables[name] for name in names}, costs, found


def summary(every):
    rows = []
    for claim in CLAIMS:
        often = [kind.said.get(claim, (0, 0)) for kind in every]
        rows.append((claim, [f"{all_} times, {wrong} not true" if all_ else "-" for all_, wrong in often]))
    total = [(sum(a for a, _ in kind.said.values()), sum(w for _, w in kind.said.values())) for kind in every]
    return compare.table(every, [*rows, ("all exit codes", [f"{a}, {w} not true" for a, w in total])])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree")
    parser.add_argument("--count", type=int, default=1, help="how often each experiment is made (default 1)")
    parser.add_argument("--output", default=os.path.join(compare.TOP, "doc", "comparison-sg_persist.md"))
    parser.add_argument("--only", nargs="+", choices=[*text.SECTIONS, "costs"], help="some, to standard output")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the labs are taken down
    began = time.monotonic()
    names = [name for name in text.SECTIONS if not args.only or name in args.only]
    timed = {luns: n * args.count for luns, n in TIMED.items()} if not args.only or "costs" in args.only else {}
    every = kinds()
    with Labs(args.stage) as labs:
        tables, costs, found = measure(labs, every, names, timed, args.count)
    often = ", ".join(f"{n} (at {luns} LUN{'s' * (luns > 1)})" for luns, n in timed.items())
    page = text.page(tables, summary(every), costs, often, found, time.monotonic() - began, args.count)
    page = re.sub(r"\n{3,}", "\n\n", page)
    if args.only:
        print(page)
        return
    with open(args.output, "w") as f:
        f.write(page)
    compare.say(f"{args.output} is written, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
