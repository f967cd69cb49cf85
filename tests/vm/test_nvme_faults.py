# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe disks and connections that fail, hosts that share an identity, registrations that only NVMe has (S4, S5, S10)."""

import re

import pytest

from agent import KEYS, wait_for
from nvme_agent import LATE, NvmeAgent, NvmeResource
from resource_agent import GENERIC, reason

LUNS = 3
LINGER = 0.2            # seconds: what a node has sent has long come to the backend then
SETTLE = 3              # seconds: what was under way has long come in then


@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS, slow_luns=range(LUNS))


@pytest.fixture
def impatient(vms):
    """A lost connection is noticed in seconds."""
    return vms(nodes=2, luns=LUNS, slow_luns=range(LUNS), impatient=True)


def on(vm):
    found = NvmeAgent(vm)
    found.forget()
    yield found
    if vm.state("stor") == "running":
        vm.heal("n2")
        vm.restore()
        for node in vm.nodes:
            found.stop_writing(node)


@pytest.fixture
def agent(machines):
    yield from on(machines)


@pytest.fixture
def hasty(impatient):
    yield from on(impatient)


def write_in_flight(agent, node, lun):
    """The node writes everywhere, and the backend of one LUN stands still with its writes in it."""
    agent.write(node)
    agent.wait_written("n1")
    agent.lab.write_delay(lun, 300)
    agent.lab.stall(lun)
    wait_for(lambda: agent.under_way(node, lun))
    agent.lab.exec("stor", f"sleep {LINGER}")


def assert_nothing_lands(agent, luns=range(LUNS)):
    """From now on, by the media themselves."""
    before = [agent.landed(k) for k in luns]
    agent.lab.exec("stor", f"sleep {SETTLE}")
    assert [agent.landed(k) for k in luns] == before, "a write has landed after `off` exited 0"


# ---------------------------------------------------------------- S5: a backend that hangs

@pytest.mark.parametrize("hung", [LUNS - 1, 0], ids=["a-disk", "the-arbiter"])
def test_backend_that_hangs_is_bounded_and_the_others_are_fenced(agent, hung):
    """PREEMPT AND ABORT waits for the victim's writes, which wait for the backend."""
    agent.unfence("n1", "n2")
    write_in_flight(agent, "n2", hung)
    result = agent("n1", "off", plug="n2", power_timeout=15)
    assert result.rc == 1 and result.seconds < 15, result
    assert f"{agent.device(hung)}: no answer before the deadline" in result.stderr, result
    registered = agent.registered()
    del registered[hung]
    assert registered == agent.everywhere("n1")[1:]
    agent.lab.unstall(hung)
    wait_for(lambda: agent("n1", "off", plug="n2").rc == 0)
    assert_nothing_lands(agent)


@pytest.mark.parametrize("action", ["on", "monitor", "status", "list-status"])
def test_every_action_is_bounded(agent, action):
    """While an `off` hangs in its PREEMPT AND ABORT."""
    agent.unfence("n1", "n2")
    write_in_flight(agent, "n2", 0)
    first = agent.start("n1", "off", plug="n2", power_timeout=12)
    wait_for(lambda: "n2" not in agent.registered()[1])
    result = agent("n1", action, power_timeout=2, **({"plug": "n1"} if action == "status" else {}))
    assert result.seconds < 2 + LATE, result
    agent.lab.unstall(0)
    first.wait()


# ---------------------------------------------------------------- S5: controllers that are reset

@pytest.mark.parametrize("node", ["n1", "n2"], ids=["the-fencer's", "the-victim's"])
def test_controller_that_is_reset_meanwhile(agent, node):
    """`off` may fail, and does not lie; then it works."""
    for _ in range(3):
        agent.unfence("n1", "n2")
        agent.write("n2")
        agent.wait_written("n1")
        resetting = agent.lab.start_node_script(node, "reset")
        result, numbers = agent.off_and_numbers("n1", "n2")
        assert resetting.wait().rc == 0
        if result.rc == 0:
            wait_for(lambda: all(refused > 2 for refused, _ in agent.refusals("n2")))
            assert agent.numbers("n1") == numbers
        wait_for(lambda: agent("n1", "off", plug="n2").rc == 0)
        assert_nothing_lands(agent)
        agent.stop_writing("n2")


def test_registration_outlives_a_reset(agent):
    agent.unfence("n1", "n2")
    for node in ("n1", "n2"):
        agent.lab.reset_controllers(node)
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert agent("n1", "monitor").rc == 0
    assert agent("n1", "off", plug="n2").rc == 0


def test_resource_agent_whose_backend_hangs_is_bounded(agent):
    """start of the one evicts the other, which has writes in flight."""
    resource = NvmeResource(agent.lab)
    resource.must("n2", "start")
    write_in_flight(agent, "n2", 0)
    result = resource.must("n1", "start", GENERIC, timeout=10)
    assert result.seconds < 10 + LATE, result
    agent.lab.unstall(0)
    wait_for(lambda: resource("n1", "start").rc == 0)
    assert_nothing_lands(agent)
    resource.must("n1", "stop")


# ---------------------------------------------------------------- S4: what only NVMe has

def probe(agent, node, words, lun=0):
    return agent.lab.exec(node, f"pr_probe {agent.device(lun)} {words}", check=True).stdout


def can_write(agent, node, lun=0):
    return agent.lab.exec(node, f"dd if=/dev/zero of={agent.device(lun)} bs=4k count=1 oflag=direct").rc == 0


def test_registrant_with_key_0_is_not_taken_for_off(agent):
    """IOC_PR_REGISTER(key, 0) leaves a host registered, with key 0: it writes on."""
    agent.unfence("n1", "n2")
    probe(agent, "n2", f"register {KEYS['n2']:x} 0")
    assert agent.lab.reservations()[0]["hosts"]["n2"] == 0 and can_write(agent, "n2")
    for action in ("off", "status"):
        result = agent("n1", action, plug="n2")
        assert result.rc == 1 and "Success" not in result.stdout, result
    assert agent("n1", "monitor").rc == 1
    agent.unfence("n2")
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    assert not can_write(agent, "n2")


def test_explicit_key_of_a_node_may_be_changed(agent):
    """REGISTER of NVMe with IEKEY and no current key is refused; so no command here relies on it."""
    for key in ("0x111", "0x222", "0x333"):
        assert agent("n1", "on", key=key).rc == 0
        assert [lun["hosts"] for lun in agent.lab.reservations()] == [{"n1": int(key, 0)}] * LUNS
    agent.unfence("n1")
    assert agent.registered() == agent.everywhere("n1")


def test_only_the_form_of_the_report_that_the_target_has_is_believed(agent):
    """nvmet has 128-bit host identifiers: the short form of the report is refused (Host Identifier Inconsistent Format)."""
    agent.unfence("n1")
    status = agent.lab.exec("stor", "python3 -I -S /run/lab-guest/reservations.py short", check=True).stdout
    assert re.fullmatch(r"0x.?018", status.strip()), status
    assert agent("n1", "monitor").rc == 0


# ---------------------------------------------------------------- S10: one host identifier twice

@pytest.fixture
def twins(agent):
    """n2 comes with n1's host identifier, n1 being registered."""
    agent.unfence("n1")
    agent.lab.connect_as("n2", "n1")
    yield agent
    agent.lab.connect_as("n2", "n2")


def test_node_with_anothers_host_id_is_refused(twins):
    before = twins.lab.reservations()
    result = twins("n2", "on")
    assert result.rc == 1 and "n2 has the same host id as another node" in result.stderr, result
    assert f"{KEYS['n1']:#x} (n1)" in result.stderr
    result = twins("n2", "off", plug="n1")
    assert result.rc == 1 and "Already OFF" not in result.stdout, result
    assert twins.lab.reservations() == before
    assert can_write(twins, "n1")


def test_resource_refuses_anothers_host_id(twins):
    before = twins.lab.reservations()
    resource = NvmeResource(twins.lab)
    assert "n2 has the same host id as another node" in reason(resource.must("n2", "start", GENERIC, fence_blkpr="no"))
    assert twins.lab.reservations() == before


def test_monitor_sees_that_the_node_has_become_another(agent):
    agent.unfence("n1", "n2")
    agent.lab.connect_as("n2", "n1")
    try:
        before = agent.lab.reservations()
        result = agent("n2", "monitor")
        assert result.rc == 1 and "n2 has the same host id as another node" in result.stderr, result
        assert agent.lab.reservations() == before
    finally:
        agent.lab.connect_as("n2", "n2")
    assert agent("n2", "monitor").rc == 0


# ---------------------------------------------------------------- S5: connections that are lost

def test_fencer_without_a_connection_fails_in_time(hasty):
    hasty.unfence("n1", "n2")
    hasty.lab.cut("n1", "san")
    result = hasty("n1", "off", plug="n2", power_timeout=4)
    assert result.rc == 1 and result.seconds < 4 + LATE, result
    assert hasty.registered() == hasty.everywhere("n1", "n2")
    hasty.lab.heal("n1")
    wait_for(lambda: hasty("n1", "off", plug="n2").rc == 0)
    assert hasty.registered() == hasty.everywhere("n1")


def test_victim_without_a_connection_is_fenced_and_stays_out(hasty):
    hasty.unfence("n1", "n2")
    hasty.write("n2", [0])
    hasty.wait_written("n1", [0])
    hasty.lab.cut("n2", "san")
    result, numbers = hasty.off_and_numbers("n1", "n2")
    assert result.rc == 0, result
    hasty.lab.heal("n2")
    wait_for(lambda: all(refused > 5 for refused, _ in hasty.refusals("n2", [0])), 40)
    assert hasty.numbers("n1") == numbers


def test_victim_that_lost_its_connection_has_writes_in_flight(hasty):
    """The target still has them when it has given the connection up: no success before they have ended.

    What then happens is not tried: nvmet 7.3 crashes if it removes the victim's controller while PREEMPT AND ABORT waits for its
    commands (nvmet_pr_do_abort, a NULL pointer in percpu_ref_resurrect). So this ends with the target switched off.
    """
    hasty.unfence("n1", "n2")
    write_in_flight(hasty, "n2", 0)
    hasty.lab.cut("n2", "san")
    wait_for(lambda: hasty.lab.exec("stor", "dmesg | grep -q 'keep-alive timer .* expired'").rc == 0)
    for _ in range(3):
        result = hasty("n1", "off", plug="n2", power_timeout=4)
        assert result.rc == 1 and "/dev/lun0" in result.stderr, result
    assert [set(lun) for lun in hasty.registered()[1:]] == [{"n1"}] * (LUNS - 1)
    hasty.lab.kill("stor")
