# SPDX-License-Identifier: GPL-2.0-or-later
"""Every action and every way to say it, as an administrator and as the fencer would; what makes a node safe is in
test_safety.py. What goes through to the disks (BOTH) runs on both kernels and both kinds of disks, the rest on one.
"""

import hashlib
import re

import pytest

from agent import KEYS, Agent, wait_for
from lab_host import SLOWNESS

LUNS = 3
SHAPES = ["7-plain"]
both = pytest.mark.shapes("7-plain", "6.1-multipath")
maps_only = pytest.mark.shapes("6.1-multipath", every=["7-multipath", "6.1-multipath"])


@pytest.fixture
def agent(labs, shape):
    found = Agent(labs(**shape, nodes=2, luns=LUNS))
    for node in found.lab.nodes:
        found.lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")
    return found


def evict(agent, by, victim, lun):
    """From one disk only, as no action does it."""
    agent.lab.pr_out(by, f"--preempt-abort --param-rk={KEYS[by]:#x} --param-sark={KEYS[victim]:#x} --prout-type=5",
                     f"/dev/lun{lun}")


def fencer(agent, node, text):
    """The agent as the fencer runs it: parameters on stdin."""
    return agent.lab.exec(node, "fence_blkpr", stdin=text)


# ---------------------------------------------------------------- actions

@both
def test_on_registers_every_path_and_reserves(agent):
    agent.unfence("n1")
    assert agent.registered() == agent.everywhere("n1")
    assert agent.lab.holder(0)["type"] == "Write Exclusive Access, Registrants Only"


@pytest.mark.parametrize("action,code,text", [("on", 0, "Success: Powered ON\n"), ("enable", 0, "Success: Powered ON\n"),
                                              ("off", 0, "Success: Already OFF\n"),
                                              ("disable", 0, "Success: Already OFF\n"),
                                              ("status", 2, "Status: OFF\n"), ("monitor", 0, ""),
                                              ("list", 0, "n1,\nn2,\n"), ("list-status", 0, "n1,,ON\nn2,,OFF\n"),
                                              ("validate-all", 0, "")])
def test_action_says_what_scripts_expect(agent, action, code, text):
    agent.unfence("n1")
    options = {"plug": "n1" if action in ("on", "enable") else "n2"}
    result = agent("n1", action, **options)
    assert (result.rc, result.stdout, result.stderr) == (code, text, "")


@both
def test_status_of_a_registered_node_is_on(agent):
    agent.unfence("n1", "n2")
    result = agent("n1", "status", plug="n2")
    assert (result.rc, result.stdout) == (0, "Status: ON\n")
    assert agent("n1", "status", plug="n1").stdout == "Status: ON\n"


def test_status_is_on_while_one_disk_has_the_key(agent):
    agent.unfence("n1", "n2")
    for lun in (0, 1):
        evict(agent, "n1", "n2", lun)
    assert agent("n1", "status", plug="n2").rc == 0


def test_off_is_the_default_action(agent):
    agent.unfence("n1", "n2")
    result = agent.lab.exec("n1", f"fence_blkpr -n n2 -d '{agent.devices()}'")
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n")


def test_evicted_node_may_ask_about_itself(agent):
    agent.unfence("n1", "n2")
    assert agent("n1", "off", plug="n2").rc == 0
    assert agent("n2", "status", plug="n2").stdout == "Status: OFF\n"


def test_several_nodes_in_plug(agent):
    agent.unfence("n1", "n2")
    assert agent("n1", "status", plug="n1,n2").rc == 0
    result = agent("n1", "off", plug="n2,n1")
    assert result.rc == 1 and "cannot fence itself" in result.stderr
    assert agent.registered() == agent.everywhere("n1", "n2")


@both
@pytest.mark.parametrize("kind", ["EXCLUSIVE_ACCESS_REG_ONLY", "WRITE_EXCLUSIVE_ALL_REGS", "EXCLUSIVE_ACCESS_ALL_REGS"])
def test_other_reservation_types_fence_as_well(agent, kind):
    options = {"reservation_type": kind}
    agent.unfence("n1", "n2", **options)
    assert agent("n1", "monitor", **options).rc == 0
    assert agent("n1", "off", plug="n2", **options).rc == 0
    assert agent("n1", "status", plug="n2", **options).rc == 2
    assert agent.lab.exec("n2", f"dd if=/dev/zero of={agent.device(0)} bs=4k count=1 oflag=direct").rc
    assert agent.lab.exec("n1", f"dd if=/dev/zero of={agent.device(0)} bs=4k count=1 oflag=direct").rc == 0


@both
def test_verbose_tells_the_whole_story(agent):
    agent.unfence("n1", "n2")
    text = agent("n1", "off", plug="n2", verbose=True).stderr.splitlines()
    assert len(text) == LUNS
    assert "arbiter" in text[0] and "arbiter" not in text[1]
    for line in text:
        assert f"{KEYS['n1']:#x} (n1)" in line and "WRITE_EXCLUSIVE_REG_ONLY held by" in line
        assert "PR generation" in line and "1 key removed" in line and line.endswith(" ms")


# ---------------------------------------------------------------- input

def test_fencer_speaks_on_stdin(agent):
    agent.unfence("n1", "n2")
    result = fencer(agent, "n1", f"# from the fencer\n\n action = off \nnodename=n2\nplug=n2\nport=n1\nplug=n2\n"
                                 f"devices=\"{agent.devices()}\"\nkey-value=id\nkey_value=name64\naptpl=0\n"
                                 "strange=1\n")
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    assert result.stderr == "fence_blkpr: ignoring the unknown parameter 'strange'\n"


def test_fence_scsi_configuration_works(agent):
    """Everything that a fence_scsi device may have; keys as fence_scsi derives them."""
    text = (f"devices={agent.devices()}\nkey_value=hash\naptpl=1\nreadonly=1\nlogfile=/tmp/fence.log\nverbose=1\n"
            "suppress-errors=0\nmpath_register_method=multi\nvgs_path=/sbin/vgs\npower_timeout=20\nshell_timeout=3\n"
            "corosync_cmap_path=/usr/sbin/corosync-cmapctl\nsg_persist_path=/usr/bin/sg_persist\nlogin_timeout=5\n"
            "sg_turs_path=/usr/bin/sg_turs\npower_wait=0\nstonith_status_sleep=1\ndisable_timeout=1\ndelay=0\n"
            "retry_on=1\nseparator=,\nplug_separator=,\nquiet=0\ndebug_file=/tmp/debug.log\n")
    assert fencer(agent, "n1", f"action=on\nnodename=n1\n{text}").rc == 0
    assert fencer(agent, "n2", f"action=on\nnodename=n2\n{text}").rc == 0
    # MD5("mycluster") begins with 6c9d, MD5("n1") with c825, MD5("n2") with a6bb
    assert {key for key, _ in agent.lab.keys(0)} == {"0x6c9dc825", "0x6c9da6bb"}
    result = fencer(agent, "n1", f"action=off\nnodename=n2\nplug=n2\n{text}")
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    assert "PR generation" in agent.lab.exec("n1", "cat /tmp/fence.log").stdout


def test_nodename_counts_where_plug_is_no_node(agent):
    """A map that leads nowhere: Pacemaker's own name for the node is nodename."""
    agent.unfence("n1", "n2")
    for text in ("plug=alias\nnodename=n2\n", "nodename=n2\nplug=alias\n"):
        assert fencer(agent, "n1", f"action=status\n{text}devices={agent.devices()}\n").rc == 0


@pytest.fixture
def crmadmin(agent):
    """Pacemaker does not run in this lab: a stand-in says who its nodes are."""
    for node in agent.lab.nodes:
        agent.lab.exec(node, "mkdir -p /run/stand-in; printf '#!/bin/sh\necho cluster node: node1.example.com \\(1\\)\n"
                             "echo remote node: r1 \\(r1\\)\n' >/run/stand-in/crmadmin; chmod +x /run/stand-in/crmadmin",
                       check=True)
    return "PATH=/run/stand-in:$PATH fence_blkpr"


@pytest.mark.parametrize("name", ["plug", "port"])
def test_plug_counts_where_nodename_is_no_node(agent, crmadmin, name):
    """What pcmk_host_map is for: corosync has another name than Pacemaker; on, off, status."""
    host = "\nnodename=node2.example.com\nnodeid=2\n"
    for text in (f"{name}=n2{host}", f"{host}{name}=n2\n"):
        for node, action, code in (("n1", "on", 0), ("n2", "on", 0), ("n1", "status", 0), ("n1", "off", 0), ("n1", "status", 2)):
            words = text.replace("2", node[1]) if action == "on" else text
            result = agent.lab.exec(node, crmadmin, stdin=f"action={action}\n{words}devices={agent.devices()}\n")
            assert (result.rc, result.stderr) == (code, ""), result
        assert agent.registered() == agent.everywhere("n1")


def test_map_of_a_remote_node_to_another_is_refused(agent, crmadmin):
    """Also where nobody says whether it is one (S1)."""
    agent.unfence("n1", "n2")
    for command, words in ((crmadmin, "r1: a remote or guest node"), (crmadmin, "plug=n2: another node than nodename=r1"),
                           ("fence_blkpr", "nodename=r1: no name of corosync's, and it cannot be asked whether")):
        plug = "r1" if "guest" in words else "n2"
        result = agent.lab.exec("n1", command, stdin=f"action=off\nplug={plug}\nnodename=r1\ndevices={agent.devices()}\n")
        assert result.rc == 1 and words in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")


def test_plug_and_nodename_of_two_nodes_are_refused(agent):
    """Pacemaker would believe that it has fenced the one that it means (S1)."""
    agent.unfence("n1", "n2")
    for action in ("off", "status"):
        result = fencer(agent, "n1", f"action={action}\nplug=n1\nnodename=n2\ndevices={agent.devices()}\n")
        assert result.rc == 1 and "plug=n1: another node than nodename=n2" in result.stderr, result
        assert "pcmk_host_map" in result.stderr
    assert agent.registered() == agent.everywhere("n1", "n2")


def test_names_in_capitals_are_the_same_to_pacemaker(agent):
    agent.unfence("n1", "n2")
    result = fencer(agent, "n1", f"action=off\nnodename=N2\nplug=N2\ndevices={agent.devices()}\n")
    assert (result.rc, result.stdout, result.stderr) == (0, "Success: Powered OFF\n", ""), result


def start_corosync(agent, edit):
    """Anew, on all nodes, with a configuration that sed has edited."""
    for node in agent.lab.nodes:
        agent.lab.exec(node, f"pkill -x corosync; while pgrep -x corosync; do sleep 0.05; done; "
                             f"sed '{edit}' /run/lab/corosync.conf >/etc/corosync/corosync.conf; corosync; "
                             "until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done", check=True)


def test_node_without_a_name_is_told(agent):
    """Corosync has addresses only, by which Pacemaker calls no node: it would believe that no device can fence any."""
    start_corosync(agent, "/name: n/d")
    try:
        for node in ("n1", "n2"):
            assert agent(node, "on").rc == 0
        remedy = "set nodelist.node.name in corosync.conf, or pcmk_host_map"
        result = agent.lab.exec("n1", "fence_blkpr -o list")
        assert (result.rc, result.stdout) == (0, "10.99.1.1,\n10.99.1.2,\n") and remedy in result.stderr, result
        result = agent("n1", "off", plug="n2")
        assert result.rc == 1 and "give the nodes names (nodelist.node.name in corosync.conf)" in result.stderr, result
        assert agent("n1", "off", plug="10.99.1.2").stdout == "Success: Powered OFF\n"
    finally:
        start_corosync(agent, "")


@pytest.mark.parametrize("bad", ["key_value=guess", "key=0", "power_timeout=soon", "reservation_type=WRITE_EXCLUSIVE",
                                 "delay=-1", "logfile=/nowhere/log", "devices=/dev/nothing"])
def test_list_needs_no_parameter_to_be_good(agent, bad):
    """Else the fencer knows of no device for the node, and never asks for the action that says what is wrong."""
    result = fencer(agent, "n1", f"action=list\nseparator=;\n{bad}\n")
    assert (result.rc, result.stdout) == (0, "n1;\nn2;\n"), result
    result = fencer(agent, "n1", f"action=validate-all\n{bad}\n")
    assert result.rc == 1 and bad.partition("=")[2] in result.stderr, result


def test_log_that_cannot_be_written_is_told_and_keeps_nobody_from_being_fenced(agent):
    agent.unfence("n1", "n2")
    result = agent("n1", "off", plug="n2", logfile="/nowhere/log", debug_file="/tmp/fence-debug.log")
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    assert result.stderr.startswith("fence_blkpr: /nowhere/log: cannot open the log file: "), result
    assert "arbiter" in agent.lab.exec("n1", "cat /tmp/fence-debug.log").stdout


@pytest.mark.parametrize("words,complaint", [
    ("power_timeout=0", "power_time-out=0: must be from 1 to"), ("power_timeout=soon", "not a whole number of seconds"),
    ("login_timeout=soon", "not a whole number of seconds"), ("devices=/dev/timeout", "/dev/time-out: no such device"),
    ("vgs_path=/tmp/vgs", "Connection timed-out"),
])
def test_no_word_is_taken_for_a_limit_that_has_passed(agent, words, complaint):
    """The fencer reads `timeout` and `timed out` on stderr as a time-out, whatever it is about."""
    agent.lab.exec("n1", "printf '#!/bin/sh\necho Connection timed out >&2; exit 5\n' >/tmp/vgs; chmod +x /tmp/vgs", check=True)
    result = fencer(agent, "n1", f"action=off\nplug=n2\n{words}\n")
    assert result.rc == 1 and complaint in result.stderr, result
    assert "timeout" not in result.stderr.lower() and "timed out" not in result.stderr.lower(), result


def test_delay_comes_before_the_deadline_starts(agent):
    agent.unfence("n1", "n2")
    result = agent("n1", "off", plug="n2", delay=2, power_timeout=1)
    assert result.rc == 0 and result.seconds >= 2, result


# ---------------------------------------------------------------- devices

@both
def test_globs_files_and_duplicates(agent):
    pattern = agent.device("*")
    agent.lab.exec("n1", f"printf '# shared disks\\n{agent.device(0)}, {pattern}\\n' >/tmp/disks", check=True)
    for devices in (pattern, "@/tmp/disks", f"{agent.device(1)} {agent.devices()}"):
        agent.lab.reset_reservations()
        result = agent("n1", "on", devices=devices, verbose=True)
        assert result.rc == 0 and len(result.stderr.splitlines()) == LUNS, result
        assert agent.registered() == agent.everywhere("n1")


@both
def test_one_path_of_a_map_stands_for_the_map(agent):
    if agent.paths == 1:
        assert agent("n1", "on", devices="/dev/lun0,/dev/disk/by-id/wwn-*").rc == 0
    else:
        assert agent("n1", "on", devices="/dev/lun0 /dev/lun1-b /dev/lun2 /dev/lun2-b").rc == 0
    assert agent.registered() == agent.everywhere("n1")


@both
def test_shared_volume_groups_are_found(agent):
    """Without devices: the disks of LVM's shared volume groups, and no others."""
    disk = agent.device(1)
    agent.lab.exec("n1", f"""wipefs -qa {disk}; pvcreate -qy {disk}; vgcreate -qy vg {disk}; vgcfgbackup -f /tmp/vg vg
        sed -i 's/^\\tflags = .*/&\\n\\tlock_type = "sanlock"\\n\\tlock_args = "1.0.0:lvmlock"/' /tmp/vg
        vgcfgrestore -f /tmp/vg vg""", check=True)      # what vgcreate --shared does once lvmlockd runs
    result = agent.lab.exec("n1", "fence_blkpr -o on -v")
    assert result.rc == 0 and len(result.stderr.splitlines()) == 1, result
    assert agent.registered() == [{}, {"n1": agent.paths}, {}]
    agent.lab.exec("n1", """cat >/etc/lvm/lvmlocal.conf <<END
report { output_format = "json" prefixes = 1 columns_as_rows = 1 quoted = 1 aligned = 1 }
END""", check=True)                                     # the administrator may like reports otherwise
    try:
        result = agent.lab.exec("n1", "fence_blkpr -o on -v")
        assert result.rc == 0 and len(result.stderr.splitlines()) == 1, result
    finally:
        agent.lab.exec("n1", "rm /etc/lvm/lvmlocal.conf", check=True)
    agent.lab.exec("n1", f"wipefs -qa {disk}", check=True)
    result = agent.lab.exec("n1", "fence_blkpr -o on -v")
    assert result.rc == 1 and "LVM has no shared volume group; set devices=" in result.stderr, result


@pytest.mark.parametrize("line", ["{", "/dev/sda:/dev/sdb", "LVM2_VG_ATTR='wz--ns':LVM2_PV_NAME='/dev/sda'", "wz--:/dev/sda"])
def test_what_vgs_should_not_print_is_refused(agent, line):
    agent.lab.exec("n1", f"""printf '#!/bin/sh\necho "  {line}"\n' >/tmp/vgs; chmod +x /tmp/vgs""", check=True)
    result = agent.lab.exec("n1", "fence_blkpr -o on --vgs-path=/tmp/vgs")
    assert result.rc == 1 and "which is no volume group's disk; set devices=" in result.stderr, result
    assert agent.registered() == [{}] * LUNS


# ---------------------------------------------------------------- disks that come late

LATE = "waiting for disks, at most "


def test_on_waits_for_a_disk_that_comes_late(agent):
    """At boot iSCSI or multipath may come up after Pacemaker."""
    agent.lab.exec("n1", f"mv {agent.device(1)} /dev/away", check=True)
    try:
        running = agent.lab.start("n1", f"{agent.command('on')} 2>/tmp/said")
        wait_for(lambda: LATE in agent.lab.exec("n1", "cat /tmp/said").stdout)
    finally:
        agent.lab.exec("n1", f"mv /dev/away {agent.device(1)}", check=True)
    result = running.wait()
    said = agent.lab.exec("n1", "cat /tmp/said").stdout
    assert (result.rc, result.stdout) == (0, "Success: Powered ON\n"), (result, said)
    assert f"s: {agent.device(1)}: no such device" in said and re.search(r"waited \d+\.\d s for disks", said)
    assert agent.registered() == agent.everywhere("n1")


@pytest.mark.parametrize("devices", ["/dev/nothing", "/dev/nothing*", ""])
def test_on_does_not_wait_for_ever(agent, devices):
    """In time for the verdict, which names what it has waited for; without devices it is LVM's groups."""
    words = f"-d '{devices}'" if devices else ""
    result = agent.lab.exec("n1", f"fence_blkpr -o on {words} --power-timeout=4")
    assert result.rc == 1 and 2.5 < result.seconds < 4, result
    first, *_, last = result.stderr.splitlines()
    reason = {"/dev/nothing": "/dev/nothing: no such device", "/dev/nothing*": "/dev/nothing*: no device matches",
              "": "no devices: none given, and LVM has no shared volume group"}[devices]
    assert LATE in first and reason in first and reason in last, result


@pytest.mark.parametrize("action", ["off", "status", "monitor", "validate-all"])
def test_other_actions_do_not_wait(agent, action):
    agent.unfence("n1", "n2")
    result = agent("n1", action, devices="/dev/nothing", plug="n2")
    assert result.rc == 1 and result.seconds < 2 * SLOWNESS and LATE not in result.stderr, result


def test_list_on_a_file_server_that_hangs_is_named(agent):
    """Whatever the agent was waiting for when its time was up, it is not corosync."""
    agent.unfence("n1", "n2")
    agent.lab.exec("n1", "rm -f /tmp/list; mkfifo /tmp/list", check=True)
    result = agent("n1", "off", plug="n2", devices="@/tmp/list", power_timeout=2)
    assert result.rc == 1 and result.seconds < 2, result
    assert "before any disk was touched, while devices was looked up; does the file server of its @file answer?" in result.stderr, result
    assert "corosync" not in result.stderr


# ---------------------------------------------------------------- explicit keys

def test_explicit_key_is_recorded_and_used(agent):
    assert agent("n1", "on", key="0xDEADBEEF").rc == 0
    agent.unfence("n2")
    assert {key for key, _ in agent.lab.keys(0)} == {"0xdeadbeef", hex(KEYS["n2"])}
    listing = agent.lab.exec("n1", "ls -ld /run/fence_blkpr; ls -l /run/fence_blkpr").stdout
    assert listing.startswith("drwx------") and listing.count("-rw------- 1 root root") == LUNS
    records = agent.lab.exec("n1", "grep -h '^0x\\|^how' /run/fence_blkpr/3*").stdout
    assert records == "0xdeadbeef\nhow key\n" * LUNS
    result = agent("n1", "off", plug="n2")
    assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n")
    assert result.stderr.count("registered the explicit key 0xdeadbeef there") == LUNS


def test_off_by_key_needs_no_name(agent):
    agent.unfence("n1")
    assert agent("n2", "on", key="abc").rc == 0
    assert agent("n1", "off", key="0xABC").stdout == "Success: Powered OFF\n"


def test_unfencing_without_a_key_forgets_the_explicit_one(agent):
    assert agent("n1", "on", key="12").rc == 0
    agent.unfence("n1")
    records = agent.lab.exec("n1", "grep -h '^0x\\|^how' /run/fence_blkpr/3*").stdout
    assert records == f"{KEYS['n1']:#x}\nhow name64\n" * LUNS
    assert agent.registered() == agent.everywhere("n1")


def test_record_that_contradicts_the_disk_is_not_believed(agent):
    agent.unfence("n1", "n2")
    agent.lab.exec("n1", "sed -i 's/^0x.*/0x77/; s/^how.*/how key/' /run/fence_blkpr/3*", check=True)
    result = agent("n1", "off", plug="n2")
    assert result.rc == 1 and "this node's key 0x77" in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")


def test_record_that_others_can_write_is_not_believed(agent):
    assert agent("n1", "on", key="12").rc == 0
    agent.lab.exec("n1", "chmod 666 /run/fence_blkpr/3*", check=True)
    result = agent("n1", "monitor")
    assert result.rc == 1 and "cannot trust the record" in result.stderr, result


def test_keys_per_node_are_refused_before_a_cluster_relies_on_them(agent):
    """fence_mpath's usual set-up: a fence device a node, each with a key. Nobody could tell the others' from a stranger's."""
    fenced = "PCMK_service=pacemaker-fenced "
    result = agent.lab.exec("n1", fenced + agent.command("on", key="1"))
    assert result.rc == 1 and "key=0x1: leave it out, on every node" in result.stderr, result
    assert agent.registrations() == 0
    assert agent.lab.exec("n1", fenced + agent.command("on", key="1", unknown_keys="allow")).rc == 0     # somebody's word
    assert agent("n2", "on", key="2").rc == 0                                                            # by hand
    for action, options in (("monitor", {}), ("monitor", {"key": "1"}), ("status", {"plug": "n1", "key": "1"})):
        result = agent("n1", action, **options)
        assert result.rc == (0 if action == "status" else 1), result
        assert action == "status" or "the key 0x2 is registered and belongs to no cluster node that is known here; if another node " \
            "has it by key=, leave key= out on every node" in result.stderr, result


# ---------------------------------------------------------------- bad input: a clear error, and no disk touched

@pytest.mark.parametrize("words,complaint", [
    ("-o off -n n2 -d /dev/nothing", "/dev/nothing: no such device"),
    ("-o off -n n2 -d '/dev/nothing*'", "/dev/nothing*: no device matches"),
    ("-o off -n n2 -d '{devices} /dev/nothing'", "/dev/nothing: no such device"),
    ("-o off -n n2 -d /etc/passwd", "/etc/passwd: not a block device"),
    ("-o off -n n2 -d '{devices},{loop}'", "so it has no persistent reservations"),
    ("-o on -d '{devices},{loop}'", "so it has no persistent reservations"),
    ("-o off -n n2 -d '{devices},{partition}'", "a partition; reservations belong to the whole disk"),
    ("-o off -n n2 -d ','", "the list in devices is empty"),
    ("-o off -n n2 -d @/nowhere", "@/nowhere: cannot read the list of devices"),
    ("-o off -n n2 -d '{devices}' -k 0", "0 is no key"),
    ("-o off -n n2 -d '{devices}' -k 12345678901234567", "more than 16 hexadecimal digits"),
    ("-o off -n n2 -d '{devices}' -k xyz", "not a key"),
    ("-o off -n n1 -d '{devices}'", "a node cannot fence itself"),
    ("-o off -n n9 -d '{devices}'", "n9: no such node in the cluster 'mycluster'; use one of its names, a fence device needs no "
                                    "pcmk_host_list; its remote nodes are not known (crmadmin"),
    ("-o off -n n9 -d '{devices}'", "; it has n1 n2\n"),
    ("-o on -n n2 -d '{devices}'", "\"on\" registers the local node only"),
    ("-o on -n n1 -k 6c9d58dea6bbc91a -d '{devices}'", "is also that of n2"),
    ("-o off -d '{devices}'", "no node: set plug"),
    ("-o fly -n n2 -d '{devices}'", "Unrecognised action 'fly'"),
    ("-o off -n n2 -d '{devices}' --fly", "unknown or ambiguous option --fly"),
    ("-o off -n n2 -d '{devices}' stray", "stray argument 'stray'"),
    ("-o off -n n2 -d '{devices}' --key-value=guess", "key_value=guess: not one of name64, hash, id"),
    ("-o off -n n2 -d '{devices}' --reservation-type=WRITE_EXCLUSIVE", "reservation_type=WRITE_EXCLUSIVE: not one of"),
    ("-o off -n n2 -d '{devices}' --power-timeout=soon", "not a whole number of seconds"),
    ("-o off -n n2 -d '{devices}' --power-timeout=0", "must be from 1 to"),
])
def test_bad_input_is_refused_and_no_disk_touched(agent, words, complaint):
    agent.unfence("n1", "n2")
    before = [agent.lab.holder(k) for k in range(LUNS)]
    agent.lab.exec("n1", "modprobe loop", check=True)
    partition = make_partition(agent) if "{partition}" in words else ""
    result = agent.lab.exec("n1", "fence_blkpr " + words.format(devices=agent.devices(), loop="/dev/loop0", partition=partition))
    assert result.rc == 1 and result.stdout == "", result
    assert complaint in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")
    assert [agent.lab.holder(k) for k in range(LUNS)] == before


def make_partition(agent):
    """A partition of a shared disk, as the kernel sees it; no table is written to the disk."""
    return agent.lab.exec("n1", "disk=$(readlink -f /dev/lun0); [ -e ${disk}1 ] || addpart $disk 1 2048 4096; "
                                "until [ -b ${disk}1 ]; do sleep 0.01; done; echo ${disk}1", check=True).stdout.strip()


def test_only_root_may(agent):
    agent.unfence("n1", "n2")
    for action in ("on", "off", "status", "monitor"):
        result = agent.lab.exec("n1", f"setpriv --reuid=65534 --clear-groups {agent.command(action, plug='n2')}")
        assert result.rc == 1 and "must run as root" in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")


def test_without_a_cluster_only_explicit_keys_work(agent):
    agent.unfence("n1", "n2")
    agent.lab.exec("n1", "pkill -STOP -x nothing; mv /etc/corosync/corosync.conf /etc/corosync/away; pkill -x corosync; "
                         "while pgrep -x corosync; do sleep 0.05; done")
    try:
        result = agent("n1", "off", plug="n2")
        assert result.rc == 1 and "is the cluster started on this node" in result.stderr, result
        assert agent("n1", "on", key=f"{KEYS['n1']:x}").rc == 0
        result = agent("n1", "off", key=f"{KEYS['n2']:x}")
        assert (result.rc, result.stdout) == (0, "Success: Powered OFF\n"), result
    finally:
        agent.lab.exec("n1", "mv /etc/corosync/away /etc/corosync/corosync.conf; corosync; "
                             "until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done", check=True)


# ---------------------------------------------------------------- monitor

@both
def test_monitor_finds_a_lost_key_and_a_lost_reservation(agent):
    agent.unfence("n1", "n2")
    evict(agent, "n2", "n1", 1)
    result = agent("n1", "monitor")
    assert result.rc == 1 and result.stderr.count("\n") == 1, result
    assert f"{agent.device(1)}: this node's key" in result.stderr


def test_monitor_finds_an_unknown_key(agent):
    agent.unfence("n1")
    assert agent("n2", "on", key="bad", devices=agent.device(2)).rc == 0
    result = agent("n1", "monitor")
    assert result.rc == 1 and "the key 0xbad is registered and belongs to no cluster node" in result.stderr, result
    assert agent("n1", "monitor", unknown_keys="allow").rc == 0


@maps_only
def test_monitor_finds_fewer_registrations_than_paths(agent):
    agent.unfence("n2")     # holds the reservation
    agent.unfence("n1")
    agent.lab.pr_out("n1", f"--register --param-rk={KEYS['n1']:#x} --param-sark=0", "/dev/lun0-b")
    result = agent("n1", "monitor")
    assert result.rc == 1 and "registered on 1 of 2 paths" in result.stderr, result


@both
def test_monitor_and_off_find_a_key_that_nodes_share(agent):
    """One key= for the whole cluster: nobody could be fenced by it."""
    for node in ("n1", "n2"):
        assert agent(node, "on", key="abc").rc == 0
    result = agent("n1", "monitor")
    assert result.rc == 1 and "0xabc (this node) is registered by another initiator too" in result.stderr, result
    result = agent("n1", "off", plug="n2")
    assert result.rc == 1 and "registered by another initiator too" in result.stderr, result


# ---------------------------------------------------------------- wrong victims

def test_another_key_than_the_victims_proves_nothing(agent):
    """key= was added to the configuration, and the victim still has the key that follows from its name."""
    agent.unfence("n1", "n2")
    for action in ("off", "status"):
        result = agent("n1", action, plug="n2", key="abc123")
        assert result.rc == 1 and f"{KEYS['n2']:#x} (n2) is registered" in result.stderr, result


def test_key_and_name_must_go_together(agent):
    agent.unfence("n1", "n2")
    result = agent("n1", "off", plug="n1", key=f"{KEYS['n2']:x}")
    assert result.rc == 1 and "is also that of n2" in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")


@pytest.mark.parametrize("action", ["off", "status", "monitor"])
def test_changed_key_value_is_named(agent, action):
    """This node's record of this boot has another key: it was not evicted."""
    agent.unfence("n1", "n2")
    result = agent("n1", action, plug="n2", key_value="hash")
    assert result.rc == 1 and "or never unfenced" not in result.stderr, result
    assert (f"this node's key 0x6c9dc825 (n1) is not registered; it has registered {KEYS['n1']:#x} (what n1 has with "
            "key_value=name64) before") in result.stderr, result
    assert agent.registered() == agent.everywhere("n1", "n2")


def test_node_list_that_changed_proves_nothing(agent):
    """key_value=id: the victim registered from another position than it has now."""
    agent.unfence("n1", key_value="id")
    agent.lab.exec("n2", f"fence_blkpr -o on -k 6c9d0007 -d {agent.devices()}", check=True)
    result = agent("n1", "off", plug="n2", key_value="id")
    assert result.rc == 1 and "0x6c9d0007 is registered and belongs to no cluster node; n2 may be using it" in result.stderr


@maps_only
def test_unfencing_with_a_dead_path_keeps_the_good_one(agent):
    """KERNEL.md trap 4: a REGISTER on the map that fails on one path takes the key from the others."""
    agent.unfence("n1", "n2")
    agent.lab.exec("n2", "echo offline >/sys/block/$(basename $(readlink -f /dev/lun0))/device/state", check=True)
    try:
        result = agent("n2", "on")
        assert result.rc == 0, result
        assert agent.lab.exec("n2", f"dd if=/dev/zero of={agent.device(0)} bs=4k count=1 oflag=direct").rc == 0
    finally:
        agent.lab.exec("n2", "echo running >/sys/block/$(basename $(readlink -f /dev/lun0))/device/state", check=True)


def test_remote_nodes_keys_are_known(agent):
    """Pacemaker's remote nodes are none of corosync's. A stand-in says who they are: Pacemaker does not run in this lab."""
    agent.lab.exec("n1", "mkdir -p /run/stand-in; printf '#!/bin/sh\necho remote node: r1 \\(r1\\)\n' >/run/stand-in/crmadmin; "
                         "chmod +x /run/stand-in/crmadmin", check=True)
    agent.unfence("n1")
    key = "".join(hashlib.md5(name.encode()).hexdigest()[:8] for name in ("mycluster", "r1"))
    assert agent("n2", "on", key=key).rc == 0
    for action, codes in (("status", (1, 2)), ("off", (1, 0)), ("monitor", (1, 0))):
        assert agent("n1", action, plug="n2").rc == codes[0]
        result = agent.lab.exec("n1", "PATH=/run/stand-in:$PATH " + agent.command(action, plug="n2"))
        assert result.rc == codes[1], result
    assert f"0x{key}" in {found for found, _ in agent.lab.keys(0)}


# ---------------------------------------------------------------- Pacemaker's own tools

def test_pacemaker_tools_accept_the_agent(agent):
    run = agent.lab.exec
    assert "fence_blkpr" in run("n1", "stonith_admin -M -a fence_blkpr", check=True).stdout
    assert "<parameter name=\"plug\"" in run("n1", "crm_resource --show-metadata stonith:fence_blkpr", check=True).stdout
    good = run("n1", f"stonith_admin --validate --agent fence_blkpr --option devices={agent.devices()}")
    assert good.rc == 0, good
    bad = run("n1", "stonith_admin --validate --agent fence_blkpr --option devices=/dev/nothing")
    assert bad.rc != 0 and "/dev/nothing: no such device" in bad.stdout + bad.stderr, bad


def test_starts_in_a_tenth_of_fence_scsis_time(agent):
    """`-o metadata`, nothing else: the quickest of runs in turn, for others use this machine, too. Debian's fence_scsi."""
    script = ("import subprocess, time\n"
              "def once(name):\n"
              "    began = time.monotonic()\n"
              "    subprocess.run([name, '-o', 'metadata'], stdout=subprocess.DEVNULL, check=True)\n"
              "    return time.monotonic() - began\n"
              "pairs = [(once('fence_blkpr'), once('fence_scsi')) for _ in range(12)]\n"
              "print(*map(min, zip(*pairs)))\n")
    ours, theirs = map(float, agent.lab.exec("n1", "python3 -", stdin=script, check=True).stdout.split())
    print(f"fence_blkpr {ours * 1000:.1f} ms, fence_scsi {theirs * 1000:.1f} ms")
    assert ours < theirs / 10
