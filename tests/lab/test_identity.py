# SPDX-License-Identifier: GPL-2.0-or-later
"""One registrant is one node (S10): nodes that share a nexus or an initiator, a node whose key stands for another nexus."""

import pytest

from agent import KEYS, Agent, wait_for
from identity import hide_name, log_in_again, log_in_as, reboot
from resource_agent import GENERIC, Resource, reason

LUNS = 3
SHAPES = ["7-plain"]


@pytest.fixture
def agent(labs, shape):
    """n1 has logged in twice: its nexuses are those that n2 has after its next login, but for the name."""
    found = Agent(labs(**shape, nodes=2, luns=LUNS))
    log_in_again(found.lab, "n1")
    yield found
    found.lab.heal("n1")
    for node in found.lab.nodes:
        reboot(found.lab, node)


def disks(agent):
    """What the target has of each LUN, the PR generation included."""
    return [(agent.lab.keys(k), agent.lab.holder(k)) for k in range(LUNS)]


def can_write(agent, node, lun=0):
    return agent.lab.exec(node, f"dd if=/dev/zero of={agent.device(lun)} bs=4k count=1 oflag=direct").rc == 0


def assert_refused(result, before, agent):
    assert result.rc == 1 and "n2 has the same initiator as another node" in result.stderr, result
    assert f"{KEYS['n1']:#x} (n1)" in result.stderr and "doc/identity.md" in result.stderr
    assert disks(agent) == before


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
def test_node_with_anothers_nexus_is_refused(agent, named):
    """n2 comes with n1's initiator name and ISIDs. It must not replace n1's key, else `off n1` finds it gone."""
    agent.unfence("n1")
    agent.lab.cut("n1", "san")                  # else the two throw each other out
    log_in_as(agent.lab, "n2", "n1")
    if not named:
        hide_name(agent.lab, "n2")
    before = disks(agent)
    assert_refused(agent("n2", "on"), before, agent)
    off = agent("n2", "off", plug="n1")
    assert off.rc == 1 and "Already OFF" not in off.stdout, off
    assert disks(agent) == before
    agent.lab.kill("n2")
    agent.lab.heal("n1")
    wait_for(lambda: can_write(agent, "n1"))
    assert agent("n1", "monitor").rc == 0
    agent.lab.boot("n2")
    agent.unfence("n2")                         # with a name of its own
    assert agent("n1", "off", plug="n2").rc == 0


def test_node_with_anothers_initiator_name_is_refused(agent):
    """Other ISIDs, so each has its own registration, until one of them logs in again."""
    agent.unfence("n1")
    reboot(agent.lab, "n2")
    log_in_again(agent.lab, "n2")
    log_in_as(agent.lab, "n2", "n1")
    before = disks(agent)
    assert_refused(agent("n2", "on"), before, agent)
    assert can_write(agent, "n1")


def test_monitor_sees_that_the_node_has_become_another(agent):
    agent.unfence("n1", "n2")
    log_in_again(agent.lab, "n2")
    log_in_as(agent.lab, "n2", "n1")
    before = disks(agent)
    assert_refused(agent("n2", "monitor"), before, agent)


def test_key_of_before_the_cluster_was_renamed_is_replaced(agent):
    """An unknown key of this node's own nexus is this node's own."""
    agent.unfence("n1")
    assert agent("n2", "on", key="0xabc").rc == 0
    result = agent("n2", "on")
    assert result.rc == 0 and "0xabc was registered for this node's own initiator and has been replaced" in result.stderr
    assert agent.registered() == agent.everywhere("n1", "n2")


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
def test_node_with_anothers_nexus_is_refused_with_explicit_keys(agent, named):
    """A key per node (key=): n2 cannot know whose 0x111 is, and it is not what n2 had before."""
    assert agent("n1", "on", key="0x111").rc == 0
    agent.lab.cut("n1", "san")
    log_in_as(agent.lab, "n2", "n1")
    if not named:
        hide_name(agent.lab, "n2")
    before = disks(agent)
    result = agent("n2", "on", key="0x222")
    assert result.rc == 1 and "n2 has the same initiator as another node" in result.stderr and "0x111" in result.stderr, result
    assert disks(agent) == before


def test_explicit_key_of_a_node_may_be_changed(agent):
    for key in ("0x111", "0x222", "0x333"):
        assert agent("n1", "on", key=key).rc == 0
    agent.unfence("n1")
    assert agent.registered() == agent.everywhere("n1")


def test_absence_of_a_key_that_this_node_has_replaced_proves_nothing(agent):
    """n1 has an explicit key, which n2 cannot know for a node's."""
    assert agent("n1", "on", key="0xabc").rc == 0
    agent.lab.cut("n1", "san")
    log_in_as(agent.lab, "n2", "n1")
    assert agent("n2", "on").rc == 0
    for action in ("off", "status"):
        result = agent("n2", action, key="0xabc", plug="n1")
        assert result.rc == 1 and "because n2 has replaced it in its own initiator" in result.stderr, result


def test_monitor_sees_that_the_key_is_of_an_earlier_session(agent):
    """n2 holds by sessions that are over (fence-agents issue 517). By a new name, since LIO lets a session write where
    another one of its initiator is registered."""
    agent.lab.kill("n1")                        # its sessions would throw n2's out; it is not registered
    agent.unfence("n2")
    log_in_as(agent.lab, "n2", "n1")
    before = disks(agent)
    assert not can_write(agent, "n2")
    result = agent("n2", "monitor")
    assert result.rc == 1 and "is registered for a session that is over: its writes" in result.stderr, result
    assert disks(agent) == before
    agent.unfence("n2")
    assert can_write(agent, "n2")


def test_resource_sees_that_the_key_is_of_an_earlier_session(agent):
    resource = Resource(agent.lab)
    agent.lab.kill("n1")
    resource.must("n2", "start")
    log_in_as(agent.lab, "n2", "n1")
    before = disks(agent)
    assert not can_write(agent, "n2")
    assert "is registered for a session that is over" in reason(resource.must("n2", "monitor", GENERIC))
    assert disks(agent) == before
    resource.must("n2", "stop")
    resource.must("n2", "start")
    assert can_write(agent, "n2")
    resource.must("n2", "monitor")


def test_resource_refuses_anothers_nexus(agent):
    """start evicts the other nodes' keys; it must not do so by overwriting one with its own."""
    resource = Resource(agent.lab)
    resource.must("n1", "start")
    agent.lab.cut("n1", "san")
    log_in_as(agent.lab, "n2", "n1")
    hide_name(agent.lab, "n2")
    before = disks(agent)
    assert "n2 has the same initiator as another node" in reason(resource.must("n2", "start", GENERIC))
    assert disks(agent) == before
