# SPDX-License-Identifier: GPL-2.0-or-later
"""Fencing by real corosync and Pacemaker clusters: driven by what an administrator types, and judged by the cluster's
own view (crm_mon, stonith_admin --history, the CIB) and by what the target says, which must agree."""

import collections
import os
import random
import time

import pytest

from kinds import kinds
from lab_host import patience
from pacemaker import Cluster, stage_with_service, until

LUNS = 4
SPLITS = int(os.environ.get("BLKPR_SPLITS", "20"))
KILLS = int(os.environ.get("BLKPR_CLUSTER_KILLS", "3"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    return stage_with_service(os.environ["BLKPR_STAGE"], tmp_path_factory.mktemp("stage") / "root")


def cluster_of(labs, stage, kernel, nodes, paths=1):
    return Cluster(labs(kernel=kernel, nodes=nodes, luns=LUNS, paths=paths, cluster="pacemaker", stage=stage,
                        shuffle=True))


# a cluster of 6.1 nodes takes minutes on a busy machine; ./check leaves it to the long run (BLKPR_CLUSTERS=all)
CLUSTERS = ["7-multipath"] + ["6.1-plain"] * (os.environ.get("BLKPR_CLUSTERS") == "all")


@pytest.fixture(scope="module", params=CLUSTERS)
def started(request, labs, stage):
    """Three nodes, fresh; what runs while they cannot be unfenced, and then the whole cluster."""
    kernel, _, disks = request.param.partition("-")
    cluster = cluster_of(labs, stage, kernel, 3, 2 if disks == "multipath" else 1)
    cluster.create_service()
    cluster.admin("pcs resource create everywhere ocf:pacemaker:Dummy clone")
    cluster.lab.hang(LUNS - 1)
    cluster.create_fencing(power_timeout=8)
    until(lambda: any(e["status"] == "failed" for n in cluster.lab.nodes for e in cluster.history(n, "n1")),
          lambda: f"no unfencing fails: {[cluster.history(n, 'n1') for n in cluster.lab.nodes]}")
    cluster.ran_too_early = cluster.where("service", "n1") + cluster.where("everywhere", "n1")
    cluster.done_too_early = [e for n in cluster.lab.nodes for e in cluster.history(n, "n1")
                              if e["status"] == "success"]
    cluster.lab.resume()
    cluster.until_well()
    return cluster


@pytest.fixture
def three(started):
    started.make_whole()
    return started


@pytest.fixture(scope="module")
def pair_of_run(labs, stage):
    cluster = cluster_of(labs, stage, "7", 2)
    cluster.create_service()
    cluster.create_fencing(power_timeout=8)
    cluster.until_well()
    return cluster


@pytest.fixture
def pair(pair_of_run):
    pair_of_run.make_whole()
    return pair_of_run


@pytest.fixture(scope="module")
def trio_of_run(labs, stage):
    cluster = cluster_of(labs, stage, "7", 3)
    cluster.create_service()
    cluster.create_fencing(power_timeout=8)
    cluster.until_well()
    return cluster


@pytest.fixture
def trio(trio_of_run):
    trio_of_run.make_whole()
    return trio_of_run


def assert_nothing_lands(cluster, victim, survivor, since):
    """While the survivor writes on every disk, the victim's numbers stay what they were."""
    cluster.until_writing("service", survivor)
    now = cluster.numbers()
    for kind in ("service", "stray"):
        assert cluster.written(kind, victim, now) == cluster.written(kind, victim, since), (victim, kind)
    assert [disk["seqio"] for disk in now] == [disk["seqio"] for disk in since]


# ---------------------------------------------------------------- 1: start

def test_pcs_recognises_unfencing_and_needs_no_host_list(three):
    device = three.ask("n2", "cibadmin -Q --xpath \"//primitive[@id='fence-disks']\"")
    parameters = {p.get("name"): p.get("value") for p in device.iter("nvpair")}
    assert parameters["provides"] == "unfencing"
    assert not [name for name in parameters if name.startswith("pcmk_")]


def test_no_resource_runs_before_its_node_is_unfenced(started):
    """One disk hung while the cluster came up, until the first unfencing had failed: none was done, and nothing ran."""
    assert started.done_too_early == []
    assert started.ran_too_early == []


def test_every_node_is_unfenced_and_runs_resources(three):
    nodes = three.lab.nodes
    assert three.unfenced(*nodes)
    until(lambda: sorted(three.where("everywhere", "n1")) == nodes, "the clone does not run on every node")
    service = three.where("service", "n1")[0]
    key = three.key(service)
    assert all(key in disk["keys"] for disk in three.found_at_start(service))
    three.until_writing("service", service)


def test_monitor_runs_green_at_intervals(three):
    node = three.where("fence-disks", "n1")[0]
    _, lines = three.monitors(node)
    until(lambda: three.monitors(node, lines)[0] >= 3, lambda: f"no three good monitors: {three.tail(node)}", 30)
    assert (node, "fence-disks", "monitor", 0, "2000ms") in three.operations("n1")
    failed = three.status("n1").findall("failures/failure")
    assert not [f.attrib for f in failed if f.get("op_key", "").startswith("fence-disks")]


# ---------------------------------------------------------------- 2: partition of one node

def test_partitioned_node_is_evicted_and_its_service_moves(three, record_property):
    victim = three.where("service", "n1")[0]
    observer = three.other(victim)
    three.agent.write(victim)
    three.start_strays(victim)
    three.until_writing("stray", victim)
    survivors = [n for n in three.lab.nodes if n != victim]
    before = three.numbers()
    began = time.monotonic()
    three.lab.cut(victim, "ring")
    survivor = until(lambda: next((n for n in survivors
                                   if three.written("service", n) > three.written("service", n, before)), None),
                     lambda: f"no survivor writes: {three.history(victim, observer)}", 120)
    to_service = time.monotonic() - began
    assert three.unfenced(*survivors)
    delegate = three.until_fenced(victim, observer)[0]["delegate"]
    found = three.found_at_start(survivor)
    assert all(three.key(victim) not in disk["keys"] for disk in found)
    assert_nothing_lands(three, victim, survivor, found)
    assert until(lambda: three.where("service", observer) == [survivor], "the cluster does not say that it runs")
    until(lambda: all(refused > 5 for refused, _ in three.agent.refusals(victim)), "the victim does not try to write")
    fencer, disks = three.agents_share(victim, delegate)
    for name, value in (("partition_to_service", to_service), ("agent_as_the_fencer_sees_it", fencer),
                        ("agent_on_the_disks", disks)):
        record_property(name, f"{value:.3f}")
        print(f"{name}: {value:.3f} s")


def test_fenced_member_is_not_unfenced(three):
    """A cluster may unfence a node that it has just fenced, if that is a member still since its controller hangs (here it is
    asked to). But what the node ran runs on. A controller that goes on may not pass for one that the cluster has taken back."""
    coordinator = three.admin("crmadmin -D -q").split()[-1]
    service = three.where("service", coordinator)[0]
    victim = three.other(coordinator, service)
    three.start_strays(victim)
    three.until_writing("stray", victim)
    refused = three.refusals_to_unfence(victim)
    three.admin("pkill -STOP -x pacemaker-contr", victim)
    three.admin(f"stonith_admin --fence {victim}", coordinator)
    since = three.numbers()
    assert three.lab.exec(coordinator, f"stonith_admin --unfence {victim}", timeout=patience(120)).rc
    assert three.refusals_to_unfence(victim) > refused, three.tail(victim)
    assert three.evicted(victim)
    assert_nothing_lands(three, victim, service, since)
    refused = three.refusals_to_unfence(victim)
    unfencing = three.lab.start(coordinator, f"stonith_admin --unfence {victim}", timeout=patience(120))
    until(lambda: three.lab.exec(victim, "pgrep -x crmadmin").rc == 0, "the agent does not ask the controller")
    three.admin("pkill -CONT -x pacemaker-contr", victim)
    until(lambda: three.refusals_to_unfence(victim) > refused,
          lambda: f"{victim}'s agent does not refuse to unfence it: {three.tail(victim)}")
    assert three.evicted(victim)
    three.lab.exec(victim, "pkill -9 -f '[s]eqwriter stray'")
    three.restart(victim)
    assert unfencing.wait().rc
    three.until_well()


# ---------------------------------------------------------------- 4: the victim comes back

def test_victim_whose_ring_is_mended_is_unfenced_on_request(three):
    """Its controller has never ended, and the cluster has taken it back with what it runs."""
    victim = three.other(three.where("service", "n1")[0])
    observer = three.other(victim)
    three.lab.cut(victim, "ring")
    three.until_fenced(victim, observer)
    three.lab.heal(victim)
    until(lambda: three.members(observer) == three.lab.nodes, f"{victim} is no member again")
    three.admin(f"stonith_admin --unfence {victim}", observer)
    three.until_well()


def test_rebooted_victim_is_unfenced_again_and_may_run_resources(three):
    victim = three.other(three.where("service", "n1")[0])
    observer = three.other(victim)
    three.lab.cut(victim, "ring")
    three.until_fenced(victim, observer)
    three.lab.kill(victim)
    three.lab.heal(victim)
    three.lab.boot(victim)
    three.until_well()
    # Pacemaker may have asked before the victim's fencer had heard of the device (tell_again())
    assert "success" in [e["status"] for e in three.history(victim, observer) if e["action"] == "on"]
    until(lambda: victim in three.where("everywhere", observer), f"nothing runs on {victim}")
    three.admin(f"pcs resource move service {victim}", observer)
    until(lambda: three.where("service", observer) == [victim], f"the service does not move to {victim}")
    three.until_writing("service", victim)
    assert all(three.key(victim) in disk["keys"] for disk in three.found_at_start(victim))


# ---------------------------------------------------------------- 6: what a recurring monitor notices

def evict_here(cluster, node, third, disk):
    """This node's own key is gone from one disk."""
    cluster.lab.pr_out(third, f"--preempt-abort --param-rk={cluster.key(third)} --param-sark={cluster.key(node)} "
                              "--prout-type=5", "/dev/lun1")
    return [f"this node's key {cluster.key(node)} ({node}) is not registered: this node was evicted",
            "stonith_admin --unfence"], lambda: cluster.unfence(node)


def release(cluster, node, third, disk):
    """The reservation is gone; everybody is registered."""
    cluster.release(1)
    return ["nobody holds a reservation", "unfence a node again (fence_blkpr -o on)"], lambda: cluster.unfence(node)


def reserve_otherwise(cluster, node, third, disk):
    """Somebody has made a reservation of another type."""
    cluster.release(1)
    cluster.lab.pr_out(third, f"--reserve --prout-type=6 --param-rk={cluster.key(third)}", "/dev/lun1")
    return [f"a reservation of type EXCLUSIVE_ACCESS_REG_ONLY is held by {cluster.key(third)} ({third}), "
            "not WRITE_EXCLUSIVE_REG_ONLY", "release it"], lambda: (cluster.release(1, 6), cluster.unfence(node))


def lose_disk(cluster, node, third, disk):
    """The disk is not on this node any more."""
    until(lambda: cluster.lab.detach(node, 1) is None, "the disk is in use")
    return ["not there any more, and nobody has taken it away on purpose", "reconnect it"], lambda: cluster.lab.attach(node, 1)


def register_unknown_key(cluster, node, third, disk):
    """A node was unfenced by hand, with other parameters than the cluster's."""
    assert cluster.agent(third, "on", devices=disk, key_value="hash").rc == 0
    return ["is registered and belongs to no cluster node", f"what {third} has with key_value=hash",
            "find its owner"], lambda: cluster.unfence(third)


def share_key(cluster, node, third, disk):
    """Another node has this node's key. It looks as if both shared a nexus, so `on` leaves it to a person (S10)."""
    paths = ("/dev/lun1", "/dev/lun1-b")
    for path in paths:
        cluster.lab.pr_out(third, f"--register-ignore --param-sark={cluster.key(node)}", path)

    def mend():
        for path in paths:
            cluster.lab.pr_out(third, f"--register --param-rk={cluster.key(node)} --param-sark=0", path)
        cluster.unfence(third)
    return [f"this node's key {cluster.key(node)} ({node}) is registered by another initiator too",
            "give every node a key of its own"], mend


def unregister_path(cluster, node, third, disk, holder="/dev/lun1"):
    """A path came after the node was unfenced."""
    cluster.release(1)
    cluster.lab.pr_out(node, f"--reserve --prout-type=5 --param-rk={cluster.key(node)}", holder)
    cluster.lab.pr_out(node, f"--register --param-rk={cluster.key(node)} --param-sark=0", "/dev/lun1-b")
    return ["this node's key is registered on 1 of 2 paths", "node again (fence_blkpr -o on)"], lambda: cluster.unfence(node)


def unregister_holders_path(cluster, node, third, disk):
    """The path that has gone was the holder's."""
    words, mend = unregister_path(cluster, node, third, disk, "/dev/lun1-b")
    return [words[0], "nobody holds a reservation", words[1]], mend


# what a monitor says of most of them test_actions.py shows, too
@pytest.mark.parametrize("fault", kinds([evict_here, release, reserve_otherwise, lose_disk, register_unknown_key, share_key,
                                         unregister_path, unregister_holders_path],
                                        [evict_here, unregister_path]))
def test_recurring_monitor_says_what_is_wrong_and_its_remedy_works(three, fault):
    node = three.where("fence-disks", "n1")[0]
    if three.where("service", "n1") == [node]:
        three.admin(f"pcs resource move service {three.other(node)}")
        three.until_well()
    third = three.other(node, three.where("service", "n1")[0])
    log = three.log_lines(node)
    words, mend = fault(three, node, third, three.agent.device(1))
    try:
        until(lambda: [f for f in three.failures(node) if f["node"] == node],
              lambda: f"crm_mon on {node} shows no failed monitor: {three.tail(node)}")
        said = until(lambda: [line for line in three.log_since(node, log) if "fence_blkpr" in line and words[0] in line],
                     lambda: f"{node} does not say '{words[0]}': {three.tail(node)}")
        assert all(word in said[0] for word in [three.agent.device(1), *words]), said[0]
    finally:
        mend()
    three.agent_works(node)
    three.admin("pcs stonith cleanup fence-disks")
    assert three.until_well()
    assert not three.failures("n1")


# ---------------------------------------------------------------- 3: two nodes, split down the middle

def split(cluster, cut):
    """Cut the ring; returns winner and loser, judged by the target, and what both sides and the disks say of it."""
    for node in cut:
        cluster.lab.cut(node, "ring")
    registered = until(lambda: next((r for r in [cluster.registered()]
                                     if all(len(disk) == 1 for disk in r)), None),
                       lambda: f"no winner: {cluster.registered()}, {cluster.history('n1', 'n2')}, "
                               f"{cluster.history('n2', 'n1')}")
    winners = {node for disk in registered for node in disk}
    assert len(winners) == 1, f"both have won some disks: {registered}"
    winner = winners.pop()
    return winner, "n2" if winner == "n1" else "n1"


def assert_one_survivor(cluster, winner, loser):
    """What holds once the race is over, although the loser keeps trying."""
    cluster.until_fenced(loser, winner)
    until(lambda: cluster.where("service", winner) == [winner], lambda: f"the service does not run: {cluster.tail(winner)}")
    cluster.until_fencing_failed(winner, loser)
    assert winner in cluster.unclean(loser)
    before = cluster.numbers()
    for kind in ("service", "stray"):
        cluster.until_writing(kind, winner)
    now = cluster.numbers()
    for kind in ("service", "stray"):
        assert cluster.written(kind, loser, now) == cluster.written(kind, loser, before), (loser, kind)
    assert cluster.unfenced(winner)


def test_split_pair_has_one_survivor(pair, record_property):
    won, kept = collections.Counter(), 0
    spent = collections.Counter()
    for i in range(SPLITS):
        service = pair.where("service", "n1")[0]
        for node in pair.lab.nodes:
            pair.start_strays(node)
        for node in pair.lab.nodes:
            pair.until_writing("stray", node)
        clock = Stopwatch(spent)
        winner, loser = split(pair, [["n1", "n2"], ["n1"], ["n2"]][i % 3])
        clock.lap("split to eviction")
        assert_one_survivor(pair, winner, loser)
        clock.lap("judging")
        won[winner] += 1
        kept += winner == service
        pair.make_whole()
        clock.lap("whole again")
    print(f"{SPLITS} splits: won {dict(won)}, by the node with the service {kept}; seconds a round "
          + ", ".join(f"{what} {seconds / SPLITS:.1f}" for what, seconds in spent.items()))
    record_property("winners", dict(won))


class Stopwatch:
    def __init__(self, laps):
        self.laps = laps
        self.last = time.monotonic()

    def lap(self, name):
        now = time.monotonic()
        self.laps[name] += now - self.last
        self.last = now


# ---------------------------------------------------------------- 5: failures while fencing

@pytest.mark.parametrize("process", kinds(["pacemaker-fence", "fence_blkpr"], ["fence_blkpr"]))
def test_kill_while_fencing_converges(trio, process):
    """The victim's arbiter key cannot go while the disk hangs, so nobody may say that it has; then all goes well."""
    victim = trio.other(trio.where("fence-disks", "n1")[0])
    survivors = [n for n in trio.lab.nodes if n != victim]
    trio.lab.hang(0)
    trio.lab.cut(victim, "ring")
    seen = set()
    for _ in range(KILLS):
        node = until(lambda: next((n for n in survivors if trio.fencings(victim, n, "pending")
                                   and {(n, pid) for pid in trio.agents(n)} - seen), None),
                     lambda: f"no agent runs to fence {victim}: {trio.history(victim, survivors[0])}", 120)
        seen |= {(node, pid) for pid in trio.agents(node)}
        assert trio.kill_process(node, process)
        for by in survivors:
            assert not trio.fencings(victim, by, "success")
        assert victim in trio.registered()[0]
    trio.lab.resume()
    trio.until_fenced(victim, random.choice(survivors), 180)
    assert trio.unfenced(*survivors)
    service = until(lambda: trio.where("service", survivors[0]), "the service does not run")[0]
    assert service in survivors
    trio.until_writing("service", service)


def test_killed_corosync_gets_its_node_evicted(trio):
    """The node has no cluster any more; what it ran goes on writing, and is kept out."""
    victim = trio.where("service", "n1")[0]
    survivors = [n for n in trio.lab.nodes if n != victim]
    trio.start_strays(victim)
    trio.until_writing("stray", victim)
    assert trio.kill_process(victim, "corosync")
    trio.until_fenced(victim, survivors[0])
    assert trio.unfenced(*survivors)
    survivor = until(lambda: trio.where("service", survivors[0]), "the service does not run")[0]
    assert survivor in survivors
    assert_nothing_lands(trio, victim, survivor, trio.found_at_start(survivor))


def test_fencing_node_without_storage_hands_over(trio):
    """The node that would fence has lost its disks: another one does it."""
    fencer = trio.where("fence-disks", "n1")[0]
    victim = trio.other(fencer)
    third = trio.other(fencer, victim)
    trio.lab.cut(fencer, "san")
    trio.lab.cut(victim, "ring")
    done = trio.until_fenced(victim, third, 180)
    assert done[0]["delegate"] == third
    trio.lab.heal(fencer, "san")
    until(lambda: trio.unfenced(fencer, third), lambda: f"{trio.registered()}")
    trio.agent_works(fencer)


def test_last_node_without_storage_reports_failure(pair):
    """Nobody is left who could fence: the cluster is told so, runs nothing, and converges when the disks are back."""
    victim = pair.where("service", "n1")[0]
    last = pair.other(victim)
    pair.lab.cut(last, "san")
    pair.lab.kill(victim)
    pair.until_fencing_failed(victim, last, 120)
    assert all(victim in disk for disk in pair.registered())
    assert pair.where("service", last) != [last]
    pair.lab.heal(last, "san")
    pair.until_fenced(victim, last, 180)
    assert pair.unfenced(last)
    until(lambda: pair.where("service", last) == [last], "the service does not start")
    pair.until_writing("service", last)
