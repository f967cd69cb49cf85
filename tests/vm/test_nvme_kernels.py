# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe on other kernels, of the nodes and of the target. nvmet before 7.3 answers the PREEMPT of a holder with success and removes
nobody (S4); off, and start of the resource agent, evict there all the same (doc/safety.md, "A holder that cannot evict")."""

import collections
import os

import pytest

import test_in_flight
import test_safety
import vm_image
from agent import wait_for
from lab_apt import version_key
from nvme_agent import TYPES, NvmeAgent, NvmeResource, assert_type_works
from resource_agent import GENERIC, KEYS, reason

LUNS = 8
PAIRS = {"6.12-on-7.3": ("6.12", "7.3"), "6.18-on-6.18": ("6.18", "6.18"), "7.2-on-7.2": ("7.2", "7.2")}     # nodes, target
ROUNDS = max(2, int(os.environ.get("BLKPR_FENCINGS", "100")) // 5)
KILLS = int(os.environ.get("BLKPR_KILLS", "10"))


@pytest.fixture(params=PAIRS, scope="module")
def pair(request):
    missing = set(PAIRS[request.param]) - set(vm_image.prepare(*PAIRS[request.param]).kernels())
    if missing:
        pytest.skip(f"no suite of Debian has a kernel {' or '.join(missing)} now")
    return PAIRS[request.param]


@pytest.fixture
def agent(vms, pair):
    found = NvmeAgent(vms(nodes=3, luns=LUNS, slow_luns=[0], kernel=pair[0], stor_kernel=pair[1]))
    found.forget()
    yield found
    found.lab.unstall(0)
    for node in found.lab.nodes:
        found.stop_writing(node)


@pytest.fixture
def resource(agent):
    return NvmeResource(agent.lab, luns=[0, 1])


def holders_cannot_evict(vm):
    return version_key(vm.config["stor_kernel"]) < version_key("7.3")


def type_after(agent, holder):
    """Of the reservation, WRITE_EXCLUSIVE_REG_ONLY before, when n1 has evicted another node."""
    twin = holder == "n1" and holders_cannot_evict(agent.lab)
    return TYPES["WRITE_EXCLUSIVE_ALL_REGS" if twin else "WRITE_EXCLUSIVE_REG_ONLY"]


def can_write(agent, node, lun=0):
    return agent.lab.exec(node, f"dd if=/dev/zero of={agent.device(lun)} bs=4k count=1 oflag=direct").rc == 0


def registrants(agent):
    return [set(lun["hosts"]) for lun in agent.lab.reservations()]


@pytest.mark.parametrize("holder", ["n1", "n2", "n3"], ids=["fencer-holds", "victim-holds", "another-holds"])
def test_off_evicts_whoever_holds(agent, holder):
    agent.unfence(holder)
    agent.unfence()
    result = agent("n1", "off", plug="n2")
    assert (result.rc, result.stdout, result.stderr) == (0, "Success: Powered OFF\n", ""), result
    assert registrants(agent) == [{"n1", "n3"}] * LUNS
    assert [lun["type"] for lun in agent.lab.reservations()] == [type_after(agent, holder)] * LUNS
    assert [can_write(agent, node) for node in agent.lab.nodes] == [True, False, True]
    assert agent("n3", "monitor").rc == 0
    agent.unfence("n2")
    assert can_write(agent, "n2")
    assert agent("n3", "off", plug="n1").rc == 0 and agent("n3", "off", plug="n2").rc == 0
    assert registrants(agent) == [{"n3"}] * LUNS
    assert [can_write(agent, node) for node in agent.lab.nodes] == [False, False, True]


def test_nobody_else_may_write_at_any_moment_while_a_holder_evicts(agent):
    """n3 is not registered, and tries all the time."""
    for _ in range(ROUNDS):
        agent.stop_writing("n3")
        agent.lab.reset_reservations()
        agent.unfence("n1")
        agent.unfence("n1", "n2")
        agent.write("n3")
        wait_for(lambda: all(refused > 3 for refused, _ in agent.refusals("n3")))
        numbers, refused = agent.numbers("n1"), agent.refusals("n3")
        assert agent("n1", "off", plug="n2").rc == 0
        wait_for(lambda: all(now > before + 3 for (now, _), (before, _) in zip(agent.refusals("n3"), refused)))
        assert agent.numbers("n1") == numbers
        assert registrants(agent) == [{"n1"}] * LUNS


def test_no_write_lands_after_success(agent):
    test_safety.fence_a_writer(agent, ROUNDS)


def test_writes_in_flight_have_ended_when_a_holder_evicts(agent):
    """In a slow backend."""
    agent.unfence("n1")
    agent.unfence("n1", "n2")
    agent.write("n2", [0])
    agent.wait_written("n1", [0])
    agent.lab.write_delay(0, test_in_flight.DELAY_MS)
    agent.wait_written("n1", [0])
    result, numbers = agent.off_and_numbers("n1", "n2", [0])
    assert result.rc == 0 and "rests on" not in result.stderr, result
    agent.lab.exec("stor", f"sleep {test_in_flight.WATCH}")
    assert agent.landed(0) == numbers[agent.device(0)], "a write has landed after `off` exited 0"


def test_races_have_one_winner_everywhere(agent):
    """The one of the two that holds has to change the type first; each time from an empty disk, so that it does."""
    won = collections.Counter()
    for i in range(ROUNDS):
        agent.lab.reset_reservations()
        agent.unfence(f"n{1 + i % 2}")
        agent.unfence("n1", "n2")
        winners, registered, results = test_safety.race(agent, {node: range(LUNS) for node in ("n1", "n2")})
        assert len(winners) == 1 and registered == agent.everywhere(winners[0]), (i, results)
        won[winners[0]] += 1
    print(f"{ROUNDS} races: {dict(won)}")


def test_off_killed_at_any_point_and_repeated_converges(agent):
    for i in range(KILLS):
        agent.lab.reset_reservations()
        agent.unfence("n1")
        agent.unfence("n1", "n2")
        agent.lab.exec("n1", f"{agent.command('off', plug='n2')} & "
                             f"python3 -I -S -c 'import time; time.sleep({i * 0.2 / KILLS})'; kill -9 $!; wait $!")
        assert all("n1" in disk for disk in agent.registered()) and not can_write(agent, "n3")
        result = agent("n1", "off", plug="n2")
        assert result.rc == 0, (i, result)
        assert agent.registered() == agent.everywhere("n1")


def test_reservation_of_all_registrants_works(agent):
    options = {"reservation_type": "WRITE_EXCLUSIVE_ALL_REGS"}
    agent.unfence("n1", "n2", **options)
    assert agent("n1", "monitor", **options).rc == 0
    assert agent("n1", "off", plug="n2", **options).rc == 0
    assert agent.registered() == agent.everywhere("n1")
    assert can_write(agent, "n1") and not can_write(agent, "n2")
    agent.unfence("n2", **options)
    assert can_write(agent, "n2")


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_the_resource_agent(resource, kind):
    assert_type_works(resource, kind)


@pytest.mark.parametrize("kind", TYPES)
def test_start_evicts_who_is_registered(resource, kind):
    """Nobody holds, so that `start` does first. Where only a holder may write n3 cannot be evicted then: it cannot write, either."""
    for lun in resource.luns:
        resource.lab.exec("n3", f"pr_probe {resource.agent.device(lun)} register 0 {KEYS['n3']:x}", check=True)
    impossible = holders_cannot_evict(resource.lab) and kind in ("WRITE_EXCLUSIVE", "EXCLUSIVE_ACCESS")
    result = resource.must("n1", "start", GENERIC if impossible else 0, reservation_type=kind)
    if impossible:
        assert "still registered" in reason(result) and "..._REG_ONLY or ..._ALL_REGS" in result.stderr, result
        assert not resource.may()["n3"][0]
    else:
        resource.must("n1", "monitor", reservation_type=kind)
        assert [nodes for nodes, _, _ in resource.held()] == [{"n1"}] * len(resource.luns)
        assert resource.may()["n1"] == (True, True) and not resource.may()["n3"][0]
    resource.must("n1", "stop", reservation_type=kind)
    assert resource.free() != impossible
