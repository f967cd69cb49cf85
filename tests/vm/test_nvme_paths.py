# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe native multipath: two SANs, one disk. ANA states (optimized, inaccessible, transition), paths that are lost and come back."""

import math

import pytest

from agent import wait_for
from lab_host import SLOWNESS
from nvme_agent import LATE, NvmeAgent

LUNS = 2
BOTH = ("san-a", "san-b")
# until a kernel has noticed that a path is lost, which follows the machine (guest/node.py, KEEP_ALIVE), it sends by it
LONG = {"power_timeout": 20 * math.ceil(SLOWNESS)}


@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS, paths=2, slow_luns=[0], impatient=True)


@pytest.fixture
def agent(machines):
    """Commands go by both paths in turn."""
    found = NvmeAgent(machines)
    found.forget()
    for node in machines.nodes:
        machines.exec(node, "for policy in /sys/class/nvme-subsystem/*/iopolicy; do echo round-robin >$policy; done", check=True)
    yield found
    machines.restore()
    for node in machines.nodes:
        found.stop_writing(node)


def assert_fences(agent, **options):
    """n1 fences n2, whose writers never stop; afterwards all is as before."""
    agent.unfence("n1", "n2", **options)
    agent.write("n2", [0])
    agent.wait_written("n1", [0])
    result, numbers = agent.off_and_numbers("n1", "n2", **options)
    assert result.rc == 0, result
    wait_for(lambda: all(refused > 3 for refused, _ in agent.refusals("n2", [0])), 40)
    assert agent.numbers("n1") == numbers
    assert agent.registered() == agent.everywhere("n1")
    agent.stop_writing("n2")


def test_one_registration_stands_for_all_paths(agent):
    agent.unfence("n1", "n2")
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert agent("n1", "monitor").rc == 0
    assert_fences(agent)


def test_writes_in_flight_by_both_paths_have_ended_when_off_succeeds(agent):
    agent.unfence("n1", "n2")
    agent.write("n2", [0])
    agent.wait_written("n1", [0])
    agent.lab.write_delay(0, 300)
    agent.wait_written("n1", [0])
    result = agent("n1", "off", plug="n2")
    numbers = agent.landed(0)
    assert result.rc == 0, result
    agent.lab.exec("n1", "sleep 2")
    assert agent.landed(0) == numbers


@pytest.mark.parametrize("node", ["n1", "n2"], ids=["the-fencer's", "the-victim's"])
@pytest.mark.parametrize("san", BOTH)
def test_lost_path(agent, node, san):
    agent.unfence("n1", "n2")
    agent.lab.cut(node, san)
    assert_fences(agent, **LONG)
    agent.lab.heal(node)
    wait_for(lambda: agent("n1", "monitor", **LONG).rc == 0)
    assert_fences(agent, **LONG)


def test_path_that_is_lost_while_off_runs(agent):
    """Whatever it comes to, it comes to it in time, and truthfully."""
    for san in BOTH:
        agent.unfence("n1", "n2")
        running = agent.start("n1", "off", plug="n2", power_timeout=20)
        agent.lab.cut("n1", san)
        result = running.wait()
        assert result.seconds < 20 + LATE, result
        assert result.rc or agent.registered() == agent.everywhere("n1"), result
        agent.lab.heal("n1")
        wait_for(lambda: agent("n1", "off", plug="n2").rc == 0, 40)


def test_all_paths_lost_is_bounded(agent):
    agent.unfence("n1", "n2")
    agent.lab.cut("n1", "san")
    result = agent("n1", "off", plug="n2", power_timeout=5)
    assert result.rc == 1 and result.seconds < 5 + LATE, result
    agent.lab.heal("n1")
    wait_for(lambda: agent("n1", "off", plug="n2").rc == 0, 40)


@pytest.mark.parametrize("state", ["non-optimized", "inaccessible", "persistent-loss"])
def test_ana_state_of_one_path(agent, state):
    for lun in range(LUNS):
        agent.lab.ana(lun, "san-a", state)
    assert_fences(agent)


def test_inaccessible_by_all_paths_is_bounded(agent):
    """The other disk is fenced all the same."""
    agent.unfence("n1", "n2")
    for san in BOTH:
        agent.lab.ana(1, san, "inaccessible")
    result = agent("n1", "off", plug="n2", power_timeout=5)
    assert result.rc == 1 and result.seconds < 5 + LATE and agent.device(1) in result.stderr, result
    for san in BOTH:
        agent.lab.ana(1, san, "optimized")
    assert agent.registered()[0] == {"n1": 1}
    wait_for(lambda: agent("n1", "off", plug="n2").rc == 0, 40)


@pytest.mark.parametrize("action", ["off", "status", "monitor", "on"])
def test_transition_is_waited_for(agent, action):
    """All paths change their state, as when a storage array fails over, and then are there again."""
    agent.unfence("n1", "n2")
    for san in BOTH:
        agent.lab.ana(0, san, "change")
    running = agent.start("n1", action, power_timeout=30, **({} if action == "monitor" else {"plug": "n1" if action == "on" else "n2"}))
    agent.lab.exec("n2", "sleep 1")
    assert not running.done()
    for san in BOTH:
        agent.lab.ana(0, san, "optimized")
    assert running.wait().rc == 0, running.wait()
    assert agent.registered() == agent.everywhere("n1", *["n2"] * (action != "off"))


def test_paths_with_different_targets_states_agree(agent):
    """A LUN's owner moves from one SAN to the other, back and forth, while n2 writes and is fenced."""
    for i in range(3):
        good, bad = BOTH if i % 2 else BOTH[::-1]
        for lun in range(LUNS):
            agent.lab.ana(lun, good, "optimized")
            agent.lab.ana(lun, bad, "inaccessible")
        assert_fences(agent)
