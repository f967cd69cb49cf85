# SPDX-License-Identifier: GPL-2.0-or-later
"""A Pacemaker cluster whose shared disks are NVMe namespaces: two nodes that are unfenced, failed over and split, set up as an
administrator does it. Its service is tests/lab's: a ledger on a file system on a disk with a reservation of its own."""

import json
import os

import pytest

from failover import DISK, FENCED, LUNS, Failover
from nvme_agent import NvmeAgent
from lab_host import patience
from pacemaker import until
from test_failover import stage         # noqa: F401 (a fixture)

SPLITS = int(os.environ.get("BLKPR_SPLITS", "2"))


class NvmeFailover(Failover):
    """As Failover, with a disk of its own for the fencing; QEMU takes several times as long."""

    POWER_TIMEOUT = 30
    FENCING_OPERATIONS = f"op monitor interval=30s timeout={patience(60):.0f}s op start timeout={patience(60):.0f}s"
    OPERATIONS = dict.fromkeys(("disk", "fs", "service"), f"op monitor interval=20s timeout={patience(60):.0f}s op start "
                               f"timeout={patience(60):.0f}s op stop timeout={patience(60):.0f}s")

    def __init__(self, vm):
        super().__init__(vm, managed=False, agent=NvmeAgent(vm))

    def can_write(self, node):
        """{LUN: whether a node can write there}; the last block, which nothing else uses."""
        size = self.lab.config["lun_size"] << 20
        return {lun: self.lab.exec(node, f"dd if=/dev/zero of={self.agent.device(lun)} bs=4k count=1 oflag=direct "
                                         f"seek={size // 4096 - 1}").rc == 0 for lun in (FENCED, DISK)}


@pytest.fixture(scope="module")
def cluster_of_run(vms, stage):         # noqa: F811
    cluster = NvmeFailover(vms(nodes=2, luns=LUNS, lun_size=64, memory=512, cluster="pacemaker", stage=stage))
    cluster.create()
    return cluster


@pytest.fixture
def cluster(cluster_of_run):
    cluster_of_run.until_up(240)
    cluster_of_run.forget_history()
    return cluster_of_run


def pause(cluster, since, victim, survivor):
    """Seconds between the victim's last number and the survivor's first one, of those acknowledged since that many; no number of
    the victim's may be above it."""
    acks = cluster.timed_acks()
    first, began = next((number, when) for number, node, when in acks[since:] if node == survivor)
    mine = [(number, when) for number, node, when in acks if node == victim]
    assert max(number for number, _ in mine) < first
    return began - max(when for _, when in mine if when < began)


def write_on_fenced_disk(cluster, node):
    """What no cluster knows and nothing stops."""
    cluster.agent.write(node, luns=[FENCED])
    cluster.agent.wait_written(node, luns=[FENCED])


def until_refused(cluster, node):
    """Until a node tries to write, and cannot."""
    until(lambda: all(refused > 2 for refused, _ in cluster.agent.refusals(node, luns=[FENCED])), f"{node} is not refused")


def bring_back(cluster, victim):
    cluster.bring_back(victim)
    cluster.assert_nothing_lost(cluster.until_up(240))


def test_node_that_joins_is_unfenced(cluster):
    """Its key is gone with its fencing, and nothing but the cluster's `on` brings it back."""
    victim = cluster.other(cluster.where("service", "n1")[0])
    survivor = cluster.other(victim)
    assert cluster.registered_for_fencing() == [{"n1": 1, "n2": 1}]
    assert cluster.lab.holder(FENCED)["type"] == "Write Exclusive Access, Registrants Only"
    cluster.lab.kill(victim)
    cluster.until_fenced(victim, survivor)
    assert cluster.registered_for_fencing() == [{survivor: 1}]
    bring_back(cluster, victim)
    assert cluster.registered_for_fencing() == [{"n1": 1, "n2": 1}]
    # after `off`, and unlike it: whoever asked
    assert [e["action"] for e in cluster.history(victim, survivor) if e["status"] == "success" and e["action"] == "on"]


@pytest.mark.parametrize("how", ["off", "hang"])
def test_failover_loses_no_write_and_lets_none_come_late(cluster, how, record_property):
    """The active node crashes, or stands still with all that it was about to write and goes on after its fencing."""
    victim = cluster.where("service", "n1")[0]
    write_on_fenced_disk(cluster, victim)
    before = len(cluster.acks())
    survivor = cluster.fail(victim, how)
    cluster.until_fenced(victim, survivor)
    landed = cluster.agent.landed(FENCED)
    assert cluster.registered_for_fencing() == [{survivor: 1}]
    if how == "hang":
        cluster.lab.thaw(victim)
        until_refused(cluster, victim)
        assert cluster.can_write(victim) == {FENCED: False, DISK: False}
    cluster.until_acknowledged(survivor, len(cluster.acks()))
    assert cluster.agent.landed(FENCED) == landed, "a write of the fenced node has landed"
    took = pause(cluster, before, victim, survivor)
    print(f"{how}: {took:.1f} s from the last number of {victim} to the first one of {survivor}")
    record_property(how, json.dumps(took))
    bring_back(cluster, victim)


def test_split_has_one_survivor(cluster):
    """Both halves have quorum (two_node) and reach the disks, and each fences the other: one is left, and the other one cannot
    write on any."""
    for _ in range(SPLITS):
        cluster.lab.cut("n2", "ring")
        found = until(lambda: len(cluster.registered_for_fencing()[0]) < 2 and cluster.registered_for_fencing()[0],
                      lambda: f"nobody is fenced: {cluster.tail('n1')} {cluster.tail('n2')}", 180)
        winner, = found
        loser = cluster.other(winner)
        cluster.until_fenced(loser, winner)
        until(lambda: cluster.where("service", winner) == [winner], lambda: f"no service: {cluster.tail(winner)}", 180)
        before = len(cluster.acks())
        cluster.until_acknowledged(winner, before)
        assert cluster.can_write(loser) == {FENCED: False, DISK: False}
        assert cluster.can_write(winner) == {FENCED: True, DISK: True}
        assert not cluster.fencings(winner, loser, "success")
        cluster.until_acknowledged(winner, len(cluster.acks()))
        assert {node for _, node in cluster.acks()[before:]} == {winner}
        assert cluster.registered_for_fencing() == [{winner: 1}]
        print(f"the survivor is {winner}")
        bring_back(cluster, loser)
        cluster.forget_history()
    cluster.check_file_system()
