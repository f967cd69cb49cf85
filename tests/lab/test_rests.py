# SPDX-License-Identifier: GPL-2.0-or-later
"""On what success rests as to commands in flight, as `off -v` and `monitor -v` say it; in_flight=abort, and why it is
not the default: LIO's PREEMPT AND ABORT leaves the victim's writes in flight when this node holds the reservation."""

import pytest

from agent import Agent

SHAPES = ["7-plain"]
DELAY_MS = 1500


@pytest.fixture
def agent(labs, shape):
    """All nodes unfenced, the reservation held by n1."""
    found = Agent(labs(**shape, nodes=2, luns=1, slow_luns=[0]))
    found.unfence("n1")
    found.unfence()
    yield found
    found.lab.exec("n1", "umount /sys/class/scsi_host/host*/proc_name 2>/dev/null; :")
    found.lab.write_delay(0, 0)
    found.stop_writing("n2")


def disguise(agent, driver, hosts="*"):
    """From now on n1's SCSI hosts have another driver, as far as sysfs says."""
    agent.lab.exec("n1", f"echo {driver} >/tmp/driver; for f in /sys/class/scsi_host/host{hosts}/proc_name; do "
                         "mount --bind /tmp/driver $f || exit; done", check=True)


def hosts(agent):
    """n1's SCSI hosts, by number."""
    return agent.lab.exec("n1", "cd /sys/class/scsi_host && ls -d host* | tr -d a-z", check=True).stdout.split()


def test_it_is_said_that_a_lun_reset_reaches_the_disk(agent):
    result = agent("n1", "monitor", verbose=True)
    assert result.rc == 0, result
    assert "commands in flight would be ended by a LUN RESET;" in result.stderr
    assert "rests on" not in result.stderr
    for _ in range(2):          # the key is there, and is gone
        result = agent("n1", "off", plug="n2", verbose=True)
        assert result.rc == 0, result
        assert "commands in flight ended by a LUN RESET;" in result.stderr
        assert "rests on" not in result.stderr


def test_it_is_said_that_the_administrator_has_chosen_preempt_and_abort(agent):
    result = agent("n1", "monitor", in_flight="abort")
    assert result.rc == 0, result
    assert "that commands in flight will end rests on PREEMPT AND ABORT alone" in result.stderr
    result = agent("n1", "off", plug="n2", in_flight="abort", verbose=True)
    assert result.rc == 0, result
    assert "commands in flight ended by PREEMPT AND ABORT alone;" in result.stderr
    assert "that commands in flight have ended rests on PREEMPT AND ABORT alone" in result.stderr
    result = agent("n1", "off", plug="n2", in_flight="abort")
    assert (result.rc, result.stdout) == (0, "Success: Already OFF\n"), result
    assert "have ended rests on the PREEMPT AND ABORT of whoever removed the key" in result.stderr
    assert not agent.registered()[0].get("n2")


def test_preempt_and_abort_alone_does_not_end_writes_on_this_target(agent):
    """So in_flight=abort would be wrong here, and the same target behind a hypervisor must not be trusted unasked."""
    agent.write("n2")
    agent.wait_written("n1")
    agent.lab.write_delay(0, DELAY_MS)
    before = agent.landed(0)
    result = agent("n1", "off", plug="n2", in_flight="abort")
    assert result.rc == 0, result
    after = agent.landed(0)
    assert after == before or result.seconds > DELAY_MS / 1000
    agent.lab.exec("n1", f"sleep {2 * DELAY_MS / 1000}")
    assert agent.landed(0) != after, "LIO has learned to end them"


@pytest.mark.parametrize("driver, words", [
    ("virtio_scsi", "the driver virtio_scsi leaves a LUN RESET to the hypervisor"),
    ("storvsc_host", "the driver storvsc_host has no LUN RESET"),
    ("megaraid_sas", "the driver megaraid_sas has no LUN RESET"),
    ("nobodys", "the driver nobodys is not known to send a LUN RESET to the disk"),
])
def test_no_success_where_no_lun_reset_reaches_the_disk(agent, driver, words):
    """Such a driver cannot be had here; what the agent sees of it can: its name."""
    disguise(agent, driver)
    result = agent("n1", "monitor")
    assert result.rc == 1 and words in result.stderr and "set in_flight=abort" in result.stderr, result
    result = agent("n1", "off", plug="n2", power_timeout=10)
    assert result.rc == 1 and words in result.stderr and "commands in flight may still" in result.stderr, result
    assert result.seconds < 5                                   # it is known at once
    assert not agent.registered()[0].get("n2")                  # it is evicted all the same
    assert agent("n1", "on").rc == 0                            # nothing else is affected
    result = agent("n1", "off", plug="n2", in_flight="abort")
    assert (result.rc, result.stdout) == (0, "Success: Already OFF\n"), result
    result = agent("n1", "off", plug="n2", in_flight="reset")
    assert result.rc == (0 if driver == "nobodys" else 1), result
    assert ("LUN RESET that reaches the disk as in_flight=reset says" in result.stderr) == (driver == "nobodys")


@pytest.mark.shapes("7-multipath")
def test_a_map_is_judged_by_its_paths(agent):
    disguise(agent, "virtio_scsi", hosts(agent)[0])
    for _ in range(2):
        result = agent("n1", "off", plug="n2", verbose=True)
        assert result.rc == 0, result
        assert "commands in flight ended by a LUN RESET;" in result.stderr
        agent.unfence("n2")


def test_monitor_warns_of_a_target_that_aborts_without_a_word(labs, shape):
    agent = Agent(labs(**shape, nodes=1, luns=2, mute_luns=[1]))
    agent.unfence()
    told = agent("n1", "monitor")
    assert told.rc == 0 and told.stderr.count("\n") == 1, told
    assert f"{agent.device(1)}: the target aborts commands without a word (TAS=0)" in told.stderr
    assert "TAS=0" not in agent("n1", "monitor", in_flight="abort").stderr      # which sends no LUN RESET
