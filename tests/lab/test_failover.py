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

import resource_agent as ra
from failover import DISK, FENCED, LUNS, MOUNT, SHARED, SYSLOG, Failover
from pacemaker import WAIT, stage_with_service, until
from watch import Watch

MOVES = int(os.environ.get("BLKPR_MOVES", "3"))
FAILOVERS = int(os.environ.get("BLKPR_FAILOVERS", "3"))
SHAPES = ["managed", "own"]


def only(shape):
    """A test that ./check runs on one shape, and the long run (BLKPR_CLUSTERS=all) on both."""
    return on(SHAPES if os.environ.get("BLKPR_CLUSTERS") == "all" else [shape])


def on(shapes):
    return pytest.mark.parametrize("cluster_of_run", shapes, indirect=True, scope="module")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    return stage_with_service(os.environ["BLKPR_STAGE"], tmp_path_factory.mktemp("stage") / "root")


@pytest.fixture(scope="module", params=SHAPES)
def cluster_of_run(request, labs, stage):
    cluster = Failover(labs(kernel="7", nodes=3, luns=LUNS, hang_luns=[], cluster="pacemaker", stage=stage,
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
        how, began = ("off", "cut")[(i + cluster.managed) % 2], time.monotonic()
        survivor = cluster.fail(victim, how)
        took[how].append(time.monotonic() - began)
        assert cluster.agent.registered()[FENCED].keys() == set(cluster.lab.nodes) - {victim}
        assert victim not in {node for node, key in ra.KEYS.items()
                              if hex(key) in {k for k, _ in cluster.lab.keys(DISK)}}
        # the log names who is evicted; one that is cut off may have stopped, and left no key
        if how == "off" and not cluster.managed:
            said = "".join(cluster.admin(f"grep 'reservation.*will be evicted' {SYSLOG} || :", n)
                           for n in cluster.lab.nodes if n != victim)
            assert f"({victim}) is registered, and will be evicted" in said, said
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


@on(["own"])        # on disks of fence_blkpr every node that was unfenced may write
def test_rogue_mount_cannot_write(cluster):
    """A node that mounts by hand what another one's service uses; under fence_blkpr all members may write."""
    rogue = cluster.other(cluster.where("service", "n1")[0])
    result = cluster.lab.exec(rogue, f"mount -t ext4 {cluster.device} {MOUNT} && echo rogue >{MOUNT}/ledger && sync")
    cluster.lab.exec(rogue, f"umount -l {MOUNT}")
    assert result.rc, result
    cluster.assert_nothing_lost(cluster.where("service", "n1")[0])


@only("own")
def test_agent_killed_while_it_works(cluster):
    """kill -9 of the resource agent, at whatever it is; the cluster converges, and nothing is lost."""
    brought_back = set()

    def kill():
        """Wherever the service is, or was to be, just now."""
        node = next((n for by in cluster.lab.nodes for n in cluster.where("disk", by)), None)
        return node and cluster.lab.exec(node, "timeout 20 sh -c 'until pkill -9 -x reservation; do :; done'").rc == 0

    def up():
        """A stop that was killed has failed, and its node is fenced."""
        for node in set(cluster.lab.nodes) - set(cluster.agent.registered()[FENCED]) - brought_back:
            cluster.bring_back(node)
            brought_back.add(node)
        return cluster.up() or cluster.tell_again()

    for _ in range(3):
        until(kill, "the agent is never seen at work", 120)
    until(lambda: any(cluster.lab.exec(n, "pcs resource cleanup").rc == 0 for n in cluster.lab.nodes), "no node cleans up")
    cluster.assert_nothing_lost(until(up, lambda: f"it does not converge: {cluster.admin('crm_mon -1rf')}", 180))


@only("own")
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


# ---------------------------------------------------------------- a promotable clone

@pytest.fixture
def clone(cluster):
    """On a disk of its own, on all three nodes."""
    cluster.admin(f"pcs resource create shared ocf:blkpr:reservation devices={cluster.agent.device(SHARED)} "
                  "reservation_type=WRITE_EXCLUSIVE op monitor interval=3s role=Promoted "
                  f"op monitor interval=4s role=Unpromoted promotable {WAIT}")
    yield cluster
    cluster.until_up()
    cluster.admin("pcs resource delete shared --force", seconds=180)


def promoted(cluster, by="n1"):
    status = cluster.status(by)
    return [] if status is None else [n.get("name") for r in status.iterfind("resources//resource")
                                      if r.get("id").split(":")[0] == "shared" and r.get("role") in ("Promoted", "Master")
                                      for n in r.iterfind("node")]


def registered(cluster):
    keys = {int(key, 16) for key, _ in cluster.lab.keys(SHARED)}
    return sorted(node for node, key in ra.KEYS.items() if key in keys)


def may_write(cluster, node):
    return cluster.lab.exec(node, f"dd if=/dev/zero of={cluster.agent.device(SHARED)} bs=4k count=1 oflag=direct").rc == 0


@on(["own"])        # the same on both
def test_promotable_clone_has_one_writer_at_any_time(clone):
    """All are registered, one holds; when it is cut off another one does, and the first cannot write any more."""
    nodes = clone.lab.nodes
    until(lambda: len(promoted(clone)) == 1 and registered(clone) == nodes,
          lambda: f"{promoted(clone)} {registered(clone)} {clone.admin('crm_mon -1rf')}")
    victim = promoted(clone)[0]
    assert [node for node in nodes if may_write(clone, node)] == [victim]
    observer = clone.other(victim)
    clone.lab.cut(victim, "ring")
    until(lambda: promoted(clone, observer) not in ([], [victim]),
          lambda: f"nobody is promoted: {clone.admin('crm_mon -1rf', observer)}", 120)
    survivor = promoted(clone, observer)[0]
    assert victim not in registered(clone)
    assert [node for node in nodes if may_write(clone, node)] == [survivor]
    clone.bring_back(victim)
    clone.until_up()
    until(lambda: registered(clone) == nodes, lambda: f"{registered(clone)} {clone.admin('crm_mon -1rf')}")
    assert promoted(clone) == [survivor]


# ---------------------------------------------------------------- Pacemaker's own tools

RECORDS = "cat /run/fence_blkpr/resource-*"


def by_hand(cluster, node, action, name):
    """What an administrator types at night."""
    return cluster.lab.exec(node, f"crm_resource --force-{action} --resource {name}")


@on(["own"])
def test_clone_by_hand_evicts_nobody(clone):
    """By its name or its clone's: what is looked at does not change, and a promoted instance elsewhere stays."""
    until(lambda: len(promoted(clone)) == 1 and registered(clone) == clone.lab.nodes, "not promoted")
    active = promoted(clone)[0]
    idle = clone.other(active)

    def state():
        return (sorted(clone.lab.keys(SHARED)), clone.lab.holder(SHARED), clone.admin(RECORDS, active), clone.admin(RECORDS, idle))

    before = state()
    for name in ("shared", "shared-clone"):
        assert by_hand(clone, active, "check", name).rc == ra.PROMOTED
        assert by_hand(clone, idle, "check", name).rc == ra.SUCCESS
        assert state() == before
        result = by_hand(clone, idle, "promote", f"{name} --force")
        assert result.rc == ra.GENERIC and f"({active})" in result.stdout + result.stderr, result
        assert by_hand(clone, idle, "start", f"{name} --force").rc == ra.SUCCESS
        assert state()[:2] == before[:2]
    clone.admin("pcs resource unmanage shared")
    try:
        assert by_hand(clone, idle, "stop", "shared").rc == ra.SUCCESS
        assert registered(clone) == [n for n in clone.lab.nodes if n != idle]
        assert by_hand(clone, idle, "check", "shared-clone").rc == ra.NOT_RUNNING
        assert by_hand(clone, idle, "start", "shared").rc == ra.SUCCESS
        assert registered(clone) == clone.lab.nodes and clone.lab.holder(SHARED)["holder"] == before[1]["holder"]
    finally:
        clone.admin("pcs resource manage shared")
    assert promoted(clone) == [active]


@on(["own"])
def test_primitive_by_hand_evicts_nobody(cluster):
    node = cluster.where("service", "n1")[0]
    idle = cluster.other(node)
    before = sorted(cluster.lab.keys(DISK)), cluster.lab.holder(DISK)
    assert by_hand(cluster, node, "check", "disk").rc == ra.SUCCESS
    assert by_hand(cluster, idle, "check", "disk").rc == ra.NOT_RUNNING
    for name in ("disk", "disk other_registrants=evict"):
        result = by_hand(cluster, idle, "start", name)
        assert result.rc == ra.GENERIC, result
        assert f"held by {ra.KEYS[node]:#x} ({node})" in result.stdout + result.stderr, result
    assert (sorted(cluster.lab.keys(DISK)), cluster.lab.holder(DISK)) == before
    assert by_hand(cluster, idle, "stop", "disk").rc == ra.SUCCESS
    assert by_hand(cluster, idle, "check", "disk").rc == ra.NOT_RUNNING
    assert (sorted(cluster.lab.keys(DISK)), cluster.lab.holder(DISK)) == before
    cluster.until_acknowledged(node, len(cluster.acks()))
    assert cluster.where("service", "n1") == [node]


@only("managed")
def test_pacemakers_tools_drive_the_agent(cluster):
    node = cluster.where("service", "n1")[0]
    idle = cluster.other(node)
    assert "Persistent reservation on the disks of a service" in cluster.admin("pcs resource describe ocf:blkpr:reservation")
    assert "required_devices" in cluster.admin("crm_resource --show-metadata ocf:blkpr:reservation")
    assert "ocf:blkpr:reservation" in cluster.admin("pcs resource list ocf:blkpr")
    cluster.admin("crm_resource --validate --resource disk", node)
    wrong = cluster.lab.exec(node, "crm_resource --validate --class ocf --agent reservation --provider blkpr --option key=0")
    assert wrong.rc and "0 is no key" in wrong.stdout + wrong.stderr, wrong
    cluster.admin("crm_resource --force-check --resource disk", node)
    assert cluster.lab.exec(idle, "crm_resource --force-check --resource disk").rc == ra.NOT_RUNNING
    cluster.admin(f"pcs resource disable web {WAIT}")
    for action in ("start", "check", "stop"):
        cluster.admin(f"crm_resource --force-{action} --resource disk", idle)
    assert cluster.lab.exec(idle, "crm_resource --force-check --resource disk").rc == ra.NOT_RUNNING
    cluster.admin(f"pcs resource enable web {WAIT}")
    cluster.assert_nothing_lost(cluster.until_up())


@only("managed")
def test_parameter_that_can_change_restarts_nothing(cluster):
    node = cluster.where("service", "n1")[0]
    writer, log = cluster.admin("cat /run/ledger.group", node), cluster.log_lines(node)
    cluster.admin("crm_resource --resource disk --set-parameter max_parallel --parameter-value 32")
    until(lambda: [line for line in cluster.log_since(node, log) if "reload-agent" in line and "disk" in line],
          lambda: f"no reload-agent: {cluster.tail(node)}")
    cluster.until_acknowledged(node, len(cluster.acks()))
    assert cluster.where("service", "n1") == [node] and cluster.admin("cat /run/ledger.group", node) == writer


@only("managed")
def test_split_cluster_runs_the_service_once(cluster):
    """One node against two, the one with the service alone: it may write until it is fenced, and not after."""
    active = cluster.where("service", "n1")[0]
    survivor = cluster.fail(active, "cut")
    before = len(cluster.acks())
    cluster.until_acknowledged(survivor, before)
    assert {node for _, node in cluster.acks()[before:]} == {survivor}
    cluster.bring_back(active)
    cluster.assert_nothing_lost(cluster.until_up())
