#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_scsi and fence_blkpr side by side: the same lab, the same disks, the same faults.

    compare.py --stage DIR          DIR: make install DESTDIR=DIR; writes doc/comparison.md

`make compare` calls it. fence_scsi is Debian 12's, as it is installed in the lab's nodes.
"""

import argparse
import collections
import os
import re
import statistics
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
import lab as lab_module    # noqa: E402

LUNS = 8
AGENTS = ("fence_scsi", "fence_blkpr")
RENAME = ("pkill -x corosync; while pgrep -x corosync; do sleep 0.05; done; "
          "sed -i 's/cluster_name:.*/cluster_name: {}/' /etc/corosync/corosync.conf; corosync; "
          "until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done")


class Side:
    """One of the two agents in the lab."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name

    def command(self, action, plug, luns=range(LUNS)):
        devices = ",".join(f"/dev/lun{k}" for k in luns)
        return f"{self.name} -o {action} -n {plug} -d {devices} --key-value=hash"

    def run(self, node, action, plug, luns=range(LUNS), timeout=90):
        return self.lab.exec(node, self.command(action, plug, luns), timeout=timeout)

    def unfence(self):
        """Both nodes registered on all LUNs, from scratch."""
        self.lab.reset_reservations()
        for node in self.lab.nodes:
            result = self.run(node, "on", node)
            if result.rc:
                raise SystemExit(f"{self.name}: on failed on {node}: {result.stdout}{result.stderr}")

    def registered(self):
        """[{nodes that are registered}] of every LUN, as the target has it."""
        text = self.lab.exec("stor", "cd /sys/kernel/config/target/core/fileio_0 && "
                                     "grep -H . lun*/pr/res_pr_registered_i_pts || :", check=True).stdout
        found = [set() for _ in range(LUNS)]
        for lun, node in re.findall(r"^lun(\d+)/.*?Node: \S+:(n\d+),", text, re.M):
            found[int(lun)].add(node)
        return found

    def can_write(self, node, lun=0):
        return not self.lab.exec(node, f"dd if=/dev/zero of=/dev/lun{lun} bs=4k count=1 oflag=direct").rc


def races(side, count, opposite):
    """Both nodes fence each other, started together; how it ended, and how often."""
    outcomes = collections.Counter()
    for _ in range(count):
        side.unfence()
        order = {"n1": range(LUNS), "n2": range(LUNS - 1, -1, -1) if opposite else range(LUNS)}
        running = {node: side.lab.start(node, side.command("off", victim, order[node]), timeout=90)
                   for node, victim in (("n1", "n2"), ("n2", "n1"))}
        winners = [node for node, r in running.items() if r.wait().rc == 0]
        holders = side.registered()
        if len(winners) == 1 and all(h == {winners[0]} for h in holders):
            outcomes["one winner, on all disks"] += 1
        elif len(winners) > 1:
            outcomes["two winners"] += 1
        elif all(h == holders[0] for h in holders):
            outcomes[f"{len(winners)} winner, disks alike"] += 1
        else:
            outcomes[f"{len(winners)} winner, disks mixed"] += 1
    return "; ".join(f"{text}: {n} of {count}" for text, n in outcomes.most_common())


def evicted(side, count):
    """A node that has been fenced fences the winner."""
    evil = 0
    for _ in range(count):
        side.unfence()
        if side.run("n1", "off", "n2").rc:
            return "off failed"
        side.run("n2", "off", "n1")
        evil += any("n1" not in holders or "n2" in holders for holders in side.registered())
    return f"the winner was evicted, or the loser registered again: {evil} of {count}"


def renamed(side, count):
    """The cluster was renamed on the survivor, so that the victim's key cannot be derived any more."""
    lies = 0
    side.unfence()
    side.lab.exec("n1", RENAME.format("renamed"), check=True)
    try:
        side.run("n1", "on", "n1")
        for _ in range(count):
            said_ok = side.run("n1", "off", "n2").rc == 0
            lies += said_ok and side.can_write("n2")
    finally:
        side.lab.exec("n1", RENAME.format("mycluster"), check=True)
    return f"success while the victim writes: {lies} of {count}"


def hung(side, lun):
    """One disk hangs; time to a verdict (given up after 60 s), and what became of the others."""
    side.unfence()
    side.lab.hang(lun)
    try:
        result = side.run("n1", "off", "n2", timeout=60)
        fenced = sum("n2" not in h for k, h in enumerate(side.registered()) if k != lun)
        verdict = "no verdict in 60 s" if result.timed_out else f"exit {result.rc} after {result.seconds:.1f} s"
        return f"{verdict}; {fenced} of {LUNS - 1} other disks fenced"
    finally:
        side.lab.resume(lun)
        if side.name == "fence_scsi":
            side.lab.exec("n1", "pkill -9 fence_scsi; pkill -9 sg_persist; :")


def own_key_gone(side):
    """Another node has evicted this one: what does monitor say?"""
    side.unfence()
    side.run("n1", "off", "n2")
    result = side.run("n2", "monitor", "n2")
    return f"exit {result.rc}" + (": notices" if result.rc else ": notices nothing")


def seconds(side, action, luns, count):
    """Median time of an action as its user sees it; off finds the victim registered each time."""
    times = []
    for _ in range(count):
        side.unfence()
        times.append(side.run("n1", action, "n1" if action == "on" else "n2", range(luns)).seconds)
    return statistics.median(times)


def rows(count):
    yield f"both nodes fence each other ({LUNS} disks, named in the same order)", lambda s: races(s, count, False)
    yield "the same, the second node names them in the opposite order", lambda s: races(s, count, True)
    yield "a node that was evicted fences the winner", lambda s: evicted(s, count)
    yield "the cluster was renamed, `off` with the new name", lambda s: renamed(s, count)
    yield "the last disk hangs", lambda s: hung(s, LUNS - 1)
    yield "the first disk hangs", lambda s: hung(s, 0)
    yield "`monitor` on a node that was evicted", own_key_gone
    yield "lists the nodes (no pcmk_host_list needed)", lambda s: "yes" if "n1" in s.run("n1", "list", "n1").stdout else "no"


def measure(lab, count):
    sides = [Side(lab, name) for name in AGENTS]
    lines = ["| | " + " | ".join(AGENTS) + " |", "| --- | --- | --- |"]
    for what, how in rows(count):
        print(what, file=sys.stderr, flush=True)
        lines.append(f"| {what} | " + " | ".join(how(side) for side in sides) + " |")
    for action in ("on", "off", "status"):
        for luns in (1, LUNS):
            print(action, luns, file=sys.stderr, flush=True)
            scsi, blkpr = (seconds(side, action, luns, 5) for side in sides)
            disks = "1 disk" if luns == 1 else f"{luns} disks"
            lines.append(f"| `{action}`, {disks}: seconds, median of 5 | {scsi:.2f} | {blkpr:.3f} ({scsi / blkpr:.0f} times faster) |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree")
    parser.add_argument("--count", type=int, default=10, help="how often each experiment is made (default 10)")
    parser.add_argument("--output", default=os.path.join(TOP, "doc", "comparison.md"))
    args = parser.parse_args()
    lab = lab_module.up(name="compare", nodes=2, luns=LUNS, kernel="7", stage=args.stage)
    try:
        versions = lab.exec("n1", "uname -r; dpkg-query -W -f '${Version}' fence-agents", check=True).stdout.split()
        lines = measure(lab, args.count)
    finally:
        lab.down()
    text = f"""<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# fence_scsi and fence_blkpr, side by side

Made by `make compare` (tests/compare/compare.py), not by hand. Both agents ran in one lab, on the same disks, with the
same keys (`key_value=hash`) and the same faults, one after the other. fence_scsi is that of Debian's fence-agents
{versions[1]}; newer versions behave differently in places (its `off` registers the caller again, so an evicted node can
evict the winner). Kernel {versions[0]}; nodes are User Mode Linux, where starting a process costs ten times what it does
on hardware: times are for the ratio.

""" + "\n".join(lines) + "\n"
    with open(args.output, "w") as f:
        f.write(text)
    print(text)


if __name__ == "__main__":
    main()
