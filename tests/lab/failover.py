# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster with a service, its file system and its reservation: the group `web` of the failover tests and the demo."""

import collections

import resource_agent as ra
from lab_host import SLOWNESS, patience
from pacemaker import WAIT, Cluster, until

FENCED, DISK, SHARED = range(3)         # fence_blkpr's in any case; the service's; for a promotable clone
LUNS = 3
MOUNT = "/srv/service"
SYSLOG = "/var/log/messages"


class Failover(Cluster):
    """group web: disk (ocf:blkpr:reservation), fs (ext4 on the LUN), service (ocf:lab:ledger)"""

    POWER_TIMEOUT = 8                   # seconds
    OPERATIONS = {"disk": f"op monitor interval=2s timeout={20 * SLOWNESS:.0f}s", "fs": "op monitor interval=30s",
                  "service": "op monitor interval=10s"}

    def __init__(self, lab, managed, agent=None):
        super().__init__(lab, agent=agent)
        self.managed = managed
        self.fenced = [FENCED, DISK] if managed else [FENCED]
        self.device = self.agent.device(DISK)

    def create(self):
        for _ in self.steps():
            pass

    def steps(self):
        """Set all up; yields what an administrator would type, before it is done."""
        for node in self.lab.nodes:
            self.prepare(node)
        self.admin("/run/lab-guest/ledger listen", "stor")
        self.admin("pcs resource defaults update resource-stickiness=100")
        yield f"mkfs.ext4 {self.device}"
        self.admin(f"wipefs -qa {self.device}; mkfs.ext4 -q -F -E nodiscard {self.device}")
        yield f"pcs stonith create fence-disks fence_blkpr devices={self.agent.devices(self.fenced)}"
        self.create_fencing(devices=self.agent.devices(self.fenced), power_timeout=self.POWER_TIMEOUT)
        until(lambda: self.members("n1") == self.lab.nodes and self.where("fence-disks", "n1") or self.tell_again(),
              "no fencing", 120)
        for command in (f"disk ocf:blkpr:reservation devices={self.device}",
                        f"fs ocf:heartbeat:Filesystem device={self.device} directory={MOUNT} fstype=ext4",
                        f"service ocf:lab:ledger file={MOUNT}/ledger"):
            yield f"pcs resource create {command} --group web"
            self.admin(f"pcs resource create {command} {self.OPERATIONS[command.split()[0]]} --group web")

    def prepare(self, node):
        self.admin(f"mkdir -p {MOUNT}; modprobe ext4; busybox syslogd -O {SYSLOG}", node)

    def registered_for_fencing(self):
        found = self.agent.registered()
        return [found[k] for k in self.fenced]

    def up(self):
        """If all nodes are members and registered, and the service runs, the node that it runs on."""
        everybody = {node: self.agent.paths for node in self.lab.nodes}
        return (all(self.members(n) == self.lab.nodes for n in self.lab.nodes)
                and all(disk == everybody for disk in self.registered_for_fencing())
                and len(self.where("service", "n1")) == 1 and self.where("fence-disks", "n1")
                and self.where("service", "n1")[0])

    def until_up(self, seconds=120):
        return until(lambda: self.up() or self.tell_again(), lambda: f"not up: {self.registered_for_fencing()}, {self.where('service', 'n1')}, "
                     f"{self.admin('crm_mon -1rf')}\n" + self.tail("n1") + self.tail(self.lab.nodes[-1]), seconds)

    def acks(self):
        """[(number, node)] in the order in which they were acknowledged."""
        return [(number, node) for number, node, _ in self.timed_acks()]

    def timed_acks(self):
        """The same with the storage machine's time of each, in seconds."""
        lines = self.admin("cat /run/acks", "stor").splitlines()
        return [(int(number), node, float(when)) for number, node, when in map(str.split, lines)]

    def until_acknowledged(self, node, since, seconds=90):
        """Until a node has written more than `since` acknowledged numbers."""
        return until(lambda: [a for a in self.acks()[since:] if a[1] == node],
                     lambda: f"nothing is written by {node}: {self.tail(node)}", seconds)

    def ledger(self, node):
        return [int(line) for line in self.admin(f"cat {MOUNT}/ledger", node).split()]

    def assert_nothing_lost(self, node):
        """Every number once, in order; none that was acknowledged is missing, none was acknowledged twice."""
        acks = [number for number, _ in self.acks()]
        ledger = self.ledger(node)
        assert ledger == list(range(1, len(ledger) + 1))
        assert max(acks) <= len(ledger)
        assert [n for n, count in collections.Counter(acks).items() if count > 1] == []

    def move(self, node):
        self.admin(f"crm_resource --move --resource web --node {node}")
        until(lambda: self.where("service", "n1") == [node], lambda: f"it does not move: {self.tail(node)}")
        self.admin("crm_resource --clear --resource web")

    def fail(self, victim, how):
        """The active node is switched off ("off"), stands still ("hang"), or is cut off ("cut": it goes on writing as long as
        it can); who takes over."""
        before = len(self.acks())
        observer = self.other(victim)
        if how == "off":
            self.lab.kill(victim)
        elif how == "hang":
            self.lab.freeze(victim)
        else:
            self.lab.cut(victim, "ring")
        return until(lambda: next((node for _, node in self.acks()[before:] if node != victim
                                   and self.where("service", observer) == [node]), None),
                     lambda: f"no node takes over from {victim} ({how}): {self.tail(observer)}", 120)

    def bring_back(self, victim):
        self.lab.kill(victim)
        self.lab.heal(victim)
        self.lab.boot(victim)
        self.prepare(victim)

    def check_file_system(self):
        """The service stopped, the file system must be clean, and the disk free of the resource's keys."""
        self.admin(f"pcs resource disable web {WAIT}")
        result = self.lab.exec("n1", f"fsck.ext4 -fn {self.device}", timeout=patience(120))
        free = not set(ra.KEYS.values()) & {int(key, 16) for key, _ in self.lab.keys(DISK)}
        self.admin(f"pcs resource enable web {WAIT}")
        assert result.rc == 0, result
        assert free
