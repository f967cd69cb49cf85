# SPDX-License-Identifier: GPL-2.0-or-later
"""In the storage machine: what its target has registered and reserved, by Reservation Report (NVMe base 2.0, 7.3).

reservations.py show        [[generation, type, [[host id, key, whether it holds], ...]], ...]: JSON, of every LUN
reservations.py short       the status that the short form of the report is answered with
reservations.py clear       no registration and no reservation on any
"""

import ctypes
import fcntl
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from nvme_common import namespaces      # noqa: E402

NVME_IOCTL_ID = 0x4e40
NVME_IOCTL_IO_CMD = 0xc0484e43
RESERVATION_REGISTER, RESERVATION_REPORT, RESERVATION_ACQUIRE, RESERVATION_RELEASE = 0x0d, 0x0e, 0x11, 0x15
SIZE = 4096                             # of a report: 63 hosts
KEY = 0x6c6162                          # "lab"


class Command(ctypes.Structure):
    """struct nvme_passthru_cmd of <linux/nvme_ioctl.h>"""
    _fields_ = [("opcode", ctypes.c_uint8), ("flags", ctypes.c_uint8), ("rsvd1", ctypes.c_uint16), ("nsid", ctypes.c_uint32),
                ("cdw2", ctypes.c_uint32), ("cdw3", ctypes.c_uint32), ("metadata", ctypes.c_uint64), ("addr", ctypes.c_uint64),
                ("metadata_len", ctypes.c_uint32), ("data_len", ctypes.c_uint32), ("cdw10", ctypes.c_uint32),
                ("cdw11", ctypes.c_uint32), ("cdw12", ctypes.c_uint32), ("cdw13", ctypes.c_uint32), ("cdw14", ctypes.c_uint32),
                ("cdw15", ctypes.c_uint32), ("timeout_ms", ctypes.c_uint32), ("result", ctypes.c_uint32)]


def submit(fd, opcode, data, cdw10, cdw11=0):
    """Send a command; what is in the buffer then."""
    buffer = ctypes.create_string_buffer(data, len(data))
    command = Command(opcode=opcode, nsid=fcntl.ioctl(fd, NVME_IOCTL_ID), addr=ctypes.addressof(buffer), data_len=len(data),
                      cdw10=cdw10, cdw11=cdw11)
    status = fcntl.ioctl(fd, NVME_IOCTL_IO_CMD, command)
    if status:
        raise OSError(f"NVMe command {opcode:#x} failed with status {status:#x}")
    return buffer.raw


def report(fd):
    raw = submit(fd, RESERVATION_REPORT, bytes(SIZE), SIZE // 4 - 1, 1)
    generation, kind, hosts = struct.unpack_from("<IBH", raw)
    found = []
    for i in range(hosts):
        _, status, key = struct.unpack_from("<HB5xQ", raw, 64 * (i + 1))
        found.append([raw[64 * (i + 1) + 16:64 * (i + 1) + 32].hex(), key, bool(status & 1)])
    return [generation, kind, found]


def clear(fd):
    if report(fd)[2]:
        submit(fd, RESERVATION_REGISTER, struct.pack("<QQ", 0, KEY), 1 << 3)
        submit(fd, RESERVATION_RELEASE, struct.pack("<Q", KEY), 1)


def try_short(fd):
    try:
        submit(fd, RESERVATION_REPORT, bytes(SIZE), SIZE // 4 - 1)
        return "0x0"
    except OSError as e:
        return str(e).rpartition(" ")[2]


def main():
    disks = sorted(namespaces().items())
    if sys.argv[1] == "short":
        print(try_short(os.open("/dev/" + disks[0][1], os.O_RDWR)))
        return
    shown = []
    for _, name in disks:
        fd = os.open("/dev/" + name, os.O_RDWR)
        shown.append(report(fd) if sys.argv[1] == "show" else clear(fd))
        os.close(fd)
    print(json.dumps(shown))


main()
