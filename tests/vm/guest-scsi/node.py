# SPDX-License-Identifier: GPL-2.0-or-later
"""The role of a guest with a virtio-scsi disk: /dev/lun0, with the name that it has on hardware."""

import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import read, write        # noqa: E402

PATIENCE = 3600             # seconds: no command here ends because a backend stands still


def disk():
    """Its kernel's name, once it has its size."""
    while True:
        for path in glob.glob("/sys/block/sd*"):
            if read(path + "/size") != "0":
                return os.path.basename(path)
        time.sleep(0.02)


subprocess.run(["modprobe", "-a", "virtio_scsi", "sd_mod", "sg"], check=True)
name = disk()
write(f"/sys/block/{name}/device/timeout", PATIENCE)
os.makedirs("/dev/disk/by-id", exist_ok=True)
os.symlink(name, "/dev/lun0")
os.symlink("../../" + name, "/dev/disk/by-id/wwn-0x" + read(f"/sys/block/{name}/device/wwid").removeprefix("naa."))
