# SPDX-License-Identifier: GPL-2.0-or-later
"""What the storage machine and the nodes must agree on, and how a host connects."""

import glob
import os
import re

NQN = "nqn.2026-01.lab:disks"
PORT = 4420
STOR = 200                              # the storage machine's number as a host; the nodes have 1, 2, ...


def uuid(kind, number):
    """Ascending with the number; kind: two hex digits."""
    return f"6c6162{kind}-0000-4000-8000-{number:012x}"


def host_id(number):
    return uuid("00", number)


def connect(name, number, **settings):
    """Make a controller: the kernel's name of it."""
    words = {**settings, "nqn": NQN, "hostnqn": f"nqn.2026-01.lab:{name}", "hostid": host_id(number)}
    with open("/dev/nvme-fabrics", "r+b", buffering=0) as f:
        f.write(",".join(f"{key}={value}" for key, value in words.items()).encode())
        return "nvme" + re.search(r"instance=(\d+)", f.read(4096).decode())[1]


def disks():
    """{LUN: its disks' names}: of native multipath the head, without it a disk a path."""
    found = {}
    for path in sorted(glob.glob("/sys/block/nvme*n*/nsid")):
        name = path.split("/")[3]
        if re.fullmatch(r"nvme\d+n\d+", name) and os.path.exists("/dev/" + name):
            with open(path) as f:
                found.setdefault(int(f.read()) - 1, []).append(name)
    return found


def namespaces():
    """{LUN: its disk's name}: the first."""
    return {lun: names[0] for lun, names in disks().items()}
