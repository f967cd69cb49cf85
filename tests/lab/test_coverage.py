# SPDX-License-Identifier: GPL-2.0-or-later
"""S9: success speaks of every disk that the nodes share, not of those that a name happens to match now."""

import base64
import os

import pytest

from agent import KEYS, Agent, wait_for
from pacemaker import Cluster, until
from resource_agent import NOT_RUNNING, Resource

LUNS = 3
GLOB = "/dev/lun[0-9]"
FILES = "/run/fence_blkpr /var/lib/fence_blkpr"
FENCER = "PCMK_service=pacemaker-fenced "        # in the environment of what the fencer runs
AWAY = "not there any more, and nobody has taken it away on purpose"


class Nodes(Agent):
    """Two nodes that share all LUNs, and have never used them."""

    def name(self, lun):
        return f"/dev/lun{lun}"

    def restart(self, node, *away):
        """Reboot it: /var/lib is what it was, /run is new, and these LUNs are not mapped to it."""
        kept = self.lab.exec(node, "tar -C / -cf - var/lib/fence_blkpr 2>/dev/null | base64 -w 0").stdout
        self.lab.kill(node)
        self.lab.boot(node)
        self.lab.exec(node, "base64 -d | tar -C / -xf - 2>/dev/null", stdin=kept)
        for lun in away:
            self.lab.detach(node, lun)

    def must(self, node, action, devices=GLOB, rc=0, **options):
        result = self(node, action, devices, **options)
        assert result.rc == rc, result
        return result

    def has_written(self, node, lun):
        return self.lab.exec(node, f"dd if=/dev/zero of={self.name(lun)} bs=4k count=1 oflag=direct").rc == 0


@pytest.fixture
def nodes(labs):
    found = Nodes(labs(kernel="7", nodes=2, luns=LUNS))
    for node in found.lab.nodes:
        found.lab.exec(node, f"rm -rf {FILES}", check=True)
    return found


@pytest.fixture
def pair(nodes):
    """Both are registered on what the glob matches, which is all."""
    for node in ("n1", "n2"):
        nodes.must(node, "on")
    return nodes


# ---------------------------------------------------------------- T3a: a disk that is away

@pytest.mark.parametrize("lun", [0, 1])     # 0 is the arbiter
def test_disk_that_is_away_when_a_node_boots_is_missed(pair, lun):
    pair.restart("n1", lun)
    assert AWAY in pair.must("n1", "on").stderr
    assert pair.must("n1", "status", plug="n2").stdout == "Status: ON\n"
    for action, options in (("off", {"plug": "n2"}), ("status", {"plug": "n2"}), ("monitor", {})):
        result = pair.must("n1", action, rc=1, power_timeout=4, **options)
        assert f"{pair.name(lun)}: {AWAY}" in result.stderr and "fence_blkpr -o forget" in result.stderr, result
    assert [sorted(disk) for disk in pair.registered()] == [["n1", "n2"] if k == lun else ["n1"] for k in range(LUNS)]
    assert pair.has_written("n2", lun)
    pair.lab.attach("n1", lun)
    pair.must("n1", "on")
    pair.must("n1", "off", plug="n2")
    assert pair.registered() == pair.everywhere("n1")
    assert not pair.has_written("n2", lun)


def test_on_forgets_no_disk(pair):
    pair.lab.detach("n1", 1)
    pair.must("n1", "on")
    assert f"{pair.name(1)}: {AWAY}" in pair.must("n1", "off", rc=1, plug="n2").stderr


def test_node_without_the_arbiter_leaves_the_decision_to_the_one_that_has_it(pair):
    """Both halves fence each other at once: the arbiter is the same disk for both, there or not."""
    pair.restart("n1", 0)
    pair.must("n1", "on")
    running = [pair.start(node, "off", GLOB, plug=victim, power_timeout=6) for node, victim in (("n1", "n2"), ("n2", "n1"))]
    results = [r.wait() for r in running]
    assert [r.rc for r in results] == [1, 0], results
    assert pair.registered() == pair.everywhere("n2")


def test_disk_is_found_by_its_identity_under_another_name(pair):
    for node in ("n1", "n2"):
        pair.lab.exec(node, "ln -s $(readlink -f /dev/lun1) /dev/shared-x", check=True)
        pair.must(node, "on", "/dev/shared-x")
    pair.lab.exec("n1", "rm /dev/shared-x /dev/lun1", check=True)
    try:
        pair.must("n1", "off", plug="n2")
        assert pair.registered() == pair.everywhere("n1")
    finally:
        pair.lab.exec("n1", "for d in /sys/block/sd*; do case $(readlink -f $d/device) in *:1) ln -s ${d##*/} /dev/lun1;; "
                            "esac; done", check=True)


def test_named_disk_that_is_away_does_not_keep_the_others_from_being_fenced(pair):
    pair.lab.detach("n1", 1)
    result = pair.must("n1", "off", pair.devices(), rc=1, plug="n2")
    assert f"{pair.name(1)}: {AWAY}" in result.stderr, result
    assert [sorted(disk) for disk in pair.registered()] == [["n1"], ["n1", "n2"], ["n1"]]


def test_name_that_nobody_knows_is_refused_before_any_disk_is_touched(pair):
    result = pair.must("n1", "off", f"{pair.devices()},/dev/nothing", rc=1, plug="n2")
    assert "/dev/nothing: no such device" in result.stderr, result
    assert pair.registered() == pair.everywhere("n1", "n2")


def test_lvm_that_does_not_answer_does_not_keep_known_disks_from_being_fenced(pair):
    pair.lab.exec("n1", "printf '#!/bin/sh\nexec sleep 100\n' >/tmp/vgs; chmod +x /tmp/vgs", check=True)
    result = pair.lab.exec("n1", "fence_blkpr -o off -n n2 --vgs-path=/tmp/vgs --power-timeout=4")
    assert result.rc == 1 and "there may be more disks than these" in result.stderr, result
    assert pair.registered() == pair.everywhere("n1")


def test_lvm_that_misses_a_disk_does_not_keep_the_others_from_being_fenced(nodes):
    """What vgs prints of a disk that is not there, first, and its name is no use."""
    def groups(node, *disks):
        lines = "".join(f'echo "  wz--ns:{disk}"\n' for disk in disks)
        nodes.lab.exec(node, f"cat >/tmp/vgs <<END\n#!/bin/sh\n{lines}END\nchmod +x /tmp/vgs", check=True)
    for node in ("n1", "n2"):
        groups(node, "/dev/lun0", "/dev/lun1")
        nodes.lab.exec(node, "fence_blkpr -o on --vgs-path=/tmp/vgs", check=True)
    groups("n1", "[unknown]", "/dev/lun1")
    result = nodes.lab.exec("n1", "fence_blkpr -o off -n n2 --vgs-path=/tmp/vgs")
    assert result.rc == 1 and "reconnect it, or take it out of the group (vgreduce --removemissing)" in result.stderr, result
    assert [sorted(disk) for disk in nodes.registered()] == [["n1"], ["n1"], []]


@pytest.mark.parametrize("gone", ["loop", "partition"])
def test_known_name_that_stands_for_something_else_does_not_keep_the_others_from_being_fenced(nodes, gone):
    other = "/dev/loop0" if gone == "loop" else "$(readlink -f /dev/lun1)1"
    nodes.lab.exec("n1", f"modprobe loop; disk=$(readlink -f /dev/lun1); [ -e ${{disk}}1 ] || addpart $disk 1 2048 4096; "
                         f"until [ -b {other} ]; do sleep 0.01; done", check=True)
    for node in ("n1", "n2"):
        nodes.lab.exec(node, "ln -sfn $(readlink -f /dev/lun2) /dev/shared-y", check=True)
        nodes.must(node, "on", "/dev/lun0,/dev/shared-y")
    nodes.lab.exec("n1", f"ln -sfn {other} /dev/shared-y", check=True)
    nodes.lab.detach("n1", 2)
    result = nodes.must("n1", "off", "/dev/lun0,/dev/shared-y", rc=1, plug="n2")
    assert f"/dev/shared-y: {AWAY}" in result.stderr, result
    assert [sorted(disk) for disk in nodes.registered()] == [["n1"], [], ["n1", "n2"]]
    nodes.lab.attach("n1", 2)


def test_on_waits_for_a_disk_of_before_the_boot_that_a_glob_does_not_match_yet(pair):
    pair.restart("n1", 2)
    running = pair.lab.start("n1", f"{pair.command('on', GLOB)} 2>/tmp/said")
    wait_for(lambda: "waiting for disks, at most 9 s: /dev/lun2: not there yet" in pair.lab.exec("n1", "cat /tmp/said").stdout)
    pair.lab.attach("n1", 2)
    result = running.wait()
    said = pair.lab.exec("n1", "cat /tmp/said").stdout
    assert result.rc == 0 and "s for disks" in said and AWAY not in said, (result, said)
    pair.must("n1", "off", plug="n2")
    assert pair.registered() == pair.everywhere("n1")


# ---------------------------------------------------------------- T3c: two names, one identity

WWID = "$(readlink -f /sys/block/$(basename $(readlink -f /dev/lun{}))/device)/wwid"


@pytest.fixture
def cloned(nodes):
    """LUN 2 reports the WWID of LUN 1, on both nodes."""
    for node in nodes.lab.nodes:
        nodes.lab.exec(node, f"mount --bind {WWID.format(1)} {WWID.format(2)}", check=True)
    yield nodes
    for node in nodes.lab.nodes:
        nodes.lab.exec(node, f"umount {WWID.format(2)}", check=True)


def test_two_disks_that_report_one_wwid_are_refused(cloned):
    result = cloned.must("n1", "on", rc=1)
    assert "are two disks that report one WWID" in result.stderr and "/dev/lun1" in result.stderr, result
    assert cloned.registered() == [{}] * LUNS
    assert [cloned.lab.holder(k)["holder"] for k in range(LUNS)] == [None] * LUNS
    assert cloned.lab.exec("n1", "cat /var/lib/fence_blkpr/disks").stdout == ""


def test_disks_that_report_one_wwid_are_fenced_each_and_never_proven(cloned):
    """They were registered one by one, or by a version that did not look."""
    for lun in (0, 1, 2, 2):        # generations are not the same by chance
        for node in ("n1", "n2"):
            cloned.must(node, "on", cloned.name(lun))
    if cloned.lab.holder(1)["prgen"] == cloned.lab.holder(2)["prgen"]:
        cloned.must("n1", "on", "/dev/lun2")
    for action, options in (("monitor", {}), ("off", {"plug": "n2"}), ("status", {"plug": "n2"})):
        assert "are two disks that report one WWID" in cloned.must("n1", action, rc=1, **options).stderr
    assert cloned.registered() == cloned.everywhere("n1")
    assert not cloned.has_written("n2", 1) and not cloned.has_written("n2", 2)


def test_paths_of_one_disk_without_a_map_are_all_registered(labs):
    nodes = Nodes(labs(kernel="7", nodes=2, luns=2, paths=2, lun_size=48))
    for node in nodes.lab.nodes:
        nodes.lab.exec(node, f"rm -rf {FILES}; DM_DISABLE_UDEV=1 dmsetup remove_all", check=True)
    paths = "/dev/lun[0-9] /dev/lun[0-9]-b"
    for _ in range(2):
        for node in ("n1", "n2"):
            nodes.must(node, "on", paths)
            nodes.must(node, "monitor", paths)
    assert nodes.registered() == nodes.everywhere("n1", "n2")
    for name in ("/dev/lun0", "/dev/lun1-b"):
        nodes.lab.exec("n2", f"dd if=/dev/zero of={name} bs=4k count=1 oflag=direct", check=True)
    nodes.must("n1", "off", paths, plug="n2")
    assert nodes.registered() == nodes.everywhere("n1")
    assert nodes.must("n1", "status", paths, rc=2, plug="n2").stdout == "Status: OFF\n"
    nodes.must("n2", "on", paths)
    nodes.must("n1", "off", "/dev/lun0", plug="n2")
    assert nodes.registered() == nodes.everywhere("n1")


# ---------------------------------------------------------------- T3b, T3d: more than one device

def test_success_of_one_device_speaks_of_the_others_disks(nodes):
    for node in ("n1", "n2"):
        for lun in (0, 1):
            nodes.must(node, "on", nodes.name(lun))
    nodes.must("n1", "off", nodes.name(0), plug="n2")
    assert nodes.registered() == [{"n1": 1}, {"n1": 1}, {}]
    assert not nodes.has_written("n2", 1)


def test_devices_may_differ_in_keys_and_type(nodes):
    """What another device registered is judged by that device's key_value and reservation_type."""
    other = {"key_value": "hash", "reservation_type": "EXCLUSIVE_ACCESS_REG_ONLY"}
    for node in ("n1", "n2"):
        nodes.must(node, "on", "/dev/lun0")
        nodes.must(node, "on", "/dev/lun1", **other)
    for options in ({"devices": "/dev/lun0"}, {"devices": "/dev/lun1", **other}):
        nodes.must("n1", "monitor", **options)
        assert nodes.must("n1", "status", plug="n2", **options).stdout == "Status: ON\n"
    nodes.must("n1", "off", "/dev/lun0", plug="n2")
    assert [len(nodes.lab.keys(k)) for k in range(LUNS)] == [1, 1, 0]
    assert not nodes.has_written("n2", 1) and nodes.has_written("n1", 1)
    nodes.must("n1", "status", "/dev/lun1", rc=2, plug="n2", **other)


def test_what_is_said_of_a_device_is_not_said_of_the_others_disks(nodes):
    """Unknown keys and in_flight=abort are about the disks that devices names."""
    for node, key in (("n1", "0x111"), ("n2", "0x222")):
        nodes.must(node, "on", "/dev/lun0")
        nodes.must(node, "on", "/dev/lun1", key=key)
    for unknown in ("allow", "evict"):
        result = nodes.must("n1", "off", "/dev/lun0", rc=1, plug="n2", unknown_keys=unknown)
        assert "/dev/lun1: the key 0x222 is registered and belongs to no cluster node" in result.stderr, result
        assert len(nodes.lab.keys(1)) == 2 and nodes.has_written("n2", 1)
    for node in ("n1", "n2"):
        nodes.must(node, "on", "/dev/lun1", in_flight="abort")
    result = nodes.must("n1", "off", "/dev/lun0", plug="n2", verbose=True)
    rests = [line.partition("commands in flight ")[2].partition(";")[0] for line in result.stderr.splitlines() if "PR gen" in line]
    assert rests == ["ended by a LUN RESET", "ended by PREEMPT AND ABORT alone"], result
    nodes.must("n2", "on", "/dev/lun0")
    nodes.must("n2", "on", "/dev/lun1", in_flight="abort")
    nodes.must("n1", "on", "/dev/lun1")
    result = nodes.must("n1", "off", "/dev/lun0", plug="n2", in_flight="abort", verbose=True)
    rests = [line.partition("commands in flight ")[2].partition(";")[0] for line in result.stderr.splitlines() if "PR gen" in line]
    assert rests == ["ended by PREEMPT AND ABORT alone", "ended by a LUN RESET"], result


def test_explicit_keys_of_one_device_are_not_those_of_another(nodes):
    for node, key in (("n1", "0x111"), ("n2", "0x222")):
        nodes.must(node, "on", "/dev/lun0", key=key)
        nodes.must(node, "on", "/dev/lun1")
    for action in ("off", "status"):
        result = nodes.must("n1", action, "/dev/lun0", rc=1, key="0x222")
        assert "say which node it is (-n)" in result.stderr, result
    assert [len(nodes.lab.keys(k)) for k in range(LUNS)] == [2, 2, 0]
    nodes.must("n1", "off", "/dev/lun0", plug="n2", key="0x222")
    assert [len(nodes.lab.keys(k)) for k in range(LUNS)] == [1, 1, 0]
    assert not nodes.has_written("n2", 1)


def test_device_whose_disk_lost_this_node_is_not_green_through_another(pair):
    pair.lab.pr_out("n2", f"--preempt-abort --param-rk={KEYS['n2']:#x} --param-sark={KEYS['n1']:#x} --prout-type=5",
                    "/dev/lun2")
    result = pair.must("n1", "monitor", "/dev/lun0", rc=1)
    assert "/dev/lun2: this node's key" in result.stderr, result
    assert "if no fence device uses this disk any more, fence_blkpr -o forget -d /dev/lun2" in result.stderr, result


def test_on_by_hand_changes_nothing_for_other_disks(pair):
    resource = Resource(pair.lab, devices="/dev/lun1 /dev/lun2")
    resource.must("n1", "start")
    pair.must("n1", "on", "/dev/lun0")
    pair.must("n1", "on", "/dev/lun1")
    pair.must("n1", "monitor")
    resource.must("n1", "monitor")
    resource.must("n1", "stop")
    resource.must("n1", "start")
    resource.must("n1", "monitor")
    assert pair.registered() == pair.everywhere("n1", "n2")


# ---------------------------------------------------------------- T3e: nodes that cover different disks

def test_node_that_is_on_some_of_the_disks_only_is_told_by_name(nodes):
    """It never had the disk, or the disk is one that only this node has, and that a glob has taken for a shared one."""
    nodes.lab.detach("n2", 1)
    for node in ("n1", "n2"):
        nodes.must(node, "on")
    result = nodes.must("n1", "monitor", rc=1)
    assert "/dev/lun1: n2 is registered on others of these disks (/dev/lun0), and not there" in result.stderr, result
    nodes.lab.attach("n2", 1)
    nodes.must("n2", "on")
    for node in ("n1", "n2"):
        nodes.must(node, "monitor")


def test_node_that_is_no_member_is_not_told(nodes):
    nodes.must("n2", "on", "/dev/lun0")
    nodes.must("n1", "on")
    nodes.must("n1", "monitor", rc=1)
    nodes.lab.exec("n2", "pkill -9 -x corosync", check=True)
    try:
        wait_for(lambda: nodes("n1", "monitor", GLOB).rc == 0)
    finally:
        nodes.lab.exec("n2", "corosync; until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done", check=True)


def test_node_that_is_at_its_on_is_waited_for(nodes):
    nodes.must("n1", "on")
    nodes.must("n2", "on", "/dev/lun0")
    running = nodes.start("n1", "monitor", GLOB)
    nodes.must("n2", "on")
    assert running.wait().rc == 0


def test_groups_of_nodes_with_disks_of_their_own_are_no_fault(nodes):
    """As with pcmk_host_list: a device for each group, or one whose disks are found anew on each node."""
    nodes.lab.detach("n1", 2)
    nodes.lab.detach("n2", 1)
    nodes.lab.detach("n2", 0)
    for node in ("n1", "n2"):
        nodes.must(node, "on")
    for node in ("n1", "n2"):
        result = nodes.must(node, "monitor")
        assert result.stderr == "", result


def test_node_that_covers_less_is_told_by_what_the_others_tell_it(labs):
    """What it has never seen no disk can tell it."""
    nodes = Nodes(labs(kernel="7", nodes=2, luns=LUNS, cluster="pacemaker"))
    for node in nodes.lab.nodes:
        nodes.lab.exec(node, f"rm -rf {FILES}", check=True)
    nodes.lab.detach("n2", 2)
    for node in ("n1", "n2"):
        nodes.must(node, "on")
    monitor = FENCER + nodes.command("monitor", GLOB)

    def told():
        result = nodes.lab.exec("n2", monitor)
        assert result.rc == 0, result
        return "n1 covers other disks than this node, 3 there and 2 here" in result.stderr
    wait_for(told)
    nodes.lab.attach("n2", 2)
    nodes.must("n2", "on")
    wait_for(lambda: nodes.lab.exec("n2", monitor).stderr == "")
    assert "fence-blkpr-disks" not in nodes.lab.exec("n1", "cibadmin -Q").stdout


# ---------------------------------------------------------------- T11: the guard belongs to each disk

def test_disk_that_never_had_this_nodes_key_is_no_evicted_one(nodes):
    for node in ("n1", "n2"):
        nodes.must(node, "on", "/dev/lun0")
    nodes.must("n2", "off", "/dev/lun0", plug="n1")
    result = nodes.lab.exec("n1", FENCER + nodes.command("on", "/dev/lun1"))
    assert result.rc == 0, result
    result = nodes.lab.exec("n1", FENCER + nodes.command("on", "/dev/lun0"))
    assert result.rc == 1 and "has fenced this node" in result.stderr, result
    assert [sorted(disk) for disk in nodes.registered()] == [["n2"], ["n1"], []]


# ---------------------------------------------------------------- T5: who is fenced

def test_remote_node_is_neither_listed_nor_fenced(pair):
    """It could never register: an absent key says nothing about it. A stand-in is asked who the remote nodes are."""
    pair.lab.exec("n1", "mkdir -p /run/remotes; printf '#!/bin/sh\necho remote node: r1 \\(r1\\)\n' >/run/remotes/crmadmin; "
                        "chmod +x /run/remotes/crmadmin", check=True)
    path = "PATH=/run/remotes:$PATH "
    assert pair.lab.exec("n1", path + pair.command("list", GLOB)).stdout == "n1,\nn2,\n"
    assert pair.lab.exec("n1", path + pair.command("list-status", GLOB)).stdout == "n1,,ON\nn2,,ON\n"
    for action in ("off", "status", "on"):
        result = pair.lab.exec("n1", path + pair.command(action, GLOB, plug="r1"))
        assert (result.rc, result.stdout) == (1, "") and "r1: a remote or guest node" in result.stderr, result
    assert pair.registered() == pair.everywhere("n1", "n2")


# ---------------------------------------------------------------- T9: neighbours

def test_key_of_lvms_own_reservations_is_named(nodes):
    """LVM uses the same nexus: `on` says that it has replaced its key, monitor and off whose the others are."""
    for node, key in (("n1", "0x1000000000010001"), ("n2", "0x1000000000010002")):
        nodes.lab.pr_out(node, f"--register --param-sark={key}", "/dev/lun0")
    result = nodes.must("n1", "on")
    assert "/dev/lun0: the key 0x1000000000010001 (LVM's own reservations, vgchange --persist, of host id 1) was" in result.stderr
    for action, options in (("monitor", {}), ("off", {"plug": "n2"})):
        result = nodes.must("n1", action, rc=1, **options)
        assert "the key 0x1000000000010002 (LVM's own reservations, vgchange --persist, of host id 2) is" in result.stderr


# ---------------------------------------------------------------- taken away on purpose

def test_disk_that_is_taken_away_on_purpose_is_not_missed(pair):
    for node in ("n1", "n2"):
        pair.lab.detach(node, 2)
    assert AWAY in pair.must("n1", "monitor", rc=1).stderr
    for node in ("n1", "n2"):
        assert "Success: Forgotten" in pair.must(node, "forget", "/dev/lun2").stdout
        pair.must(node, "monitor")
    pair.must("n1", "off", plug="n2")
    pair.restart("n1", 2)
    pair.must("n1", "on")
    pair.must("n1", "monitor")


@pytest.mark.parametrize("words,complaint", [("-o forget", "names in devices (-d)"),
                                             ("-o forget -d /dev/lun9", "not one of the disks that this node has registered on")])
def test_nothing_is_forgotten_by_mistake(pair, words, complaint):
    result = pair.lab.exec("n1", "fence_blkpr " + words)
    assert result.rc == 1 and complaint in result.stderr, result
    result = pair.lab.exec("n1", FENCER + "fence_blkpr -o forget -d /dev/lun0")
    assert result.rc == 1 and "for a person" in result.stderr, result
    pair.lab.detach("n1", 0)
    assert AWAY in pair.must("n1", "monitor", rc=1).stderr


def test_cluster_that_is_taken_apart_hands_its_disks_back(pair):
    holder = pair.lab.holder(0)["holder"].partition(",")[0].rpartition(":")[2]
    other = next(node for node in pair.lab.nodes if node != holder)
    result = pair.lab.exec(holder, "fence_blkpr -o release")
    assert result.rc == 1 and "this node holds the reservation, and others are registered" in result.stderr, result
    assert pair.registered() == pair.everywhere("n1", "n2")
    for node, left in ((other, [holder]), (holder, [])):
        result = pair.lab.exec(node, "fence_blkpr -o release")
        assert result.rc == 0 and result.stdout.endswith("Success: Released\n"), result
        assert pair.registered() == pair.everywhere(*left)
    for lun in range(LUNS):
        assert pair.lab.keys(lun) == [] and not pair.lab.holder(lun)["holder"]
        assert pair.has_written("n1", lun)
    assert pair.lab.exec("n1", "cat /var/lib/fence_blkpr/disks").stdout == ""


def test_release_ends_nobody_elses_registration(pair):
    """S6: n1 is not registered, and a key is typed that is n2's."""
    pair.must("n2", "off", plug="n1")
    for forget in ("true", "rm -rf /run/fence_blkpr"):
        result = pair.lab.exec("n1", f"{forget}; fence_blkpr -o release -k {KEYS['n2']:#x}")
        assert result.rc == 1 and f"key={KEYS['n2']:#x}: " in result.stderr, result
        assert pair.registered() == pair.everywhere("n2")


def test_release_keeps_what_it_cannot_reach(pair):
    holder = pair.lab.holder(1)["holder"].partition(",")[0].rpartition(":")[2]
    other = next(node for node in pair.lab.nodes if node != holder)
    pair.lab.detach(other, 1)
    result = pair.lab.exec(other, "fence_blkpr -o release")
    assert result.rc == 1 and AWAY in result.stderr, result
    assert pair.registered() == pair.everywhere("n1", "n2")


# ---------------------------------------------------------------- files of the version before

def make_old(nodes, node):
    """What the version before leaves under /run: a list for each devices parameter, and when `on` was."""
    nodes.lab.exec(node, """cd /run/fence_blkpr; for f in 3*; do
        echo "$f $(head -n 1 $f) $(sed -n 's/^name //p' $f)" >>list-0123456789abcdef; sed -n 's/^since //p' $f >.unfenced
        rm $f; done; rm -rf .disks .lock /var/lib/fence_blkpr; ls -A""", check=True)


def test_update_with_resources_running(pair):
    resource = Resource(pair.lab)
    for node in ("n1", "n2"):
        resource.must(node, "start")
        make_old(pair, node)
    resource.must("n1", "monitor")      # whichever comes first
    pair.must("n2", "monitor")
    pair.must("n1", "monitor")
    resource.must("n2", "monitor")
    assert pair.registered() == pair.everywhere("n1", "n2")
    resource.must("n2", "stop")
    resource.must("n2", "monitor", NOT_RUNNING)
    pair.restart("n1", 1)
    pair.must("n1", "on")
    assert AWAY in pair.must("n1", "off", rc=1, plug="n2").stderr


def test_node_that_was_fenced_before_the_update_is_not_unfenced(pair):
    pair.must("n2", "off", plug="n1")
    make_old(pair, "n1")
    result = pair.lab.exec("n1", FENCER + pair.command("on", GLOB))
    assert result.rc == 1 and "has fenced this node" in result.stderr, result
    assert pair.registered() == pair.everywhere("n2")


PROGRAMS = ("usr/sbin/fence_blkpr", "usr/lib/ocf/resource.d/blkpr/reservation")


@pytest.mark.skipif(not os.path.isdir(os.environ.get("BLKPR_OLD_STAGE", "")),
                    reason="BLKPR_OLD_STAGE is not the version before, installed (steps.sh before; it needs git's history)")
def test_update_in_a_running_cluster(labs):
    """The programs are replaced while the cluster runs: no monitor and no stop fails, and nobody is fenced."""
    cluster = Cluster(labs(kernel="7", nodes=2, luns=LUNS, cluster="pacemaker", stage=os.environ["BLKPR_OLD_STAGE"]))
    cluster.create_fencing()
    cluster.admin(f"pcs resource create disk ocf:blkpr:reservation devices={cluster.agent.devices()} op monitor interval=2s")

    def well():
        return (cluster.unfenced("n1", "n2") and cluster.where("fence-disks", "n1") and cluster.where("disk", "n1")
                or cluster.tell_again())
    until(well, lambda: f"the old version does not start: {cluster.tail('n1')}")
    assert "list-" in cluster.admin("ls /run/fence_blkpr")
    cluster.forget_history()
    for node in cluster.lab.nodes:
        for name in PROGRAMS:
            with open(os.path.join(os.environ["BLKPR_STAGE"], name), "rb") as f:
                cluster.lab.exec(node, f"base64 -d >/{name}.new && chmod 755 /{name}.new && mv /{name}.new /{name}",
                                 stdin=base64.b64encode(f.read()).decode(), check=True)
    until(lambda: all(cluster.lab.exec(n, "ls /run/fence_blkpr").stdout.count("list-") == 0 or n not in
                      cluster.where("fence-disks", "n1") + cluster.where("disk", "n1") for n in cluster.lab.nodes),
          "the files are not converted")
    node = cluster.where("fence-disks", "n1")[0]
    _, lines = cluster.monitors(node)
    until(lambda: cluster.monitors(node, lines)[0] >= 3, lambda: f"no three good monitors: {cluster.tail(node)}")
    cluster.admin("crm_resource --restart --resource disk --timeout 60s")
    until(lambda: cluster.where("disk", "n1"), "the resource does not start again")
    assert not cluster.status("n1").findall("failures/failure")
    assert not any(cluster.history(n, "n1") for n in cluster.lab.nodes)
    assert cluster.unfenced("n1", "n2")
