# SPDX-License-Identifier: GPL-2.0-or-later
"""dm-multipath over NVMe (nvme_core.multipath=N): two SANs, a disk a path, a map of both. A registration is the host's, by whatever path."""

import pytest

import test_safety
from agent import wait_for
from nvme_agent import NvmeAgent
from test_nvme_paths import BOTH, assert_fences

LUNS = 8


@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS, paths=2, slow_luns=[0], impatient=True, dm_multipath=True)


@pytest.fixture
def agent(machines):
    found = NvmeAgent(machines)
    found.forget()
    yield found
    machines.restore()
    for node in machines.nodes:
        found.stop_writing(node)


def heal(agent, node):
    agent.lab.heal(node)
    assert agent.lab.start_node_script(node, "mend").wait().rc == 0


def test_one_registration_stands_for_all_paths(agent):
    agent.unfence("n1", "n2")
    assert agent.registered() == agent.everywhere("n1", "n2")
    result = agent("n1", "monitor", verbose=True)
    assert result.rc == 0 and "(uuid." in result.stderr + result.stdout, result
    assert_fences(agent)
    agent.unfence("n2")
    assert agent("n2", "monitor").rc == 0


@pytest.mark.parametrize("san", BOTH)
def test_lost_path(agent, san):
    """Of the node that fences."""
    agent.unfence("n1", "n2")
    agent.lab.cut("n1", san)
    assert agent("n1", "off", plug="n2").rc == 0
    assert agent.registered() == agent.everywhere("n1")
    heal(agent, "n1")
    wait_for(lambda: agent("n1", "monitor").rc == 0)
    assert_fences(agent)


def test_path_that_was_lost_at_on_may_write(agent):
    """It is of the same host."""
    agent.lab.cut("n2", "san-a")
    assert agent("n2", "on").rc == 0
    heal(agent, "n2")
    agent.unfence("n1")
    wait_for(lambda: agent("n2", "monitor").rc == 0)
    assert_fences(agent)


def test_races_have_one_winner_everywhere(agent):
    test_safety.races_with_one_winner(agent, 5)
