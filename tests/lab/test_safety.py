# SPDX-License-Identifier: GPL-2.0-or-later
"""The safety properties S1 to S7 of doc/safety.md, on real kernels.

What a kernel's own ways matter for (BOTH) runs on 7 and 6.1, with multipath maps and with plain disks; the rest on one
shape. BLKPR_SHAPES=all: everything on all four.
"""

import collections
import errno
import math
import os
import random
import time

import pytest

from agent import KEYS, Agent, wait_for
from lab_host import SLOWNESS

LUNS = 8
# under load, in each of the four labs: 200 together; a node on 6.1 takes four times as long for each
FENCINGS = {"7": 85, "6": 15}           # BLKPR_FENCINGS: so many on the first of them, fewer on the other
RACES = int(os.environ.get("BLKPR_RACES", "100"))          # on each kernel with plain disks
KILLS = int(os.environ.get("BLKPR_KILLS", "10"))


SHAPES = ["7-multipath"]
both = pytest.mark.shapes("7-multipath", "6.1-plain")


@pytest.fixture
def agent(labs, shape):
    found = Agent(labs(**shape, nodes=2, luns=LUNS, shuffle=True))
    for node in found.lab.nodes:
        found.lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")
    yield found
    for node in found.lab.nodes:
        if found.lab.state(node) == "running":
            found.stop_writing(node)


# ---------------------------------------------------------------- S1: fenced means fenced

def fencings(kernel):
    most = FENCINGS["7"]
    return math.ceil(FENCINGS[kernel.split(".")[0]] * int(os.environ.get("BLKPR_FENCINGS", most)) / most)


def fence_a_writer(agent, count):
    """A writer that never stops: after `off` has returned, no number on any disk grows any more."""
    agent.unfence("n1", "n2")
    agent.write("n2")
    for _ in range(count):
        agent.unfence("n2")
        agent.wait_written("n1")
        result, numbers = agent.off_and_numbers("n1", "n2")
        assert result.rc == 0 and "Success: Powered OFF" in result.stdout, result
        wait_for(lambda: all(refused > 5 for refused, _ in agent.refusals("n2")))
        assert agent.numbers("n1") == numbers


@both
def test_no_write_lands_after_success(agent):
    fence_a_writer(agent, fencings(agent.lab.config["kernel"]))


def test_no_write_in_flight_lands_after_success(agent):
    """The same with 5 ms between target and initiators: commands are under way when the victim is preempted."""
    agent.lab.latency(5)
    try:
        agent.unfence("n1", "n2")
        agent.write("n2")
        for _ in range(5):
            agent.unfence("n2")
            agent.wait_written("n1")
            result, numbers = agent.off_and_numbers("n1", "n2")
            assert result.rc == 0, result
            wait_for(lambda: all(refused > 2 for refused, _ in agent.refusals("n2")))
            assert agent.numbers("n1") == numbers
    finally:
        agent.lab.latency(0)


@both
def test_evicted_node_is_refused_with_ebade(agent):
    agent.unfence("n1", "n2")
    agent.write("n2")
    agent.wait_written("n1")
    assert agent("n1", "off", plug="n2").rc == 0
    wait_for(lambda: all(refused for refused, _ in agent.refusals("n2")))
    # a multipath map reports what its last path said: the conflict, or that no path is left
    allowed = {errno.EBADE} if agent.paths == 1 else {errno.EBADE, errno.EIO}
    assert {error for _, error in agent.refusals("n2")} <= allowed


# ---------------------------------------------------------------- S2: eviction is final

@both
@pytest.mark.parametrize("action", ["off", "status", "monitor", "list-status"])
def test_evicted_node_is_refused_and_registers_nothing(agent, action):
    agent.unfence("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    result = agent("n2", action, plug="n1")
    assert result.rc == 1, result
    assert "not registered: this node was evicted" in result.stderr
    assert agent.registered() == agent.everywhere("n1")


def test_evicted_node_lists_and_registers_nothing(agent):
    agent.unfence("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    assert agent("n2", "list").stdout == "n1,\nn2,\n"
    assert agent.registered() == agent.everywhere("n1")


def test_node_that_was_never_unfenced_cannot_evict(agent):
    agent.unfence("n1")
    assert agent("n2", "off", plug="n1").rc == 1
    assert agent.registered() == agent.everywhere("n1")


def test_evicted_from_the_arbiter_only_touches_nothing(agent):
    """The arbiter alone decides: a node that has lost there leaves the other disks as they are."""
    agent.unfence("n1", "n2")
    agent.lab.pr_out("n1", f"--preempt-abort --param-rk={KEYS['n1']:#x} --param-sark={KEYS['n2']:#x} --prout-type=5",
                     "/dev/lun0")
    result = agent("n2", "off", plug="n1")
    assert result.rc == 1 and f"{LUNS - 1} other devices were not touched" in result.stderr, result
    assert agent.registered() == [{"n1": agent.paths}] + agent.everywhere("n1", "n2")[1:]


@both
def test_unfenced_node_can_write_again(agent):
    agent.unfence("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    agent.unfence("n2")
    agent.write("n2")
    agent.wait_written("n1")


# ---------------------------------------------------------------- S3: one winner

def race(agent, orders):
    """Both nodes fence each other; returns the winners and what is registered."""
    running = {}
    first = random.choice(["n1", "n2"])
    for node, victim in sorted({"n1": "n2", "n2": "n1"}.items(), key=lambda pair: pair[0] != first):
        running[node] = agent.start(node, "off", devices=agent.devices(orders[node]), plug=victim)
    results = {node: r.wait() for node, r in running.items()}
    return [node for node, result in results.items() if result.rc == 0], agent.registered(), results


def races_with_one_winner(agent, count):
    """Started together, with the devices named in every order: one wins, on all LUNs; the other's keys are gone."""
    won = collections.Counter()
    for i in range(count):
        agent.unfence("n1", "n2")
        orders = {node: sorted(range(LUNS), reverse=i >> shift & 1) for shift, node in enumerate(("n1", "n2"))}
        winners, registered, results = race(agent, orders)
        assert len(winners) == 1, (i, winners, results)
        assert registered == agent.everywhere(winners[0]), (i, winners, registered)
        won[winners[0]] += 1
    print(f"{count} races: {dict(won)}")
    if count >= 50:
        assert len(won) == 2, f"not a race: {won}"


@both
def test_races_have_one_winner_everywhere(agent):
    races_with_one_winner(agent, RACES if agent.paths == 1 else max(1, RACES // 4))


# ---------------------------------------------------------------- S4: proven, not assumed

def rename_cluster(agent, node, name):
    """A node on which the cluster has been renamed, and corosync started again."""
    agent.lab.exec(node, "pkill -x corosync; while pgrep -x corosync; do sleep 0.05; done; "
                         f"sed -i 's/cluster_name:.*/cluster_name: {name}/' /etc/corosync/corosync.conf; corosync; "
                         "until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done", check=True)


def release(agent, lun):
    """Somebody gives the reservation up; the registrations stay."""
    paths = [f"/dev/lun{lun}", f"/dev/lun{lun}-b"][:agent.paths]       # the holder is one nexus
    for node in agent.lab.nodes:
        for path in paths:
            agent.lab.pr_out(node, f"--release --param-rk={KEYS[node]:#x} --prout-type=5", path, check=False)
    assert agent.lab.holder(lun)["holder"] is None


def test_renamed_cluster_is_not_taken_for_off(agent):
    """The victim's key follows from another cluster name than the one it registered with."""
    agent.unfence("n1", "n2")
    rename_cluster(agent, "n1", "renamed")
    try:
        agent.unfence("n1")
        for action in ("off", "status"):
            result = agent("n1", action, plug="n2")
            assert result.rc == 1 and "Success" not in result.stdout, result
            assert f"{KEYS['n2']:#x} is registered and belongs to no cluster node" in result.stderr
        result = agent("n1", "off", plug="n2", unknown_keys="evict")
        assert (result.rc, result.stdout) == (0, "Success: Already OFF\n"), result
        assert agent.registrations() == LUNS * agent.paths
    finally:
        rename_cluster(agent, "n1", "mycluster")


def test_other_key_value_is_named(agent):
    agent.unfence("n1")
    agent.unfence("n2", key_value="id")
    result = agent("n1", "off", plug="n2")
    assert result.rc == 1 and "0x6c9d0001 (what n2 has with key_value=id)" in result.stderr, result


def test_unknown_key_is_allowed_on_request(agent):
    agent.unfence("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    agent.lab.exec("n2", f"fence_blkpr -o on -k dead -d {agent.devices()}; rm -rf /run/fence_blkpr", check=True)
    assert agent("n1", "status", plug="n2").rc == 1
    assert agent("n1", "status", plug="n2", unknown_keys="allow").rc == 2
    assert agent("n1", "off", plug="n2", unknown_keys="allow").stdout == "Success: Already OFF\n"


@both
def test_missing_reservation_is_restored_before_success(agent):
    agent.unfence("n1", "n2")
    release(agent, 3)
    assert agent("n1", "status", plug="n1").rc == 0      # registered, so ON
    result = agent("n1", "off", plug="n2", verbose=True)
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    assert "reservation made" in result.stderr
    assert agent.lab.holder(3)["type"] == "Write Exclusive Access, Registrants Only"


def test_status_without_reservation_is_not_off(agent):
    agent.unfence("n1")
    release(agent, 0)
    result = agent("n1", "status", plug="n2")
    assert result.rc == 1 and "nobody holds a reservation" in result.stderr, result


def test_device_where_this_node_is_not_registered_fails_after_the_others(agent):
    """A disk that a glob has picked up a minute ago: the others are fenced, and the failure names it."""
    agent.unfence("n1", devices=agent.devices(range(LUNS - 1)))
    agent.unfence("n2")
    result = agent("n1", "off", plug="n2")
    assert result.rc == 1 and f"{agent.device(LUNS - 1)}: this node's key" in result.stderr, result
    assert agent.registered() == agent.everywhere("n1")[:-1] + [{"n2": agent.paths}]


# ---------------------------------------------------------------- S5: bounded

@both
@pytest.mark.parametrize("hung", [LUNS - 1, 0], ids=["a-disk", "the-arbiter"])
def test_hung_disk_is_bounded_and_the_others_are_fenced(agent, hung):
    agent.unfence("n1", "n2")
    agent.lab.hang(hung)
    try:
        result = agent("n1", "off", plug="n2", power_timeout=6)
        assert result.rc == 1, result
        assert result.seconds < 6       # the verdict must arrive before whoever has the same limit ends the agent
        assert f"{agent.device(hung)}: no answer before the deadline" in result.stderr
        registered = agent.registered()
        del registered[hung]
        assert registered == agent.everywhere("n1")[1:]
        result = agent("n1", "status", plug="n2", power_timeout=2)
        assert result.rc == 1 and result.seconds < 3, result
    finally:
        agent.lab.resume(hung)
    wait_for(lambda: agent("n1", "off", plug="n2").rc == 0)


@both
@pytest.mark.parametrize("action", ["off", "status", "monitor", "on"])
def test_disk_that_is_not_ready_for_a_second_is_waited_for(agent, action):
    """A storage array that fails over: a CHECK CONDITION that looks like a unit attention, for longer than one."""
    agent.unfence("n1", "n2")
    seconds = math.ceil(SLOWNESS)           # half of it may pass before the agent looks
    unready = agent.lab.unready(LUNS - 1, seconds * 1000)
    result = agent("n1", action, **({} if action == "monitor" else {"plug": "n1" if action == "on" else "n2"}))
    assert unready.wait().rc == 0
    assert result.rc == 0 and seconds / 2 < result.seconds < 4 * seconds, result
    assert agent.registered() == agent.everywhere("n1", *["n2"] * (action != "off"))


@pytest.mark.parametrize("action", ["on", "monitor", "list-status"])
def test_every_action_is_bounded(agent, action):
    agent.unfence("n1")
    agent.lab.hang(0)
    try:
        result = agent("n1", action, power_timeout=2)
        assert result.rc == 1 and result.seconds < 3, result
    finally:
        agent.lab.resume(0)


def test_frozen_corosync_is_bounded(agent):
    agent.unfence("n1", "n2")
    agent.lab.exec("n1", "pkill -STOP -x corosync", check=True)
    try:
        result = agent("n1", "off", plug="n2", power_timeout=2)
        assert result.rc == 1 and result.seconds < 3, result
        assert "before any disk was touched, while corosync was asked; does it answer" in result.stderr
    finally:
        agent.lab.exec("n1", "pkill -CONT -x corosync", check=True)
    assert agent.registered() == agent.everywhere("n1", "n2")


# ---------------------------------------------------------------- S6: nothing else is touched

@both
def test_reservation_of_another_type_is_left_alone(agent):
    agent.unfence("n1", "n2")
    release(agent, 0)
    device = agent.device(0)
    agent.lab.pr_out("n2", f"--reserve --param-rk={KEYS['n2']:#x} --prout-type=3", device)
    before = agent.lab.holder(0)
    for action in ("off", "on"):
        result = agent("n1", action, devices=device, plug="n2" if action == "off" else "n1")
        assert result.rc == 1 and "EXCLUSIVE_ACCESS is held by" in result.stderr, result
    assert agent.lab.holder(0) == before


def test_off_leaves_others_registered(agent):
    """Only the victim's key goes; the generation grows by one preempt a disk."""
    agent.unfence("n1", "n2")
    before = agent.lab.holder(1)["prgen"]
    assert agent("n1", "off", plug="n2").rc == 0
    assert agent.lab.holder(1)["prgen"] == before + 1
    assert agent.registered() == agent.everywhere("n1")


# ---------------------------------------------------------------- S7: repeatable

@both
def test_off_killed_at_any_point_and_repeated_converges(agent):
    for i in range(KILLS):
        agent.unfence("n1", "n2")
        agent.lab.exec("n1", f"{agent.command('off', plug='n2')} & "
                             f"python3 -I -S -c 'import time; time.sleep({i * 0.004})'; kill -9 $!; wait $!")
        assert all("n1" in disk for disk in agent.registered())
        result = agent("n1", "off", plug="n2")
        assert result.rc == 0, (i, result)
        assert agent.registered() == agent.everywhere("n1")


def test_on_killed_at_any_point_and_repeated_converges(agent):
    for i in range(KILLS // 2):
        agent.lab.reset_reservations()
        agent.lab.exec("n1", f"{agent.command('on')} & "
                             f"python3 -I -S -c 'import time; time.sleep({i * 0.006})'; kill -9 $!; wait $!")
        agent.unfence("n1")
        assert agent.registered() == agent.everywhere("n1")


def test_actions_repeat(agent):
    agent.unfence("n1", "n2")
    agent.unfence("n1", "n2")
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert agent("n1", "off", plug="n2").stdout == "Success: Powered OFF\n"
    assert agent("n1", "off", plug="n2").stdout == "Success: Already OFF\n"


def test_victim_that_was_switched_off_is_fenced_and_comes_back(agent):
    """Power lost with the key registered, as in a crash; after the reboot the node is unfenced again."""
    agent.unfence("n1", "n2")
    agent.lab.kill("n2")
    assert agent("n1", "off", plug="n2").stdout == "Success: Powered OFF\n"
    agent.lab.boot("n2")
    assert agent.registered() == agent.everywhere("n1")
    agent.unfence("n2")
    assert agent("n1", "monitor").rc == 0


@both
def test_key_left_by_a_crash_does_not_count_as_registered(agent):
    """A reboot with another session: the old nexus still has the key, the new one has to register (issue 517)."""
    agent.unfence("n1", "n2")
    agent.lab.kill("n2")
    agent.lab.boot("n2")
    agent.unfence("n2")
    agent.write("n2")
    agent.wait_written("n1")
