# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes before the first ioctl: starting the process, its libraries, parameters, devices, keys."""

import os
import re
import statistics
import subprocess
import tempfile

from side import BLKPR, SCSI

RUNS = 25
# in a mount namespace of its own: a loop device that sysfs takes for a SCSI disk; it refuses every PR command
SCRIPT = """set -e
mount -t tmpfs tmpfs /sys/dev/block
mkdir -p /sys/dev/block/7:0/device/scsi
ln -s scsi /sys/dev/block/7:0/device/subsystem
echo 0 >/sys/dev/block/7:0/device/type
echo naa.60014050000000000000000000000000 >/sys/dev/block/7:0/device/wwid
[ -b "$2/disk" ] || mknod "$2/disk" b 7 0
for run in $(seq {runs}); do
    strace --seccomp-bpf -f -ttt -e trace=execve,ioctl -o "$2/trace.$run" "$1" -o on -k 1 -d "$2/disk" >/dev/null 2>&1 || :
done"""


def first_ioctl(trace):
    """Microseconds from execve to the first ioctl on a disk, whichever process sends it."""
    began = None
    for line in trace.splitlines():
        moment = float(line.split()[1])
        if " execve(" in line:
            began = moment
        elif " ioctl(" in line and not re.search(r"TC|TIOC", line):
            return (moment - began) * 1e6
    raise SystemExit(f"no ioctl was sent:\n{trace}")


def on_this_machine(stage):
    """Medians of that on this machine's own kernel, without a cluster, by strace, which stops at these two calls only."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        subprocess.run(["unshare", "--mount", "sh", "-c", SCRIPT.format(runs=RUNS), "sh", os.path.join(stage, "usr/sbin/fence_blkpr"),
                        scratch], check=True)
        traces = []
        for run in range(1, RUNS + 1):
            with open(f"{scratch}/trace.{run}") as f:
                traces.append(first_ioctl(f.read()))
    return statistics.median(traces)


def in_a_node(lab, program):
    """(microseconds, KiB) of `-o metadata`."""
    runs = [tuple(map(int, lab.exec("n1", f"measure {program} -o metadata", check=True).stdout.split()))
            for _ in range(RUNS)]
    return statistics.median(r[1] for r in runs), statistics.median(r[3] for r in runs)


def measure(lab, stage):
    return {"first": on_this_machine(stage), BLKPR: in_a_node(lab, BLKPR), SCSI: in_a_node(lab, SCSI)}
