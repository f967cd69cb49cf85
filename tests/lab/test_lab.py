# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab tested by itself: what the other tests build on must be true, on both kernels."""

import os
import subprocess
import sys

import pytest

import lab as lab_module
import lab_host
import lab_image
from agent import wait_for
from lab_pool import RUN

LAB_PY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab.py")
# IOC_PR_READ_KEYS with room for no key: (ioctl's return, errno)
READ_KEYS = """python3 -c "
import fcntl, struct
fd = open('/dev/lun1')
try: print(fcntl.ioctl(fd.fileno(), 0xc01070ce, struct.pack('QII', 0, 0, 0)) and 'yes')
except OSError as e: print(e.errno)" """


@pytest.fixture(scope="module", params=["6.1", "7"])    # the scope lets pytest do one kernel after the other
def kernel(request):
    return request.param


@pytest.fixture
def lab(labs, kernel):
    return labs(kernel=kernel, nodes=2, luns=3)


@pytest.fixture
def lab2(labs, kernel):
    """Two paths, with multipath maps."""
    return labs(kernel=kernel, nodes=2, luns=3, paths=2, cluster="none")


def register(lab, node, device, key):
    lab.pr_out(node, f"--register-ignore --param-sark={key:#x}", device)


# ---------------------------------------------------------------- commands

def test_exec_keeps_stdout_stderr_and_status_apart(lab):
    result = lab.exec("n1", "echo out; echo err >&2; exit 3")
    assert (result.rc, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_exec_passes_stdin(lab):
    assert lab.exec("n2", "tr a-z A-Z", stdin="hello").stdout == "HELLO"


def test_exec_does_not_wait_for_the_background(lab):
    result = lab.exec("n1", "sleep 3000 & echo $!")
    assert not result.timed_out
    assert lab.exec("n1", f"kill {result.stdout}").rc == 0


def test_exec_ends_a_command_that_is_out_of_time(lab):
    result = lab.exec("n1", "echo begun; sleep 3000", timeout=3)
    assert (result.rc, result.timed_out, result.stdout) == (124, True, "begun\n")
    assert 3 <= result.seconds < 4


def test_commands_run_at_the_same_time(lab):
    """Each waits for a word that a later one has for it; one after the other they would never end."""
    for machine in lab.machines:
        lab.exec(machine, "rm -f /run/word; mkfifo /run/word", check=True)
    waiting = [lab.start(machine, "cat /run/word") for machine in lab.machines]
    saying = [lab.start(machine, "echo now >/run/word") for machine in lab.machines]
    assert [r.wait().stdout for r in waiting] == ["now\n"] * 3
    assert [r.wait().rc for r in saying] == [0] * 3


# ---------------------------------------------------------------- what a node has

def test_the_node_runs_the_kernel_asked_for(lab):
    assert lab.exec("n1", "uname -r").stdout.strip() == lab.config["kernel"]


def test_read_keys_ioctl_works_on_7_only(lab):
    works = lab.exec("n1", READ_KEYS, check=True).stdout.strip() == "yes"
    assert works == (not lab.config["kernel"].startswith("6."))


def test_every_lun_has_its_name_on_every_node(lab):
    names = [lab.exec(n, "for k in 0 1 2; do cat /sys/block/$(readlink /dev/lun$k)/device/wwid; done").stdout
             for n in lab.nodes]
    assert names[0] == names[1]
    wwids = names[0].split()
    assert len(wwids) == 3 and wwids == sorted(wwids)
    for node in lab.nodes:
        for k, wwid in enumerate(wwids):
            lab.exec(node, f"test /dev/lun{k} -ef /dev/disk/by-id/wwn-0x{wwid.removeprefix('naa.')}", check=True)


def test_corosync_knows_the_cluster(lab):
    text = lab.exec("n1", "corosync-cmapctl totem.cluster_name; corosync-cmapctl nodelist.node").stdout
    assert "= mycluster" in text
    assert "nodelist.node.0.name (str) = n1" in text
    assert "nodelist.node.1.nodeid (u32) = 2" in text


# ---------------------------------------------------------------- reservations

def test_keys_and_holder_are_the_targets_truth(lab):
    register(lab, "n1", "/dev/lun1", 0xa1)
    register(lab, "n2", "/dev/lun1", 0xb2)
    lab.pr_out("n2", "--reserve --param-rk=0xb2 --prout-type=5", "/dev/lun1")
    assert sorted(key for key, _ in lab.keys(1)) == ["0xa1", "0xb2"]
    assert lab.keys(0) == []
    holder = lab.holder(1)
    assert holder["key"] == "0xb2" and ":n2," in holder["holder"] and "Registrants Only" in holder["type"]


def test_reset_leaves_nothing_reserved_and_no_unit_attention(lab):
    for k in range(3):
        register(lab, "n1", f"/dev/lun{k}", 0xa1)
        register(lab, "n2", f"/dev/lun{k}", 0xb2)
    lab.pr_out("n1", "--reserve --param-rk=0xa1 --prout-type=5", "/dev/lun0")
    lab.reset_reservations()
    assert [lab.keys(k) for k in range(3)] == [[], [], []]
    assert lab.holder(0)["holder"] is None
    for node in lab.nodes:
        for k in range(3):
            assert lab.exec(node, f"sg_turs /dev/lun{k}").rc == 0


def test_a_map_registers_every_path(lab2):
    register(lab2, "n1", "/dev/mapper/mp1", 0xa1)
    lab2.exec("n1", "python3 -c \"import fcntl, struct; map = open('/dev/mapper/mp0'); "
                    "fcntl.ioctl(map, 0x401870c8, struct.pack('QQII', 0, 0xa1, 1, 0))\"",
              check=True)
    assert [key for key, _ in lab2.keys(0)] == ["0xa1", "0xa1"]
    lab2.exec("n1", "test -b /dev/lun0-b -a /dev/mapper/mp0 -ef /dev/disk/by-id/dm-uuid-mpath-3*abc000*", check=True)


# ---------------------------------------------------------------- failures

def sg_persist_hangs_and_comes_back(lab, device, other):
    lab.hang(0)
    command = lab.start("n1", f"sg_persist -ik {device}")
    wait_for(lambda: lab.exec("n1", "ps -eo stat,comm | grep '^D.*sg_persist'").rc == 0)
    assert lab.exec("n1", f"sg_persist -ik {other}").rc == 0
    assert lab.exec("n2", f"sg_persist -ik {device}", timeout=0.5).timed_out
    assert not command.done()
    lab.resume(0)
    assert command.wait().rc == 0
    assert lab.exec("n2", f"sg_persist -ik {device}").rc == 0


def test_a_lun_hangs_and_comes_back(lab):
    sg_persist_hangs_and_comes_back(lab, "/dev/lun0", "/dev/lun1")


def test_a_map_hangs_and_comes_back(lab2):
    sg_persist_hangs_and_comes_back(lab2, "/dev/mapper/mp0", "/dev/mapper/mp1")


def test_a_lun_that_cannot_hang_says_so(lab):
    with pytest.raises(lab_module.LabError, match="--hang-luns 1"):
        lab.hang(1)


def test_cut_ring_splits_the_cluster_and_heal_joins_it(lab):
    def members():
        return lab.exec("n1", "corosync-cmapctl -b runtime.members | grep -c 'status (str) = joined'").stdout.strip()
    wait_for(lambda: members() == "2")
    lab.cut("n2", "ring")
    assert lab.cuts("n2") == ["ring"]
    wait_for(lambda: members() == "1")
    lab.heal("n2", "ring")
    wait_for(lambda: members() == "2")


def test_cut_san_fails_io_and_heal_mends_it(lab):
    read = "dd if=/dev/lun1 of=/dev/null bs=4k count=1 iflag=direct"
    lab.cut("n2", "san")
    assert lab.exec("n2", read).rc == 1
    assert lab.exec("n1", read).rc == 0
    lab.heal("n2", "san")
    wait_for(lambda: lab.exec("n2", read).rc == 0)


def test_latency_delays_the_target(lab):
    lab.latency(50)
    try:
        assert lab.exec("n1", "sg_turs /dev/lun1").seconds > 0.05
    finally:
        lab.latency(0)
    assert "netem" not in lab.exec("stor", "tc qdisc show").stdout


def test_a_killed_node_is_off_and_comes_back_as_the_same_registrant(lab):
    register(lab, "n2", "/dev/lun1", 0xb2)
    lab.exec("n2", "touch /etc/left-over")
    lab.kill("n2")
    assert lab.state("n2") == "off"
    with pytest.raises(lab_module.LabError, match="n2 is off"):
        lab.exec("n2", "true")
    assert len(lab.keys(1)) == 1
    lab.boot("n2")
    assert lab.exec("n2", "test -e /etc/left-over").rc == 1
    before = lab.keys(1)
    register(lab, "n2", "/dev/lun1", 0xb3)
    assert [who for _, who in lab.keys(1)] == [who for _, who in before]


def test_a_frozen_node_does_not_answer_until_thawed(lab):
    lab.freeze("n2")
    with pytest.raises(lab_module.LabError, match="n2 is frozen"):
        lab.exec("n2", "true")
    lab.thaw("n2")
    assert lab.exec("n2", "true").rc == 0


# ---------------------------------------------------------------- up and down

def test_even_nodes_shuffled_find_the_luns_backwards():
    found = lab_module.up(name=f"{RUN}-shuffled", luns=3, cluster="none", shuffle=True, hang_luns=[])
    try:
        assert found.exec("n2", "readlink /dev/lun0 /dev/lun1 /dev/lun2").stdout.split() == ["sdc", "sdb", "sda"]
    finally:
        found.down()


def test_a_stage_lies_over_the_nodes_root(tmp_path):
    (tmp_path / "usr/sbin").mkdir(parents=True)
    script = tmp_path / "usr/sbin/fence_none"
    script.write_text("#!/bin/sh\necho staged\n")
    script.chmod(0o755)
    found = lab_module.up(name=f"{RUN}-staged", nodes=1, cluster="none", stage=str(tmp_path))
    try:
        assert found.exec("n1", "fence_none && test -x /usr/bin/sg_persist", check=True).stdout == "staged\n"
    finally:
        found.down()


def test_down_leaves_nothing():
    name = f"{RUN}-gone"
    found = lab_module.up(name=name, nodes=1, luns=1, cluster="none")
    netns, directory = found.netns, found.dir
    found.exec("n1", "sleep 1000 &")
    inode = lab_host.namespace_id(netns)
    assert [p for p in os.listdir("/proc") if p.isdigit() and lab_host.namespace_of(p) == inode]
    found.down()
    assert not os.path.exists(directory)
    assert not os.path.exists(f"/run/netns/{netns}")
    assert not [p for p in os.listdir("/proc") if p.isdigit() and lab_host.namespace_of(p) == inode]
    with open("/proc/mounts") as f:
        assert name not in f.read()


def test_a_lab_that_fails_half_way_is_torn_down(monkeypatch):
    name = f"{RUN}-half"
    monkeypatch.setattr(lab_module.Lab._wait_ready, "__defaults__", (0,))
    with pytest.raises(lab_module.LabError, match="did not start: .*\n--- end of its console"):
        lab_module.up(name=name, nodes=1, cluster="none")
    assert not os.path.exists(os.path.join(lab_module.RUN, name))
    assert not os.path.exists(f"/run/netns/blkpr-{name}")


def test_restore_brings_a_battered_lab_back(labs):
    lab = labs(kernel="7", nodes=2, luns=3)
    register(lab, "n1", "/dev/lun1", 0xa1)
    lab.freeze("n1")
    lab.cut("n2", "san")
    lab.kill("n2")
    lab.latency(20)
    lab.restore()
    assert [lab.state(m) for m in lab.machines] == ["running"] * 3
    assert lab.keys(1) == []
    for node in lab.nodes:
        assert lab.exec(node, "sg_turs /dev/lun0 && sg_turs /dev/lun1").rc == 0


def test_without_a_kernel_7_the_newest_takes_its_place(tmp_path, capsys):
    (tmp_path / "kernels").mkdir()
    for version in ("6.1.176", "6.12.9"):
        (tmp_path / "kernels" / version).touch()
    image = lab_image.Image(str(tmp_path))
    assert image.kernel("7") == "6.12.9"
    assert "no kernel of Linux 7" in capsys.readouterr().err
    assert image.kernel("6.1") == "6.1.176"
    with pytest.raises(lab_image.ImageError, match="there are: 6.1.176, 6.12.9"):
        image.kernel("5")


def test_the_command_line_runs_a_command_and_gives_its_status(labs):
    found = labs(kernel="7", nodes=2, luns=3)
    cmd = [sys.executable, LAB_PY, "exec", "--name", found.name, "n1", "echo out; echo err >&2; exit 4"]
    done = subprocess.run(cmd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "out\n", "err\n")
