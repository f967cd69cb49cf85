# SPDX-License-Identifier: GPL-2.0-or-later
"""A node's role: connect to the target by every SAN and name the disks, the same names on every node.

`node.py mend` waits until every controller works again, `node.py reset` resets them all, and `node.py as N` connects all anew,
with the host identifier of node N.

There is no udevd (it would cost seconds), so this makes the links that udev would make:
    /dev/lunK, /dev/disk/by-id/nvme-uuid.UUID       namespace K + 1; with two SANs by native multipath
    /dev/mapper/mpK                                 with dm-multipath: the map of both paths, as multipathd would make it
"""

import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import LUNS, PATHS, SANS, read, write                         # noqa: E402
from nvme_common import PORT, connect, disks, namespaces                 # noqa: E402

NODE = os.environ["NODE"]
SLOWNESS = int(os.environ["SLOWNESS"])          # of the machine that the lab is on

IMPATIENT = os.environ["IMPATIENT"] == "1"
DM = os.environ["DM"] == "1"

# Seconds. A lost connection is noticed after KEEP_ALIVE at the latest, and fails I/O after FAIL_FAST more. A command that is not
# answered for IO_TIMEOUT ends the connection. Otherwise a busy machine would lose its connections while a backend stands still.
KEEP_ALIVE = 4 * SLOWNESS if IMPATIENT else 600
FAIL_FAST = 2 * SLOWNESS
IO_TIMEOUT = 30 if IMPATIENT else 600


def connect_all(number):
    """As a host with the identifier of that number, once the target is there (the lab limits the time)."""
    for san in SANS:
        while not connected(number, f"10.99.{san}.200"):
            time.sleep(0.1)


def connected(number, address):
    try:
        connect(NODE, number, transport="tcp", traddr=address, trsvcid=PORT, keep_alive_tmo=KEEP_ALIVE, reconnect_delay=1,
                ctrl_loss_tmo=-1, fast_io_fail_tmo=FAIL_FAST)
        return True
    except OSError:
        return False


def link(target, name):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    if os.path.lexists(name):
        os.unlink(name)
    os.symlink(target, name)


def name_disks(names):
    for lun, name in names.items():
        link(name, f"/dev/lun{lun}")
        link("../../" + name, "/dev/disk/by-id/nvme-" + read(f"/sys/block/{name}/wwid"))


def wait_for_controllers():
    while True:
        states = [read(path) for path in glob.glob("/sys/class/nvme/nvme*/state")]
        found = [len(names) for names in disks().values()]
        if len(states) == PATHS and set(states) == {"live"} and found == [PATHS if DM else 1] * LUNS:
            return
        time.sleep(0.02)


def dmsetup(*words):
    subprocess.run(["dmsetup", *words], check=True, env=dict(os.environ, DM_DISABLE_UDEV="1"))


def make_maps():
    """One dm-multipath map a LUN, both paths in one group."""
    subprocess.run(["modprobe", "-a", "dm-multipath", "dm-round-robin"], check=True)
    for lun, names in disks().items():
        block = "/sys/block/" + names[0]
        paths = " ".join(read(f"/sys/block/{name}/dev") + " 1" for name in names)
        dmsetup("create", f"mp{lun}", "--uuid", "mpath-" + read(block + "/wwid"), "--table",
                f"0 {read(block + '/size')} multipath 0 0 1 1 round-robin 0 {len(names)} 1 {paths}")
    for dm in glob.glob("/sys/block/dm-*"):     # agents tell a map by what its name resolves to
        link("../" + os.path.basename(dm), "/dev/mapper/" + read(dm + "/dm/name"))


def mend():
    """Every path of a map is taken back into use, too, as multipathd would."""
    wait_for_controllers()
    for lun, names in disks().items() if DM else ():
        for name in names:
            dmsetup("message", f"mp{lun}", "0", "reinstate_path " + read(f"/sys/block/{name}/dev"))


def main():
    subprocess.run(["modprobe", "nvme-core", f"io_timeout={IO_TIMEOUT}", *["multipath=N"] * DM], check=True)
    subprocess.run(["modprobe", "nvme-tcp"], check=True)
    connect_all(int(NODE.lstrip("n")))
    wait_for_controllers()
    name_disks(namespaces())
    if DM:
        make_maps()


# -- while the node runs

def controllers():
    return glob.glob("/sys/class/nvme/nvme*")


def reset():
    for controller in controllers():
        write(controller + "/reset_controller", 1)
    wait_for_controllers()


def connect_as(number):
    for controller in controllers():
        write(controller + "/delete_controller", 1)
    while controllers():
        time.sleep(0.02)
    connect_all(int(number))
    wait_for_controllers()
    name_disks(namespaces())


if len(sys.argv) == 1:
    main()
else:
    {"mend": mend, "reset": reset, "as": connect_as}[sys.argv[1]](*sys.argv[2:])
