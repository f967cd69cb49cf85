# SPDX-License-Identifier: GPL-2.0-or-later
"""Persistent reservations by SG_IO, for lab.reset_reservations(): one process for many LUNs.

scsi.py clear LUN...    remove every registration and reservation
scsi.py settle LUN...   consume the unit attentions that others' PR commands have left on this node's paths
"""

import ctypes
import fcntl
import os
import sys
import time

SG_IO = 0x2285
SG_DXFER_NONE, SG_DXFER_TO_DEV = -1, -2
CHECK_CONDITION = 0x02
UNIT_ATTENTION = 0x06
PATIENCE = 60                           # seconds
KEY = 0x6c6162                          # "lab"
REGISTER, CLEAR, REGISTER_AND_IGNORE = 0x00, 0x03, 0x06


class SgIoHdr(ctypes.Structure):
    """struct sg_io_hdr of <scsi/sg.h>"""
    _fields_ = [("interface_id", ctypes.c_int), ("dxfer_direction", ctypes.c_int), ("cmd_len", ctypes.c_ubyte),
                ("mx_sb_len", ctypes.c_ubyte), ("iovec_count", ctypes.c_ushort), ("dxfer_len", ctypes.c_uint),
                ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p), ("sbp", ctypes.c_void_p),
                ("timeout", ctypes.c_uint), ("flags", ctypes.c_uint), ("pack_id", ctypes.c_int),
                ("usr_ptr", ctypes.c_void_p), ("status", ctypes.c_ubyte), ("masked_status", ctypes.c_ubyte),
                ("msg_status", ctypes.c_ubyte), ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort),
                ("driver_status", ctypes.c_ushort), ("resid", ctypes.c_int), ("duration", ctypes.c_uint),
                ("info", ctypes.c_uint)]


def submit(fd, cdb, data=b""):
    """Send one command; its (SCSI status, sense key)."""
    sense = ctypes.create_string_buffer(32)
    command = ctypes.create_string_buffer(bytes(cdb), len(cdb))
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    header = SgIoHdr(interface_id=ord("S"), dxfer_direction=SG_DXFER_TO_DEV if data else SG_DXFER_NONE,
                     cmd_len=len(cdb), mx_sb_len=32, dxfer_len=len(data), dxferp=ctypes.addressof(buffer),
                     cmdp=ctypes.addressof(command), sbp=ctypes.addressof(sense), timeout=10000)
    fcntl.ioctl(fd, SG_IO, header)
    if header.host_status:
        raise OSError(f"host status {header.host_status:#x}: the path does not work")
    return header.status, sense.raw[2] & 0x0f if sense.raw[0] & 0x7f in (0x70, 0x71) else sense.raw[1] & 0x0f


def test_unit_ready(fd):
    """Until no unit attention is left."""
    for _ in range(20):
        status, sense_key = submit(fd, [0] * 6)
        if not (status == CHECK_CONDITION and sense_key == UNIT_ATTENTION):
            return
    raise OSError("unit attention without an end")


def reserve_out(fd, action, key, service_key):
    """PERSISTENT RESERVE OUT, again after a unit attention."""
    parameters = key.to_bytes(8, "big") + service_key.to_bytes(8, "big") + bytes(8)
    for _ in range(20):
        status, sense_key = submit(fd, [0x5f, action, 0, 0, 0, 0, 0, 0, len(parameters), 0], parameters)
        if not (status == CHECK_CONDITION and sense_key == UNIT_ATTENTION):
            break
    if status:
        raise OSError(f"PERSISTENT RESERVE OUT action {action}: status {status:#x}, sense key {sense_key}")


def clear(fd):
    """LIO refuses a nexus that it shows as registered, after another one of its node has unregistered: so anew."""
    reserve_out(fd, REGISTER_AND_IGNORE, 0, 0)
    reserve_out(fd, REGISTER_AND_IGNORE, 0, KEY)
    reserve_out(fd, CLEAR, KEY, 0)


def insist(action, path):
    """Do it, again while the path has a failed session that is about to come back."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                return action(fd)
            finally:
                os.close(fd)
        except OSError as e:
            if time.monotonic() > deadline:
                sys.exit(f"{path}: {e}")
        time.sleep(0.1)


def main():
    action, luns = {"clear": clear, "settle": test_unit_ready}[sys.argv[1]], sys.argv[2:]
    for lun in luns:
        for path in (f"/dev/lun{lun}", f"/dev/lun{lun}-b"):
            if action is clear and path.endswith("-b") or not os.path.exists(path):
                continue
            insist(action, path)


main()
