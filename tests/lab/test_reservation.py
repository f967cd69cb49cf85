# SPDX-License-Identifier: GPL-2.0-or-later
"""The resource agent's actions, exit codes and words, on both kernels; clusters are test_failover.py's."""

import os
import time

import pytest

import lab_image
from agent import wait_for
from lab_host import patience
from resource_agent import (CLONE, CONFIGURED, FAILED_PROMOTED, GENERIC, INSTALLED, KEYS, NOT_RUNNING, OCF, PERM, PROMOTED,
                      SUCCESS, UNIMPLEMENTED, Resource, reason)

LUNS = 3


SHAPES = ["7-multipath", "6.1-plain"]


@pytest.fixture
def resource(labs, shape):
    lab = labs(**shape, nodes=2, luns=LUNS)
    for node in lab.nodes:
        lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")
    return Resource(lab)


@pytest.fixture
def plain(labs):
    lab = labs(kernel="7", nodes=2, luns=LUNS, paths=1)
    for node in lab.nodes:
        lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")
    return Resource(lab)


# ---------------------------------------------------------------- as a primitive

def test_start_holds_and_stop_gives_back(resource):
    resource.must("n1", "monitor", NOT_RUNNING)
    resource.must("n1", "start")
    assert resource.held() == resource.only("n1")
    resource.must("n1", "monitor")
    resource.must("n1", "monitor", level=10)
    resource.must("n2", "monitor", NOT_RUNNING)
    assert resource.can_write("n1") and not resource.can_write("n2")
    resource.must("n1", "stop")
    assert resource.free()
    resource.must("n1", "monitor", NOT_RUNNING)


def test_actions_may_be_repeated(resource):
    resource.must("n1", "stop")
    for _ in range(2):
        resource.must("n1", "start")
        assert resource.held() == resource.only("n1")
    for _ in range(2):
        resource.must("n1", "stop")
        assert resource.free()


def test_start_evicts_who_was_there(resource):
    resource.must("n1", "start")
    result = resource.must("n2", "start")
    assert resource.held() == resource.only("n2")
    assert not resource.can_write("n1")
    assert result.stderr == ""

    def text():
        return reason(resource.must("n1", "monitor", GENERIC, CRM_meta_interval=10000))
    # the name is corosync's, which a monitor does not wait for longer than a second
    wait_for(lambda: f"{KEYS['n2']:#x} (n2) holds the disk" in text())
    assert "all was well" not in text()
    resource.must("n1", "stop")         # nothing of it is left
    assert resource.held() == resource.only("n2")


def test_start_may_refuse_to_evict(resource):
    resource.must("n1", "start")
    text = reason(resource.must("n2", "start", GENERIC, other_registrants="fail"))
    assert f"the reservation is held by {KEYS['n1']:#x} (n1), not by this node" in text
    assert resource.held() == resource.only("n1")
    resource.must("n2", "stop", other_registrants="fail")
    assert resource.held() == resource.only("n1")


def test_what_pacemaker_keeps_of_a_reason_says_what_and_where(plain):
    """The first 128 characters of it; names of disks in production are long."""
    names = [f"/dev/disk/by-id/wwn-0x6001405{k}abcdef0123456789abcdef01" for k in range(LUNS)]
    for lun, name in enumerate(names):
        plain.lab.exec("n1", f"mkdir -p /dev/disk/by-id; ln -s {plain.agent.device(lun)} {name}", check=True)
    plain.must("n1", "start", devices=",".join(names))
    plain.must("n2", "start")
    kept = reason(plain.must("n1", "monitor", GENERIC, devices=",".join(names), CRM_meta_interval=10000))[:128]
    assert f"{names[0].rpartition('/')[2]} and 2 more: {KEYS['n2']:#x} (n2) holds the disk" in kept
    plain.must("n1", "stop", devices=",".join(names))
    plain.lab.exec("n1", f"rm {' '.join(names)}")


def test_rogue_registration_is_noticed(resource):
    resource.must("n1", "start")
    resource.lab.pr_out("n2", "--register-ignore --param-sark=0xbad", "/dev/lun1")
    assert "the key 0xbad is registered, too" in reason(resource.must("n1", "monitor", GENERIC))
    before = resource.lab.keys(1)
    assert "the key 0xbad is registered, too" in reason(resource.must("n1", "start", GENERIC))   # not this cluster's
    assert resource.lab.keys(1) == before
    resource.must("n1", "start", other_registrants="evict")
    assert resource.held() == resource.only("n1")


@pytest.mark.parametrize("kind,name", [
    ("EXCLUSIVE_ACCESS_REG_ONLY", "Exclusive Access, Registrants Only"),
    ("WRITE_EXCLUSIVE_ALL_REGS", "Write Exclusive Access, All Registrants"),
    ("EXCLUSIVE_ACCESS_ALL_REGS", "Exclusive Access, All Registrants")])
def test_other_types(resource, kind, name):
    resource.must("n1", "start", reservation_type=kind)
    assert all(registered == {"n1"} and found == name for registered, _, found in resource.held())
    resource.must("n1", "monitor", reservation_type=kind)
    assert not resource.can_write("n2")
    resource.must("n2", "start", reservation_type=kind)
    assert not resource.can_write("n1") and resource.can_write("n2")
    resource.must("n2", "stop", reservation_type=kind)
    assert resource.free()


def test_rebooted_holder_starts_again(plain):
    plain.must("n1", "start")
    plain.lab.exec("n1", "rm -rf /run/fence_blkpr", check=True)     # what a reboot leaves of it
    plain.must("n1", "monitor", NOT_RUNNING)        # whether it holds by a session that lives only start can tell
    plain.must("n1", "start")
    assert plain.held() == plain.only("n1") and plain.can_write("n1")
    plain.lab.exec("n1", "rm -rf /run/fence_blkpr", check=True)
    plain.must("n1", "stop")
    assert plain.free()


def test_registration_of_a_dead_session_is_no_obstacle(plain):
    """Own key and reservation are those of another session, which cannot be reached any more (fence-agents 517)."""
    key = KEYS["n1"]
    for lun in range(LUNS):         # n2's nexus stands for n1's of before
        for command in (f"--register-ignore --param-sark={key:#x}", f"--reserve --prout-type=5 --param-rk={key:#x}"):
            plain.lab.pr_out("n2", command, f"/dev/lun{lun}")
    plain.must("n1", "start")
    assert plain.can_write("n1") and not plain.can_write("n2")
    plain.must("n1", "stop")
    assert plain.free()


def test_explicit_key_without_a_cluster(plain):
    plain.must("n1", "start", key="abc")
    assert {key for key, _ in plain.lab.keys(0)} == {"0xabc"}
    plain.must("n1", "monitor", key="abc")
    plain.must("n1", "stop", key="abc")
    assert plain.free()


def test_monitor_and_stop_need_no_corosync(plain):
    """Neither one that has died nor one that is frozen: it knows names, the disks know the rest."""
    for stop, resume in (("pkill -9 -x corosync; while pgrep -x corosync; do sleep 0.05; done",
                          "corosync; until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done"),
                         ("pkill -STOP -x corosync", "pkill -CONT -x corosync")):
        plain.must("n1", "start")
        plain.lab.exec("n1", stop)
        try:
            for action, interval in (("monitor", 10000), ("monitor", 0), ("stop", 0)):
                result = plain.must("n1", action, CRM_meta_interval=interval)
                assert result.seconds < patience(3), result
            assert plain.free()
        finally:
            plain.lab.exec("n1", resume, check=True)


# ---------------------------------------------------------------- on disks that fence_blkpr manages

def state(resource):
    return [(sorted(resource.lab.keys(k)), resource.lab.holder(k)) for k in range(LUNS)]


def test_managed_disks_are_not_touched(resource):
    resource.agent.unfence("n1", "n2")
    before = state(resource)
    for node in ("n1", "n2"):
        resource.must(node, "monitor", NOT_RUNNING)
        resource.must(node, "start")
        resource.must(node, "monitor")
        resource.must(node, "stop")
        resource.must(node, "monitor", NOT_RUNNING)
    assert state(resource) == before


def test_managed_disk_needs_this_node_to_be_unfenced(resource):
    """Neither the fence agent's memory nor its key: nothing is evicted, whatever other_registrants says."""
    resource.agent.unfence("n2")
    before = state(resource)
    for parameters in ({}, {"fence_blkpr": "yes"}):
        text = reason(resource.must("n1", "start", GENERIC, **parameters))
        assert "stonith_admin --unfence" in text
        resource.must("n1", "stop", **parameters)
    assert state(resource) == before


def test_record_of_the_version_before_is_read(plain):
    """It has the executor's pid. One that is over has not started what this node remembers."""
    plain.agent.unfence("n1", "n2")
    plain.must("n1", "start")
    executor = plain.lab.start("n1", "cp /usr/bin/sleep /run/pacemaker-execd && exec /run/pacemaker-execd 300")
    wait_for(lambda: plain.lab.exec("n1", "pgrep -x pacemaker-execd").rc == 0)
    for session, code in (("$(pgrep -x pacemaker-execd)", SUCCESS), ("1", NOT_RUNNING)):
        plain.lab.exec("n1", f"sed -i \"s/^executor .*\\|^session .*/session {session}/; s/^good .*/good 1764000000/; "
                             "s/^promotion .*/score 0 -1 0/\" /run/fence_blkpr/resource-*", check=True)
        plain.must("n1", "monitor", code)
    plain.lab.exec("n1", "pkill -x pacemaker-execd; rm /run/pacemaker-execd")
    executor.wait()


def test_fencing_is_noticed_and_survives_stop_and_start(resource):
    resource.agent.unfence("n1", "n2")
    resource.must("n1", "start")
    assert resource.agent("n2", "off", plug="n1").rc == 0
    before = state(resource)
    assert "is not registered" in reason(resource.must("n1", "monitor", GENERIC))
    resource.must("n1", "stop")
    assert "is not registered" in reason(resource.must("n1", "start", GENERIC))
    assert state(resource) == before
    resource.agent.unfence("n1")
    resource.must("n1", "start")


def test_fence_agent_finds_the_resource_agents_keys_unknown(resource):
    """The two do not mix on one disk by accident: each says whose the other's key is."""
    resource.must("n1", "start", fence_blkpr="no")
    assert resource.agent("n2", "on").rc == 0
    result = resource.agent("n2", "monitor")
    assert result.rc == 1 and f"{KEYS['n1']:#x} (n1, by ocf:blkpr:reservation)" in result.stderr, result


# ---------------------------------------------------------------- as a promotable clone

def test_clone_registers_and_its_promoted_instance_holds(plain):
    for node in ("n1", "n2"):
        plain.must(node, "start", **CLONE)
        plain.must(node, "monitor", **CLONE)
    plain.must("n1", "promote", **CLONE)
    assert plain.held() == [({"n1", "n2"}, "n1", "Write Exclusive Access")] * LUNS
    plain.must("n1", "monitor", PROMOTED, **CLONE)
    plain.must("n2", "monitor", SUCCESS, **CLONE)
    assert plain.can_write("n1") and not plain.can_write("n2")
    plain.must("n1", "demote", **CLONE)
    plain.must("n1", "monitor", SUCCESS, **CLONE)
    plain.must("n2", "promote", **CLONE)
    assert plain.can_write("n2") and not plain.can_write("n1")
    for node in ("n1", "n2"):
        plain.must(node, "stop", **CLONE)
        plain.must(node, "monitor", NOT_RUNNING, **CLONE)
    assert plain.free()


def test_promotion_takes_from_a_holder_that_was_fenced(plain):
    for node in ("n1", "n2"):
        plain.must(node, "start", **CLONE)
    plain.must("n1", "promote", **CLONE)
    plain.must("n2", "promote", **CLONE)
    assert plain.held() == [({"n2"}, "n2", "Write Exclusive Access")] * LUNS
    assert "is not registered" in reason(plain.must("n1", "monitor", GENERIC, CRM_meta_interval=10000, **CLONE))
    assert plain("n1", "promote", **CLONE).rc == GENERIC        # registers nobody (S2)
    assert plain.held() == [({"n2"}, "n2", "Write Exclusive Access")] * LUNS
    plain.must("n1", "stop", **CLONE)
    plain.must("n1", "start", **CLONE)


def test_promotion_that_must_fail_takes_from_nobody(plain):
    """A key that is not this cluster's holds one of the disks; of the others none is taken."""
    for node in ("n1", "n2"):
        plain.must(node, "start", **CLONE)
    plain.must("n1", "promote", **CLONE)
    plain.lab.pr_out("n1", f"--register --param-rk={KEYS['n1']:#x} --param-sark=0xbad", f"/dev/lun{LUNS - 1}")
    before = state(plain)
    assert "held by 0xbad" in reason(plain.must("n2", "promote", GENERIC, **CLONE))
    assert state(plain) == before
    plain.must("n2", "promote", **CLONE, other_registrants="evict")


def test_lost_promotion_is_told_from_a_lost_registration(plain):
    plain.must("n1", "start", **CLONE)
    plain.must("n1", "promote", **CLONE)
    plain.lab.pr_out("n1", f"--release --prout-type=1 --param-rk={KEYS['n1']:#x}", "/dev/lun0")
    assert "nobody holds" in reason(plain.must("n1", "monitor", FAILED_PROMOTED, **CLONE))


# ---------------------------------------------------------------- disks that fail

def test_hung_disk_is_bounded_and_never_stopped(resource):
    resource.must("n1", "start")
    resource.lab.hang(0)
    for action in ("monitor", "stop", "start"):
        result = resource.must("n1", action, GENERIC, timeout=8)
        assert result.seconds < 9 and resource.agent.device(0) in reason(result), result
    resource.lab.resume()
    resource.must("n1", "start")
    resource.must("n1", "stop")
    assert resource.free()


def test_start_waits_for_a_disk_that_answers_late(plain):
    """Most of its time: an array may be busy for a while with a failover of its own."""
    plain.lab.hang(0)
    running = plain.lab.start("n1", plain.command("start", timeout=12))
    time.sleep(6)           # it is time that passes here, nothing else happens
    plain.lab.resume()
    result = running.wait()
    assert result.rc == SUCCESS, result
    assert plain.held() == plain.only("n1")


def test_disk_that_is_gone_cannot_be_stopped(plain):
    plain.must("n1", "start")
    plain.lab.detach("n1", 1)
    assert "no such device" in reason(plain.must("n1", "monitor", GENERIC))
    assert "no such device" in reason(plain.must("n1", "stop", GENERIC))
    assert plain.held()[1] == ({"n1"}, "n1", "Write Exclusive Access, Registrants Only")
    plain.lab.attach("n1", 1)
    plain.must("n1", "stop")
    assert plain.free()


def test_stop_without_a_memory_needs_every_disk_to_say_so(plain):
    plain.must("n1", "start")
    plain.lab.exec("n1", "rm -rf /run/fence_blkpr", check=True)
    plain.lab.hang(0)
    for parameters, said in (({}, plain.agent.device(0)), ({"devices": "/dev/nothing"}, "/dev/nothing"),
                             ({"devices": None}, "devices is not set")):
        assert said in reason(plain.must("n1", "stop", GENERIC, timeout=4, **parameters))
    plain.lab.resume()
    plain.must("n1", "stop")
    assert plain.free()


def test_disk_that_was_never_there_needs_no_stop(plain):
    plain.must("n1", "start", INSTALLED, devices="/dev/nothing")
    plain.must("n1", "monitor", NOT_RUNNING, devices="/dev/nothing")
    plain.must("n1", "stop", devices="/dev/nothing")
    plain.must("n1", "monitor", NOT_RUNNING, devices="/dev/nothing")


def test_required_devices(plain):
    plain.lab.detach("n1", 1)
    plain.must("n1", "start", INSTALLED)
    plain.must("n1", "start", GENERIC, required_devices=3)
    plain.must("n1", "stop", required_devices=3)
    plain.must("n1", "start", required_devices=2)
    plain.must("n1", "monitor", required_devices=2)
    assert plain.held([0, 2]) == plain.only("n1")[:2]
    plain.must("n1", "stop", required_devices=2)
    assert plain.free()


def test_start_that_must_fail_evicts_nobody(plain):
    """It is known before that one of the disks that it needs is not there, or belongs to somebody else."""
    plain.must("n2", "start")
    plain.lab.detach("n1", 1)
    plain.must("n1", "start", GENERIC, required_devices=3)
    assert plain.held() == plain.only("n2")
    plain.lab.attach("n1", 1)
    plain.lab.pr_out("n2", f"--register --param-rk={KEYS['n2']:#x} --param-sark=0xbad", f"/dev/lun{LUNS - 1}")
    before = state(plain)
    assert "0xbad is registered" in reason(plain.must("n1", "start", GENERIC))
    assert state(plain) == before
    plain.must("n1", "stop")
    assert state(plain) == before
    plain.lab.reset_reservations()
    plain.lab.pr_out("n1", "--register-ignore --param-sark=0xbad", "/dev/lun0")    # in its own nexus
    assert "0xbad is registered" in reason(plain.must("n1", "start", GENERIC))
    assert {key for key, _ in plain.lab.keys(0)} == {"0xbad"} and not plain.lab.keys(1)
    plain.must("n1", "start", other_registrants="evict")
    assert plain.held() == plain.only("n1")


def test_monitor_writes_nothing(plain):
    """A start, stop or promote may run beside it, whose record would be lost."""
    record = "stat -c '%i %z' /run/fence_blkpr/resource-*"
    plain.must("n1", "start", **CLONE)
    before = plain.lab.exec("n1", record, check=True).stdout
    for run in ("pacemaker-execd", "crm_resource", ""):
        monitor = plain.command("monitor", **CLONE, CRM_meta_interval=10000)
        assert plain.lab.exec("n1", f"PCMK_service={run} {monitor}").rc == SUCCESS
    assert plain.lab.exec("n1", record, check=True).stdout == before


@pytest.mark.shapes("7-multipath", every=["7-multipath", "6.1-multipath"])
def test_dead_path_is_survived(resource):
    resource.must("n1", "start")
    path = "/sys/block/$(basename $(readlink -f /dev/lun0-b))/device/state"
    resource.lab.exec("n1", f"echo offline >{path}", check=True)
    try:
        resource.must("n1", "monitor")
    finally:
        resource.lab.exec("n1", f"echo running >{path}", check=True)


@pytest.mark.parametrize("action", ["start", "stop"])
def test_killed_at_any_point_and_repeated(resource, action):
    """kill -9 of the agent and its workers, a little later each time, over the whole of its run."""
    outcomes = set()
    if action == "stop":
        resource.must("n1", "start")
    whole = resource.must("n1", action).seconds
    for tenth in range(2, 10, 1 if os.environ.get("BLKPR_SHAPES") == "all" else 3):
        if action == "stop":
            resource.must("n1", "start")
        else:
            resource.must("n2", "start")            # there is somebody to evict
        resource.lab.exec("n1", f"{resource.command(action)} & sleep {whole * tenth / 10:.3f}; pkill -9 -x reservation; wait")
        outcomes.add(resource("n1", "monitor").rc)
        resource.must("n1", action)
        assert resource.free() if action == "stop" else resource.held() == resource.only("n1")
        resource.must("n1", "stop")
        resource.must("n2", "stop")
    assert outcomes <= {SUCCESS, GENERIC, NOT_RUNNING}, outcomes


def test_interrupted_start_is_no_success(plain):
    """Killed after the other's key went, before what it had sent was ended: neither start nor monitor believe it (S1)."""
    plain.must("n1", "start")
    plain.lab.exec("n1", "sed -i 's/^good .*/good 0/' /run/fence_blkpr/resource-*", check=True)
    assert "interrupted" in reason(plain.must("n1", "monitor", GENERIC))
    plain.must("n1", "start")
    plain.must("n1", "monitor")


def test_start_that_failed_on_a_disk_it_never_reached_can_be_stopped(plain):
    """Else the node would be fenced for a disk that it has done nothing to."""
    plain.lab.hang(0)
    plain.must("n1", "start", GENERIC, timeout=4)
    plain.must("n1", "stop", timeout=4)
    plain.lab.resume()
    plain.must("n1", "monitor", NOT_RUNNING)


def test_stop_needs_no_parameters(plain):
    """An orphan's are not known any more; and what is held does not follow from newer ones."""
    plain.must("n1", "start")
    plain.must("n1", "stop", devices=None)
    assert plain.free()
    plain.must("n1", "start")
    plain.must("n1", "stop", key_value="hash", devices="/dev/lun0")
    assert plain.free()


def test_plain_clone_is_refused(plain):
    assert "make it promotable" in reason(plain.must("n1", "start", CONFIGURED, CRM_meta_clone_max=2))


def test_evicted_node_whose_cluster_comes_back_does_not_run_it(plain):
    plain.must("n1", "start")
    plain.must("n2", "start")
    plain.must("n1", "monitor", NOT_RUNNING)        # a probe; a recurring monitor would fail


# ---------------------------------------------------------------- input

@pytest.mark.parametrize("parameters,code,complaint", [
    ({"devices": None}, CONFIGURED, "devices is not set"),
    ({"devices": "/dev/nothing"}, INSTALLED, "/dev/nothing: no such device"),
    ({"devices": "/etc/passwd"}, INSTALLED, "/etc/passwd: not a block device"),
    ({"devices": "/dev/loop0"}, INSTALLED, "no persistent reservations"),
    ({"key": "0"}, CONFIGURED, "0 is no key"),
    ({"key": "xyz"}, CONFIGURED, "not a key"),
    ({"key": f"{KEYS['n2']:x}"}, GENERIC, "is also that of n2"),
    ({"key_value": "guess"}, CONFIGURED, "key_value=guess: not one of name64, hash, id"),
    ({"reservation_type": "5"}, CONFIGURED, "reservation_type=5: not one of"),
    ({"required_devices": "many"}, CONFIGURED, "required_devices=many"),
    ({"fence_blkpr": "perhaps"}, CONFIGURED, "not one of auto, yes, no"),
    ({"CRM_meta_promoted_max": 1, "reservation_type": "WRITE_EXCLUSIVE_ALL_REGS"}, CONFIGURED, "promotable clone"),
])
def test_bad_input_is_refused_and_no_disk_touched(plain, parameters, code, complaint):
    plain.lab.exec("n1", "modprobe loop", check=True)
    result = plain.must("n1", "start", code, **parameters)
    assert complaint in reason(result), result
    assert plain.free()
    assert plain("n1", "validate-all", level=10, **parameters).rc == code
    plain.must("n1", "monitor", NOT_RUNNING, **parameters)      # a probe: what cannot be started does not run
    plain.must("n1", "stop", **parameters)


def test_exclusive_type_needs_one_path(resource):
    result = resource("n1", "start", reservation_type="WRITE_EXCLUSIVE")
    if resource.agent.paths == 1:
        assert result.rc == SUCCESS, result
    else:
        assert result.rc == CONFIGURED and "has 2 paths" in reason(result), result
        assert resource.free()


def test_log_tells_resources_apart(plain):
    result = plain.must("n1", "start", verbose=1)
    assert result.stderr and all(line.startswith("reservation(disk): ") for line in result.stderr.splitlines()), result


def test_what_anybody_may_do(plain):
    nobody = "setpriv --reuid=65534 --clear-groups "
    run = plain.lab.exec
    assert '<resource-agent name="reservation"' in run("n1", f"{nobody}{OCF} meta-data", check=True).stdout
    assert run("n1", f"{nobody}{OCF} --help").rc == SUCCESS
    result = run("n1", nobody + plain.command("start"))
    assert result.rc == PERM and "must run as root" in reason(result), result
    result = run("n1", f"{OCF} fly")
    assert result.rc == UNIMPLEMENTED and "no action 'fly'" in reason(result), result


# ---------------------------------------------------------------- tools

def test_metadata_is_valid_by_pcs_schema(plain, tmp_path):
    import subprocess
    text = plain.lab.exec("n1", f"{OCF} meta-data", check=True).stdout
    schema = f"{lab_image.prepare().root}/usr/share/pcs/data/ocf-1.1.rng"
    found = subprocess.run(["xmllint", "--noout", "--relaxng", schema, "-"], input=text, text=True, capture_output=True)
    assert found.returncode == 0, found.stderr


def test_metadata_has_no_declarations(plain):
    """Pacemaker 3.0 logs `new_private_data: Triggered fatal assertion` for each, whenever it reads the metadata."""
    text = plain.lab.exec("n1", f"{OCF} meta-data", check=True).stdout
    assert "<!DOCTYPE resource-agent SYSTEM " in text and "<!ELEMENT" not in text and "<!ATTLIST" not in text


def test_ocf_tester_passes(plain):
    result = plain.lab.exec("n1", f"OCF_ROOT=/usr/lib/ocf ocf-tester -n disk -o devices={plain.agent.devices()} {OCF}",
                            timeout=patience(180))
    assert result.rc == 0 and "passed all tests" in result.stdout, result
    assert plain.free()


def test_key_that_was_there_before_outlives_a_start_that_fails(plain):
    """An explicit key that was registered before is not this resource's to end (begin_memory: keep)."""
    plain.lab.pr_out("n1", "--register --param-sark=0xabc", "/dev/lun0")
    plain.lab.pr_out("n2", "--register --param-sark=0xbad", "/dev/lun1")
    plain.must("n1", "start", GENERIC, key="abc", other_registrants="fail")
    plain.must("n1", "stop", key="abc", other_registrants="fail")
    assert {key for key, _ in plain.lab.keys(0)} == {"0xabc"}
