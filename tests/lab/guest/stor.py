# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage machine's role: an LIO iSCSI target, by configfs alone.

LUN K has the WWN naa.6001405<K + 0xabc000, 8 hex digits>0...: ascending with K.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import (FABRIC, HANG_LUNS, MUTE_LUNS, NODES, SLOW_LUNS, TARGET_PORT, initiator,   # noqa: E402
                        targets, write)

TARGET = "/sys/kernel/config/target"
SIZE = int(os.environ["LUN_SIZE"]) << 20


def load_modules():
    # LIO writes persistent reservations (APTPL) there and fails REGISTER if it cannot
    os.makedirs("/var/target/pr")
    subprocess.run(["modprobe", "-a", "target_core_mod", "target_core_file", "iscsi_target_mod"]
                   + (["target_core_iblock", "loop", "dm-delay"] if SLOW_LUNS else []), check=True)
    subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)


def backstore(lun):
    return f"{TARGET}/core/{'iblock' if lun in SLOW_LUNS else 'fileio'}_0/lun{lun}"


def make_slow_device(lun, medium):
    """A device that guest/slow works on, above the medium."""
    loop = subprocess.run(["losetup", "--find", "--show", medium], check=True, capture_output=True, text=True)
    subprocess.run(["/bin/bash", "/run/lab-guest/slow", "create", str(lun), loop.stdout.strip()], check=True)


def make_backstore(lun):
    """A sparse file in memory as LUN's medium."""
    medium = f"/run/disks/lun{lun}"
    with open(medium, "w") as f:
        f.truncate(SIZE)
    device = backstore(lun)
    os.makedirs(device)
    if lun in SLOW_LUNS:
        # iblock has no cache: what has not passed the device is not read either. And a command does not hold its
        # session up, as it does in fileio.
        make_slow_device(lun, medium)
        write(device + "/control", f"udev_path=/dev/mapper/slow{lun}")
    else:
        write(device + "/control", f"fd_dev_name={medium},fd_dev_size={SIZE}")
    # only the leading hex digits of the serial number reach the WWN
    write(device + "/wwn/vpd_unit_serial", f"{0xabc000 + lun:08x}" + "0" * 24)
    write(device + "/attrib/emulate_tas", int(lun not in MUTE_LUNS))
    write(device + "/enable", 1)


def make_target(target):
    tpg = f"{TARGET}/iscsi/{target.iqn}/tpgt_1"
    os.makedirs(tpg)
    for name, value in (("authentication", 0), ("generate_node_acls", 0), ("demo_mode_write_protect", 0)):
        write(f"{tpg}/attrib/{name}", value)
    for lun in target.luns:
        os.mkdir(f"{tpg}/lun/lun_{lun}")
        os.symlink(backstore(lun), f"{tpg}/lun/lun_{lun}/lun{lun}")
    for node in NODES:
        acl = f"{tpg}/acls/{initiator(node)}"
        os.mkdir(acl)
        if target.luns[0] in HANG_LUNS:         # no keep-alive, or LIO would end a session that hangs
            write(f"{acl}/attrib/nopin_timeout", 0)
        for lun in target.luns:
            os.mkdir(f"{acl}/lun_{lun}")
            os.symlink(f"{tpg}/lun/lun_{lun}", f"{acl}/lun_{lun}/lun{lun}")
    for address in target.portals:
        os.mkdir(f"{tpg}/np/{address}:{TARGET_PORT}")
    write(tpg + "/enable", 1)


def start_fabric():
    """What the nodes connect to from now on; it stays when this ends."""
    with open("/run/fabric.log", "wb") as log:
        subprocess.Popen([sys.executable, "-I", "-S", "/run/lab-guest/fabric.py"],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def main():
    load_modules()
    os.makedirs("/run/disks")
    for target in targets():
        for lun in target.luns:
            make_backstore(lun)
        make_target(target)
    if FABRIC:
        start_fabric()


main()
