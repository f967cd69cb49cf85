# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with its reservation, its file system and its writer, moved and failed over by a real cluster.

The shapes: `managed`, fence_blkpr has the service's disk, too; `own`, it has another one, and the service's disk is the
resource agent's alone.
"""

import collections
import json
import os
import random
import time

import pytest

import resource as ra
from pacemaker import AGENT_LOG, Cluster, stage_with_service, until
from watch import Watch

MOVES = int(os.environ.get("BLKPR_MOVES", "3"))
FAILOVERS = int(os.environ.get("BLKPR_FAILOVERS", "3"))
DISK, FENCED = 1, 0                     # the service's; the one that fence_blkpr has in any case
MOUNT = "/srv/service"


class Failover(Cluster):
    """group web: disk (ocf:blkpr:reservation), fs (ext4 on the LUN), service (ocf:lab:ledger)"""

    def __init__(self, lab, managed):
        super().__init__(lab)
        self.managed = managed
        self.fenced = [FENCED, DISK] if managed else [FENCED]
        self.device = self.agent.device(DISK)

    def create(self):
        lab = self.lab
        for node in lab.nodes:
            self.admin(f"mkdir -p {MOUNT}; modprobe ext4", node)
        self.admin(f"wipefs -qa {self.device}; mkfs.ext4 -q -F -E nodiscard {self.device}")
        self.admin("/run/lab-guest/ledger listen", "stor")
        self.admin("pcs resource defaults update resource-stickiness=100")
        self.create_fencing(devices=self.agent.devices(self.fenced), power_timeout=8)
        until(lambda: self.members("n1") == lab.nodes and self.where("fence-disks", "n1"), "no fencing", 120)
        self.admin(f"pcs resource create disk ocf:blkpr:reservation devices={self.device} "
                   "op monitor interval=2s timeout=20s --group web")
        self.admin(f"pcs resource create fs ocf:heartbeat:Filesystem device={self.device} directory={MOUNT} fstype=ext4 "
                   "op monitor interval=5s --group web")
        self.admin(f"pcs resource create service ocf:lab:ledger file={MOUNT}/ledger op monitor interval=2s --group web")

    def registered_for_fencing(self):
        found = self.agent.registered()
        return [found[k] for k in self.fenced]

    def until_up(self, timeout=120):
        """Until all nodes are members and registered, and the service runs; the node that it runs on."""
        everybody = {node: self.agent.paths for node in self.lab.nodes}

        def up():
            return (all(self.members(n) == self.lab.nodes for n in self.lab.nodes)
                    and all(disk == everybody for disk in self.registered_for_fencing())
                    and len(self.where("service", "n1")) == 1 and self.where("fence-disks", "n1")
                    and self.where("service", "n1")[0])
        return until(up, lambda: f"not up: {self.registered_for_fencing()}, {self.where('service', 'n1')}, "
                     f"{self.admin('crm_mon -1rf')}\n" + self.tail("n1") + self.tail(self.lab.nodes[-1]), timeout)

    def acks(self):
        """[(number, node)] in the order in which they were acknowledged."""
        lines = self.admin("cat /run/acks", "stor").splitlines()
        return [(int(number), node) for number, node in map(str.split, lines)]

    def until_acknowledged(self, node, since, timeout=90):
        """Until a node has written more than `since` acknowledged numbers."""
        return until(lambda: [a for a in self.acks()[since:] if a[1] == node],
                     lambda: f"nothing is written by {node}: {self.tail(node)}", timeout)

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
        """The active node is switched off, or cut off (it goes on writing as long as it can); who takes over."""
        before = len(self.acks())
        observer = self.other(victim)
        if how == "off":
            self.lab.kill(victim)
        else:
            self.lab.cut(victim, "ring")
        return until(lambda: next((node for _, node in self.acks()[before:] if node != victim
                                   and self.where("service", observer) == [node]), None),
                     lambda: f"no node takes over from {victim} ({how}): {self.tail(observer)}", 120)

    def bring_back(self, victim):
        self.lab.kill(victim)
        self.lab.heal(victim)
        self.lab.boot(victim)
        self.admin(f"mkdir -p {MOUNT}; modprobe ext4", victim)

    def check_file_system(self):
        """The service stopped, the file system must be clean, and the disk free of the resource's keys."""
        self.admin("pcs resource disable web --wait=60")
        result = self.lab.exec("n1", f"fsck.ext4 -fn {self.device}", timeout=120)
        free = not set(ra.KEYS.values()) & {int(key, 16) for key, _ in self.lab.keys(DISK)}
        self.admin("pcs resource enable web --wait=60")
        assert result.rc == 0, result
        assert free


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    return stage_with_service(os.environ["BLKPR_STAGE"], tmp_path_factory.mktemp("stage") / "root")


@pytest.fixture(scope="module", params=["managed", "own"])
def cluster_of_run(request, labs, stage):
    cluster = Failover(labs(kernel="7", nodes=3, luns=2, hang_luns=[], cluster="pacemaker", stage=stage,
                            lun_size=65 if request.param == "own" else 64), request.param == "managed")
    cluster.create()
    return cluster


@pytest.fixture
def cluster(cluster_of_run):
    cluster_of_run.until_up(180)
    return cluster_of_run


def test_moves_and_failovers_lose_no_write(cluster, record_property):
    """And all the while the service's disk has a reservation, and, managed, every registered node's key."""
    keys = [ra.KEYS, {}][cluster.managed]
    watch = Watch.of_reservation(cluster.lab, DISK) if cluster.managed else None
    took = collections.defaultdict(list)
    for i in range(MOVES):
        node = cluster.where("service", "n1")[0]
        target, before, began = cluster.other(node), len(cluster.acks()), time.monotonic()
        cluster.move(target)
        cluster.until_acknowledged(target, before)
        took["move"].append(time.monotonic() - began)
        if not cluster.managed:
            assert {key for key, _ in cluster.lab.keys(DISK)} == {hex(keys[target])}
    for i in range(FAILOVERS):
        victim = cluster.where("service", random.choice(cluster.lab.nodes))[0]
        how, began = ("off", "cut")[i % 2], time.monotonic()
        survivor = cluster.fail(victim, how)
        took[how].append(time.monotonic() - began)
        assert cluster.agent.registered()[FENCED].keys() == set(cluster.lab.nodes) - {victim}
        assert victim not in {node for node, key in ra.KEYS.items()
                              if hex(key) in {k for k, _ in cluster.lab.keys(DISK)}}
        cluster.bring_back(victim)
        cluster.until_up()
        cluster.assert_nothing_lost(cluster.where("service", "n1")[0])
        assert survivor != victim
    if watch:
        took["looks at the reservation"] = [watch.end()]
    cluster.check_file_system()
    cluster.until_up()
    for what, seconds in took.items():
        print(f"{what}: {len(seconds)} times, median {sorted(seconds)[len(seconds) // 2]:.1f}")
        record_property(what, json.dumps(seconds))
    print(f"{len(cluster.acks())} acknowledged writes")


def test_rogue_mount_cannot_write(cluster):
    """A node that mounts by hand what another one's service uses; under fence_blkpr all members may write."""
    if cluster.managed:
        pytest.skip("on disks of fence_blkpr every node that was unfenced may write")
    rogue = cluster.other(cluster.where("service", "n1")[0])
    result = cluster.lab.exec(rogue, f"mount -t ext4 {cluster.device} {MOUNT} && echo rogue >{MOUNT}/ledger && sync")
    cluster.lab.exec(rogue, f"umount -l {MOUNT}")
    assert result.rc, result
    cluster.assert_nothing_lost(cluster.where("service", "n1")[0])


def test_agent_killed_while_it_works(cluster):
    """kill -9 of the resource agent, at whatever it is; the cluster converges, and nothing is lost."""
    node = cluster.where("service", "n1")[0]
    killed = 0
    began = time.monotonic()
    while killed < 3:
        killed += cluster.lab.exec(node, "pkill -9 -x reservation").rc == 0
        assert time.monotonic() - began < 120, "the agent is never seen at work"
    cluster.admin("pcs resource cleanup")
    cluster.assert_nothing_lost(cluster.until_up())


def test_active_node_that_loses_its_storage_is_left(cluster):
    """Neither monitor nor stop can be told there: the node is fenced, and the service comes up elsewhere."""
    victim = cluster.where("service", "n1")[0]
    before = len(cluster.acks())
    cluster.lab.cut(victim, "san")
    observer = cluster.other(victim)
    until(lambda: [a for a in cluster.acks()[before:] if a[1] != victim],
          lambda: f"no node takes over: {cluster.tail(observer)}", 180)
    assert cluster.fencings(victim, observer, "success")
    cluster.bring_back(victim)
    cluster.assert_nothing_lost(cluster.until_up())
    assert AGENT_LOG
