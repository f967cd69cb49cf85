# SPDX-License-Identifier: GPL-2.0-or-later
"""The second act of the demo: a Pacemaker cluster, a service with its reservation, and its active node cut off."""

import time

import resource_agent as ra
from failover import DISK, MOUNT, Failover
from pacemaker import until

NAMES = {key: node for node, key in ra.KEYS.items()}


class Service:
    """Told as a time line; `claim` checks what is said."""

    def __init__(self, lab, screen, claim):
        self.cluster = Failover(lab, managed=False)
        self.lab, self.screen, self.claim = lab, screen, claim

    def tell(self):
        self.screen.start_clock()
        self.set_up()
        active = self.cluster.where("service", "n1")[0]
        other = self.cluster.other(active)
        self.show_service(active)
        self.try_by_hand(other)
        self.judge(self.cut_off(active, other))

    def set_up(self):
        for command in self.cluster.steps():
            self.screen.event("n1", command)
        self.cluster.until_up(180)

    def show_service(self, active):
        before = self.cluster.timed_acks()
        time.sleep(1)       # a second's worth of writes is what is measured, not waited for
        now = self.cluster.timed_acks()
        rate = (len(now) - len(before)) / (now[-1][2] - before[-1][2])
        self.screen.event(active, "runs the service: it appends numbers to a file, with fsync, and tells the storage "
                                  f"machine of each that is done: {rate:.0f} a second")
        self.show_key(active)

    def show_key(self, node):
        keys = [int(key, 16) for key, _ in self.lab.keys(DISK)]
        holder = self.lab.holder(DISK)
        self.claim(keys == [ra.KEYS[node]], f"the service's disk has the keys {keys}, not {node}'s alone")
        self.claim(holder["key"] and int(holder["key"], 16) == ra.KEYS[node], f"{node} does not hold: {holder}")
        self.screen.event("stor", f"the service's disk: {keys[0]:#x} ({NAMES[keys[0]]}), {holder['type']}")

    def try_by_hand(self, other):
        command = f"mount -t ext4 {self.cluster.device} {MOUNT}"
        result = self.lab.exec(other, f"{command} && echo >{MOUNT}/rogue && sync")
        self.lab.exec(other, f"umount -l {MOUNT}")
        self.claim(result.rc, f"{other} could mount and write: {result}")
        self.screen.event(other, f"{command}, by hand: refused", "good")

    def cut_off(self, active, other):
        """Who takes over. The time line is the storage machine's clock; every write is judged by what it was told."""
        cut = float(self.cluster.admin("date +%s.%N", "stor"))
        self.lab.cut(active, "ring")
        self.screen.event(active, "is cut off from the cluster; it keeps its disks, and goes on writing", "bold")
        other = until(lambda: next((a[1] for a in self.cluster.timed_acks() if a[1] != active and a[2] > cut), None),
                      lambda: f"nobody takes over: {self.cluster.tail(other)}", 120)
        fenced = self.cluster.until_fenced(active, other)
        acks = [a for a in self.cluster.timed_acks() if a[2] > cut]
        last = [a for a in acks if a[1] == active]
        first = next(a for a in acks if a[1] == other)
        self.claim(all(a[2] < first[2] for a in last), f"{active} wrote after {other} had begun: {last[-1]}, {first}")
        fencer = fenced[0]["delegate"]
        waited, worked = self.cluster.agents_share(active, fencer)
        self.screen.plain()
        self.screen.line("0.00 s", active, "cut off")
        if last:
            self.screen.line(f"{last[-1][2] - cut:.2f} s", active, f"its last write that is done: number {last[-1][0]}")
        self.screen.detail(f"fence_blkpr -o off -n {active}, by {fencer}'s fencer: {waited * 1000:.0f} ms, on the disks "
                           f"{worked * 1000:.0f} ms of it")
        self.screen.line(f"{first[2] - cut:.2f} s", other, f"the service is up, its first write is done: number {first[0]}")
        self.screen.detail("(by the storage machine's clock; most of it is corosync's and Pacemaker's)", "dim")
        self.screen.plain()
        self.show_key(other)
        return other

    def judge(self, node):
        self.cluster.assert_nothing_lost(node)
        acks = self.cluster.acks()
        self.screen.event(node, f"reads the file: every number from 1 to {len(self.cluster.ledger(node))} once, in order; "
                                f"none of the {len(acks)} writes that were done is missing", "good")
