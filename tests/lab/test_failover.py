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
from failover import DISK, FENCED, MOUNT, Failover
from pacemaker import stage_with_service, until
from watch import Watch

MOVES = int(os.environ.get("BLKPR_MOVES", "3"))
FAILOVERS = int(os.environ.get("BLKPR_FAILOVERS", "3"))


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
