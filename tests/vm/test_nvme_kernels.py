# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe on other kernels, of the nodes and of the target: nvmet before 7.3 may answer a PREEMPT with success and do nothing (S4)."""

import pytest

import vm_image
from nvme_agent import NvmeAgent

LUNS = 2
PAIRS = {"6.12-on-7.3": ("6.12", "7.3"), "6.18-on-6.18": ("6.18", "6.18"), "7.2-on-7.2": ("7.2", "7.2")}     # nodes, target


@pytest.fixture(params=PAIRS, scope="module")
def pair(request):
    missing = set(PAIRS[request.param]) - set(vm_image.prepare().kernels())
    if missing:
        pytest.skip(f"no suite of Debian has a kernel {' or '.join(missing)} now")
    return PAIRS[request.param]


@pytest.fixture
def agent(vms, pair):
    found = NvmeAgent(vms(nodes=2, luns=LUNS, kernel=pair[0], stor_kernel=pair[1]))
    found.forget()
    return found


def can_write(agent, node):
    return agent.lab.exec(node, f"dd if=/dev/zero of={agent.device(0)} bs=4k count=1 oflag=direct").rc == 0


@pytest.mark.parametrize("holder", ["n1", "n2"])
def test_off_is_true_whoever_holds(agent, holder):
    """A target that does nothing where the fencer holds: `off` says so, and fails."""
    agent.unfence(holder)
    agent.unfence("n1", "n2")
    result = agent("n1", "off", plug="n2")
    if result.rc == 0:
        assert agent.registered() == agent.everywhere("n1")
        assert not can_write(agent, "n2")
    else:
        assert holder == "n1" and "still registered; the device accepted the command and did nothing" in result.stderr, result
        assert agent.registered() == agent.everywhere("n1", "n2")


def test_reservation_of_all_registrants_works(agent):
    options = {"reservation_type": "WRITE_EXCLUSIVE_ALL_REGS"}
    agent.unfence("n1", "n2", **options)
    assert agent("n1", "monitor", **options).rc == 0
    assert agent("n1", "off", plug="n2", **options).rc == 0
    assert agent.registered() == agent.everywhere("n1")
    assert can_write(agent, "n1") and not can_write(agent, "n2")
    agent.unfence("n2", **options)
    assert can_write(agent, "n2")
