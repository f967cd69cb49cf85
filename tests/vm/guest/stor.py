# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage machine's role: an NVMe target (nvmet) over TCP, by configfs alone.

LUN K is namespace K + 1, ANA group K + 1; port 1 is on SAN A, port 2 on SAN B. The machine is a host of its own target, too
(nvme-loop): so reservations.py sees what is registered, whatever the nodes do.
"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import LUNS, SANS, SLOW_LUNS, write       # noqa: E402
from nvme_common import NQN, PORT, STOR, connect, namespaces, uuid       # noqa: E402

NVMET = "/sys/kernel/config/nvmet"
SUBSYSTEM = f"{NVMET}/subsystems/{NQN}"
SIZE = int(os.environ["LUN_SIZE"]) << 20
LOOP_PORT = 9


def load_modules():
    subprocess.run(["modprobe", "-a", "nvmet", "nvmet-tcp", "nvme-loop"]
                   + (["loop", "dm-delay"] if SLOW_LUNS else []), check=True)
    subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)


def make_backend(lun):
    """A sparse file in memory as LUN's medium; with something that guest/slow works on above it, if it is slow."""
    medium = f"/run/disks/lun{lun}"
    with open(medium, "w") as f:
        f.truncate(SIZE)
    if lun not in SLOW_LUNS:
        return medium
    loop = subprocess.run(["losetup", "--find", "--show", medium], check=True, capture_output=True, text=True)
    subprocess.run(["/bin/bash", "/run/lab-guest/slow", "create", str(lun), loop.stdout.strip()], check=True)
    return f"/dev/mapper/slow{lun}"


def make_namespace(lun):
    directory = f"{SUBSYSTEM}/namespaces/{lun + 1}"
    os.mkdir(directory)
    write(directory + "/device_path", make_backend(lun))
    write(directory + "/device_uuid", uuid("01", lun))
    write(directory + "/ana_grpid", lun + 1)
    if os.path.exists(directory + "/resv_enable"):      # since 6.13
        write(directory + "/resv_enable", 1)
    write(directory + "/enable", 1)


def make_port(number, **settings):
    directory = f"{NVMET}/ports/{number}"
    os.mkdir(directory)
    for name, value in settings.items():
        write(f"{directory}/addr_{name}", value)
    for lun in range(1, LUNS):                          # the first is there
        os.mkdir(f"{directory}/ana_groups/{lun + 1}")
        write(f"{directory}/ana_groups/{lun + 1}/ana_state", "optimized")
    os.symlink(SUBSYSTEM, f"{directory}/subsystems/{NQN}")


def main():
    load_modules()
    os.makedirs("/run/disks")
    os.mkdir(SUBSYSTEM)
    write(SUBSYSTEM + "/attr_allow_any_host", 1)
    for lun in range(LUNS):
        make_namespace(lun)
    make_port(LOOP_PORT, trtype="loop")
    for i, san in enumerate(SANS):
        make_port(i + 1, trtype="tcp", adrfam="ipv4", traddr=f"10.99.{san}.200", trsvcid=PORT)
    connect("stor", STOR, transport="loop")
    while len(namespaces()) < LUNS:
        time.sleep(0.02)


main()
