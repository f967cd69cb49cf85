# SPDX-License-Identifier: GPL-2.0-or-later
"""S1 on NVMe with the victim's writes in flight inside the target: tests/lab/test_in_flight.py's tests, on nvmet."""

import os

import pytest

from nvme_agent import NvmeAgent
from test_in_flight import (DELAY_MS, assert_nothing_lands,
                            test_off_does_not_succeed_while_writes_are_in_flight,        # noqa: F401
                            test_off_succeeds_once_the_backend_goes_on,
                            test_second_off_when_the_backend_goes_on, test_second_off_while_the_backend_stands_still,
                            test_writes_in_flight_have_ended_when_off_succeeds)


@pytest.fixture
def machines(vms):
    return vms(nodes=3, luns=1, slow_luns=[0])


@pytest.fixture(params=["n1", "n2"], ids=["fencer-holds", "victim-holds"])
def agent(machines, request):
    """All nodes unfenced, the reservation held by the one or the other, n2 writing."""
    found = NvmeAgent(machines)
    found.unfence(request.param)
    found.unfence()
    assert found.lab.reservations()[0]["holders"] == [request.param]
    found.write("n2")
    found.wait_written("n1")
    yield found
    found.lab.unstall(0)
    found.stop_writing("n2")


def test_writes_in_flight_have_ended_each_time(agent):
    agent.lab.write_delay(0, DELAY_MS)
    for _ in range(int(os.environ.get("BLKPR_FENCINGS", "40")) // 2):
        agent.unfence("n2")
        agent.wait_written("n1")
        result, numbers = agent.off_and_numbers("n1", "n2")
        assert result.rc == 0, result
        assert_nothing_lands(agent, numbers[agent.device(0)])
