# SPDX-License-Identifier: GPL-2.0-or-later
"""What must never break on NVMe: nvmet over TCP on the newest kernel, one set of machines, little of everything. The rest, and
the same more often, is in the other files here."""

import pytest

import test_in_flight
import test_safety
from nvme_agent import NvmeAgent, NvmeResource, assert_type_works

LUNS = 8


@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS, slow_luns=[0])


@pytest.fixture
def agent(machines):
    found = NvmeAgent(machines)
    found.forget()
    yield found
    for node in machines.nodes:
        found.stop_writing(node)


def test_every_action(agent):
    for action, plug, code, text in (
            ("validate-all", None, 0, ""), ("list", None, 0, "n1,\nn2,\n"), ("on", "n1", 0, "Success: Powered ON\n"),
            ("status", "n2", 2, "Status: OFF\n"), ("list-status", None, 0, "n1,,ON\nn2,,OFF\n")):
        result = agent("n1", action, **({"plug": plug} if plug else {}))
        assert (result.rc, result.stdout, result.stderr) == (code, text, ""), (action, result)
    result = agent("n1", "monitor")
    assert result.rc == 0 and "loses its registrations with its power" in result.stderr, result     # nvmet does
    agent.unfence("n2")
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert agent.lab.holder(LUNS - 1)["type"] == "Write Exclusive Access, Registrants Only"
    for action, code, text in (("status", 0, "Status: ON\n"), ("off", 0, "Success: Powered OFF\n"),
                               ("off", 0, "Success: Already OFF\n"), ("status", 2, "Status: OFF\n")):
        result = agent("n1", action, plug="n2")
        assert (result.rc, result.stdout) == (code, text), (action, result)
    assert agent.registered() == agent.everywhere("n1")
    result = agent("n2", "off", plug="n1")              # S2
    assert result.rc == 1 and "not registered: this node was evicted" in result.stderr, result
    assert agent("n2", "monitor").rc == 1
    assert agent.registered() == agent.everywhere("n1")
    assert "<resource-agent" in agent("n1", "metadata").stdout


def test_no_write_lands_after_success(agent):
    test_safety.fence_a_writer(agent, 1)


def test_no_write_in_flight_lands_after_success(agent):
    agent.unfence("n1", "n2")
    agent.write("n2")
    test_in_flight.test_writes_in_flight_have_ended_when_off_succeeds(agent)


def test_races_have_one_winner_everywhere(agent):
    test_safety.races_with_one_winner(agent, 3)


def test_a_resource_holds_is_taken_and_given_back(machines):
    """Of a type that keeps readers out, too; all six are in test_nvme_resource.py."""
    resource = NvmeResource(machines, luns=[0, LUNS - 1])
    resource.agent.forget()
    assert_type_works(resource, "EXCLUSIVE_ACCESS_REG_ONLY")
