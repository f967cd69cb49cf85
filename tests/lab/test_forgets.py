# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that cannot store registrations, and loses them with its power: LIO without its
directory.

It registers, and answers the REGISTER with an error (KERNEL.md trap 7). PTPL stays inactive until
it has stored once.
"""

import pytest

from agent import KEYS, Agent
from resource_agent import Resource

LUNS = 2
SHAPES = ["7-plain"]
WARNING = ("the target loses its registrations with its power "
           "(APTPL is not active, or they could not be stored)")


@pytest.fixture
def lab(labs, shape):
    found = labs(**shape, nodes=2, luns=LUNS)
    for node in found.nodes:
        found.exec(node, "rm -rf /run/fence_blkpr")
    yield found
    found.exec("stor", "mkdir -p /var/target/pr", check=True)


@pytest.fixture
def forgetful(lab):
    """A lab whose target has never been able to store: no directory, and PTPL inactive."""
    for k in range(LUNS):       # without APTPL
        lab.pr_out("n1", "--register-ignore --param-sark=0x1", f"/dev/lun{k}")
        lab.pr_out("n1", "--clear --param-rk=0x1", f"/dev/lun{k}")
    lab.exec("stor", "rm -rf /var/target/pr", check=True)
    return lab


def test_target_that_stores_is_not_warned_of(lab):
    agent = Agent(lab)
    agent.unfence()
    result = agent("n1", "monitor")
    assert (result.rc, result.stderr) == (0, "")


def test_target_that_cannot_store_fences_and_is_warned_of(forgetful):
    agent = Agent(forgetful)
    for node in forgetful.nodes:
        for _ in range(2):      # a registration that is there already is no proof of another one
            result = agent(node, "on")
            assert (result.rc, result.stdout) == (0, "Success: Powered ON\n"), result
            assert WARNING in result.stderr and "and others" in result.stderr
            assert len(result.stderr.splitlines()) == 1
    assert agent.registered() == agent.everywhere("n1", "n2")
    result = agent("n1", "monitor")
    assert result.rc == 0 and WARNING in result.stderr, result
    result = agent("n1", "off", plug="n2", verbose=True)
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    assert result.stderr.count("1 key removed") == LUNS
    assert agent.registered() == agent.everywhere("n1")
    assert hex(KEYS["n2"]) not in [key for key, _ in forgetful.keys(0)]


def test_monitor_finds_that_registrations_are_not_stored(lab):
    """Somebody registers without APTPL: that holds for all of the disk's registrations."""
    agent = Agent(lab)
    agent.unfence("n1")
    lab.pr_out("n2", "--register-ignore --param-sark=0xa2", "/dev/lun1")
    result = agent("n1", "monitor", unknown_keys="allow")
    assert result.rc == 0 and WARNING in result.stderr and agent.device(1) in result.stderr, result
    assert agent.device(0) not in result.stderr and "and others" not in result.stderr


def test_resource_starts_and_stops_where_nothing_can_be_stored(forgetful):
    resource = Resource(forgetful)
    for _ in range(2):          # the second one sheds its own registration first
        resource.must("n1", "start")
        assert resource.held() == resource.only("n1")
    resource.must("n2", "start")
    assert resource.held() == resource.only("n2")
    resource.must("n2", "stop")
    assert resource.free()
