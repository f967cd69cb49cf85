# SPDX-License-Identifier: GPL-2.0-or-later
"""A node's role: log in to every LUN and name the disks, the same names on every node.

`node.py detach K` takes LUN K from the node, `node.py attach K` finds it again. `node.py mend`
waits until every disk works, and takes every path of a map back into use, as multipathd would.

There is no udevd (it would cost seconds), so this makes the links that udev would make:
    /dev/lunK, /dev/disk/by-id/wwn-0x...                LUN K by SAN A
    /dev/lunK-b                                         LUN K by SAN B (two paths only)
    /dev/mapper/mpK, /dev/disk/by-id/dm-uuid-mpath-3... LUN K by both (two paths only)
"""

import contextlib
import glob
import mmap
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import (FABRIC, HANG_LUNS, LUNS, PATHS, PORT, initiator, read,     # noqa: E402
                        targets, write)

NODE = os.environ["NODE"]
REVERSE = os.environ["SHUFFLE"] == "1" and int(NODE.lstrip("n")) % 2 == 0
QUEUE = os.environ["QUEUE"] == "1"
FOREVER = 86400
STUCK = 75                      # fabric.py knows it
ISCSID_SOCKET = "\0ISCSIADM_ABSTRACT_NAMESPACE"

SLOWNESS = int(os.environ["SLOWNESS"])          # of the machine that the lab is on

# Seconds. A cut SAN is noticed after PING_EVERY + PING_WAIT and fails I/O after REPLACEMENT more.
PING_EVERY = 1
PING_WAIT = 3 * SLOWNESS
LONGEST_READ = 60 * SLOWNESS    # with all that the error handler tries
REPLACEMENT = 2 * SLOWNESS
LOGIN = 2 * SLOWNESS            # with a fabric, which breaks off what it has accepted; usually 15


def start_initiator():
    subprocess.run(["modprobe", "-a", "iscsi_tcp", "sd_mod", "sg"]
                   + (["dm-multipath", "dm-round-robin"] if PATHS > 1 else []), check=True)
    write("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={initiator(NODE)}\n")
    os.makedirs("/run/lock/iscsi", exist_ok=True)
    subprocess.run(["iscsid"], check=True)


def settings(target):
    """iSCSI settings of a target; a LUN that can hang must hang, not time out.

    Pings pass a fabric, whatever hangs there.
    """
    hangs = target.luns[0] in HANG_LUNS
    return {
        "node.startup": "manual",
        "node.session.auth.authmethod": "None",
        "node.session.scan": "manual" if REVERSE else "auto",
        "node.session.timeo.replacement_timeout": FOREVER if hangs and not FABRIC else REPLACEMENT,
        "node.session.err_timeo.abort_timeout": FOREVER if hangs else 5 * SLOWNESS,
        "node.session.err_timeo.lu_reset_timeout": FOREVER if hangs else 5 * SLOWNESS,
        "node.session.err_timeo.tgt_reset_timeout": FOREVER if hangs else 5 * SLOWNESS,
        # while a ping is under way the kernel does not time commands out: a ping without an end keeps them
        "node.conn[0].timeo.noop_out_interval": PING_EVERY,
        "node.conn[0].timeo.noop_out_timeout": FOREVER if hangs and not FABRIC else PING_WAIT,
        "node.conn[0].iscsi.HeaderDigest": "None",
        **({"node.conn[0].timeo.login_timeout": LOGIN} if FABRIC else {}),
    }


def add_records(target):
    """Write open-iscsi's records of a target's portals (what `iscsiadm -o new` would do, a process each)."""
    for address in target.portals:
        record = {"node.name": target.iqn, "node.tpgt": 1, "node.conn[0].address": address,
                  "node.conn[0].port": PORT, "iface.iscsi_ifacename": "default", "iface.transport_name": "tcp",
                  **settings(target)}
        directory = f"/etc/iscsi/nodes/{target.iqn}/{address},{PORT},1"
        os.makedirs(directory)
        lines = "".join(f"{key} = {value}\n" for key, value in record.items())
        write(directory + "/default", f"# BEGIN RECORD 2.1.8\n{lines}# END RECORD\n")


def wait_for_portal(address):
    """Until the storage machine listens there (lab.py limits the time)."""
    while True:
        try:
            socket.create_connection((address, PORT), timeout=0.1).close()
            return
        except OSError:
            time.sleep(0.02)


def login():
    """Log in, one session after another: their order makes the ISID, so a node comes back as the same registrant."""
    everything = targets()
    for target in everything:
        add_records(target)
    wait_for_portal(everything[-1].portals[-1])         # the one that is made last
    for target in everything:
        for address in target.portals:
            login_to(target, address)


def login_to(target, address):
    """Log in to one portal, with iscsid kept awake: it sleeps a second when a connection takes over a millisecond."""
    iscsiadm = subprocess.Popen(["iscsiadm", "-m", "node", "-T", target.iqn, "-p", f"{address}:{PORT}", "--login"],
                                stdout=subprocess.DEVNULL)
    while iscsiadm.poll() is None:
        keep_iscsid_awake()
    if iscsiadm.returncode:
        sys.exit(f"iscsiadm: login to {target.iqn} at {address} failed with {iscsiadm.returncode}")


def keep_iscsid_awake():
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
        knock.connect(ISCSID_SOCKET)
    time.sleep(0.02)


def scan_backwards():
    """Find the LUNs one by one from the last, so that sda is not LUN 0."""
    for lun in reversed(range(LUNS)):
        for host in glob.glob("/sys/class/iscsi_host/host*"):
            number = os.path.basename(host)[4:]
            write(f"/sys/class/scsi_host/host{number}/scan", f"- - {lun}")
            while any(not glob.glob(f"{device}/device/block/sd*")
                      for device in glob.glob(f"/sys/class/scsi_disk/{number}:*:{lun}")):
                time.sleep(0.005)


class Path:
    """A disk sdX: which LUN it is and by which SAN it comes."""

    def __init__(self, sys_block):
        self.name = os.path.basename(sys_block)
        device = os.path.realpath(sys_block + "/device")
        self.lun = int(device.rsplit(":", 1)[1])
        self.wwid = read(device + "/wwid").removeprefix("naa.")
        self.devno = read(sys_block + "/dev")
        self.sectors = int(read(sys_block + "/size"))
        session = next(part for part in device.split("/") if part.startswith("session"))
        self.address = address_of(session)

    def __lt__(self, other):
        return (self.lun, self.address) < (other.lun, other.address)


def address_of(session, known={}):              # noqa: B006 (a cache on purpose)
    if session not in known:
        connection = session.replace("session", "connection") + ":0"
        known[session] = read(f"/sys/class/iscsi_connection/{connection}/persistent_address")
    return known[session]


def wait_for_disks(luns):
    """All paths of these LUNs, once every disk has its size (sd probes them one after another, in the background)."""
    while True:
        disks = glob.glob("/sys/block/sd*")
        if len(disks) >= len(luns) * PATHS and all(read(d + "/size") != "0" for d in disks):
            paths = [path for path in sorted(map(Path, disks)) if path.lun in luns]
            if len(paths) == len(luns) * PATHS:
                return paths
        time.sleep(0.02 + LUNS / 1000)          # looking costs the probes time


def link(target, name):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    if os.path.lexists(name):
        os.unlink(name)
    os.symlink(target, name)


def name_disks(paths):
    for lun in sorted({p.lun for p in paths}):
        first, *others = (p for p in paths if p.lun == lun)
        link(first.name, f"/dev/lun{lun}")
        link("../../" + first.name, f"/dev/disk/by-id/wwn-0x{first.wwid}")
        for other in others:
            link(other.name, f"/dev/lun{lun}-b")


def make_maps(paths):
    """One dm-multipath map a LUN, both paths in one group."""
    features = "1 queue_if_no_path" if QUEUE else "0"
    tables = []
    for lun in sorted({p.lun for p in paths}):
        mine = [p for p in paths if p.lun == lun]
        devices = " ".join(f"{p.devno} 1" for p in mine)
        tables.append(f"mp{lun},mpath-3{mine[0].wwid},,rw,0 {mine[0].sectors} multipath "
                      f"{features} 0 1 1 round-robin 0 {len(mine)} 1 {devices}")
    for i in range(0, len(tables), 64):
        subprocess.run(["dmsetup", "create", "--concise", ";".join(tables[i:i + 64])], check=True,
                       env=dict(os.environ, DM_DISABLE_UDEV="1"))
    for dm in glob.glob("/sys/block/dm-*"):     # agents tell a map by what its name resolves to
        number = os.path.basename(dm)
        link("../" + number, "/dev/mapper/" + read(dm + "/dm/name"))
        link("../../" + number, "/dev/disk/by-id/dm-uuid-" + read(dm + "/dm/uuid"))


def name_everything(paths):
    name_disks(paths)
    if PATHS > 1:
        make_maps(paths)


def main():
    start_initiator()
    login()
    if REVERSE:
        scan_backwards()
    name_everything(wait_for_disks(range(LUNS)))


# -- while the node runs

def there(lun):
    return os.path.exists(f"/dev/lun{lun}")


def detach(lun):
    """Take a LUN from this node, as if it had not been mapped to it; nothing may use it."""
    if not there(lun):
        return
    paths = wait_for_disks([lun])
    if PATHS > 1:
        subprocess.run(["dmsetup", "remove", f"mp{lun}"], check=True, env=dict(os.environ, DM_DISABLE_UDEV="1"))
    for path in paths:
        write(f"/sys/block/{path.name}/device/delete", 1)
    for name in glob.glob("/dev/lun*") + glob.glob("/dev/mapper/mp*") + glob.glob("/dev/disk/by-id/*"):
        if not os.path.exists(name):
            os.unlink(name)


def attach(lun):
    """Find a LUN again, by a scan of every SCSI host."""
    if there(lun):
        return
    for host in glob.glob("/sys/class/iscsi_host/host*"):
        write(f"/sys/class/scsi_host/{os.path.basename(host)}/scan", f"- - {lun}")
    name_everything(wait_for_disks([lun]))


def is_running(state):
    """A disk that a kernel's error handler has given up is taken back, as an administrator does it."""
    found = read(state)
    if found == "offline":
        with contextlib.suppress(OSError):      # it has become something else: the next look tells
            write(state, "running")
    return found == "running"


def reads(name):
    """Whether a disk can be read, past every cache."""
    with contextlib.suppress(OSError), mmap.mmap(-1, 4096) as buffer:
        fd = os.open(f"/dev/{name}", os.O_RDONLY | os.O_DIRECT)
        try:
            return os.preadv(fd, [buffer], 0) > 0
        finally:
            os.close(fd)
    return False


def answers(name):
    """Whether a disk runs and can be read. Who asks may wait for it in the kernel: a process of its own, to be left behind."""
    asker = os.fork()
    if not asker:
        os._exit(not (is_running(f"/sys/block/{name}/device/state") and reads(name)))
    deadline = time.monotonic() + LONGEST_READ
    while time.monotonic() < deadline:
        pid, status = os.waitpid(asker, os.WNOHANG)
        if pid:
            return status == 0
        keep_iscsid_awake()
    print(int(f"/dev/{name}" in map(os.path.realpath, glob.glob("/dev/lun*-b"))))
    sys.exit(STUCK)


def mend():
    """Until every path answers: the kernel's error handler may take a minute, and give the disk up at its end. Exit status
    STUCK: a disk of the path that is printed (0, 1) runs, and answers nothing."""
    for disk in glob.glob("/sys/block/sd*"):
        while not answers(os.path.basename(disk)):
            keep_iscsid_awake()
    if PATHS > 1:
        status = subprocess.run(["dmsetup", "status", "--target", "multipath"], check=True,
                                capture_output=True, text=True).stdout
        for name, states in re.findall(r"^(\S+): (.*)", status, re.M):
            for path in re.findall(r"(\d+:\d+) F", states):
                message = ["dmsetup", "message", name, "0", "reinstate_path", path]
                subprocess.run(message, check=True)


if len(sys.argv) == 1:
    main()
else:
    {"attach": attach, "detach": detach, "mend": mend}[sys.argv[1]](*map(int, sys.argv[2:]))
