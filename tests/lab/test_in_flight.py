# SPDX-License-Identifier: GPL-2.0-or-later
"""S1 with the victim's writes in flight inside the target: accepted, and not yet on the medium, when it is fenced.

"Nothing lands any more" is what is tested, so it takes time: the delay itself is the condition. A write in flight
lands DELAY_MS after it was accepted (or let go), so the medium is watched for three times that.

Who holds the reservation matters: LIO ends, for PREEMPT AND ABORT, the commands that are noted with a preempted key,
and notes with each command the key of the reservation's holder, not that of the command's own nexus.
"""

import time

import pytest

from agent import KEYS, Agent, wait_for
from lab_host import SLOWNESS

DELAY_MS = 300
WATCH = 3 * DELAY_MS / 1000     # seconds
SHAPES = ["7-plain"]


@pytest.fixture(params=["n1", "n2"], ids=["fencer-holds", "victim-holds"])
def agent(labs, shape, request):
    """All nodes unfenced, the reservation held by the one or the other, n2 writing."""
    found = Agent(labs(**shape, nodes=3, luns=1, slow_luns=[0]))
    found.unfence(request.param)
    found.unfence()
    assert f":{request.param}," in found.lab.holder(0)["holder"]
    found.write("n2")
    found.wait_written("n1")
    yield found
    found.lab.unstall(0)
    found.stop_writing("n2")


def assert_nothing_lands(agent, numbers):
    """From now on, until everything that was in flight has certainly landed; n2 tries all the time."""
    until = time.monotonic() + WATCH
    while time.monotonic() < until:
        assert agent.landed(0) == numbers, "a write has landed after `off` exited 0"
    wait_for(lambda: all(refused for refused, _ in agent.refusals("n2")))
    assert agent.landed(0) == numbers


def fill_target(agent):
    """The backend stands still, with the writers' writes in it; what has landed."""
    agent.lab.write_delay(0, DELAY_MS)
    agent.lab.stall(0)
    wait_for(lambda: agent.under_way("n2", 0) > 0)
    time.sleep(0.1 * SLOWNESS)  # from the initiator to the target, some hundred times over
    return agent.landed(0)


def begin_and_kill_first_off(agent):
    """`off` of n1, killed when the victim's key is gone and, if the target waits at all, the abort is under way."""
    first = agent.start("n1", "off", plug="n2")
    wait_for(lambda: hex(KEYS["n2"]) not in [key for key, _ in agent.lab.keys(0)])
    time.sleep(0.1 * SLOWNESS)
    assert not first.done() or first.wait().rc, "off exited 0 with the victim's writes in flight"
    agent.lab.exec("n1", "pkill -9 -x fence_blkpr || :")


# ---------------------------------------------------------------- off, undisturbed

@pytest.mark.shapes("7-plain", "7-multipath", "6.1-plain")
def test_writes_in_flight_have_ended_when_off_succeeds(agent):
    agent.lab.write_delay(0, DELAY_MS)
    agent.wait_written("n1")
    result, numbers = agent.off_and_numbers("n1", "n2")
    assert result.rc == 0, result
    print(f"off took {result.seconds:.3f} s; {result.stdout.splitlines()[1]}")
    assert_nothing_lands(agent, numbers[agent.device(0)])


def test_off_does_not_succeed_while_writes_are_in_flight(agent):
    """The backend stands still: either there is no success, or nothing lands when it goes on."""
    fill_target(agent)
    result = agent("n1", "off", plug="n2", power_timeout=3)
    numbers = agent.landed(0)
    agent.lab.unstall(0)
    if result.rc == 0:
        assert_nothing_lands(agent, numbers)


# ---------------------------------------------------------------- off again, after one that was killed

@pytest.mark.parametrize("second", ["n1", "n3"])
def test_second_off_while_the_backend_stands_still(agent, second):
    fill_target(agent)
    begin_and_kill_first_off(agent)
    result = agent(second, "off", plug="n2", power_timeout=3)
    numbers = agent.landed(0)
    agent.lab.unstall(0)
    if result.rc == 0:
        assert_nothing_lands(agent, numbers)


@pytest.mark.parametrize("second", ["n1", "n3"])
def test_second_off_when_the_backend_goes_on(agent, second):
    """The writes land DELAY_MS after unstall(): `off` has to wait for them."""
    fill_target(agent)
    begin_and_kill_first_off(agent)
    agent.lab.unstall(0)
    result = agent(second, "off", plug="n2")
    if result.rc == 0:
        assert_nothing_lands(agent, agent.landed(0))


def test_off_succeeds_once_the_backend_goes_on(agent):
    """Whatever the first attempt came to, fencing is possible again without a hand."""
    fill_target(agent)
    agent("n1", "off", plug="n2", power_timeout=2)
    agent.lab.unstall(0)
    wait_for(lambda: agent("n3", "off", plug="n2").rc == 0)
    assert_nothing_lands(agent, agent.landed(0))
