# SPDX-License-Identifier: GPL-2.0-or-later
"""How quick this machine is, compared with the one that the tests' limits and times were written down on."""

import os
import re
import subprocess

CALL = 0.25             # microseconds a system call, by dd, on a quick machine
LAB = 1.7               # seconds until a lab of two nodes is up there
CALLS = 1000000
LABS_PER_PROCESSOR = 2.5                # at a time, on a quick machine: then its processors are hardly ever idle
LAB_MEMORY = 1.5 * 2 ** 30              # bytes that a lab of four machines may come to use


def system_call_cost():
    """Microseconds a system call: dd reads and writes a byte at a time."""
    done = subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={CALLS // 2}"], capture_output=True,
                          text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    return float(re.search(r"copied, ([\d.e-]+) s", done.stderr)[1]) / CALLS * 1e6


def available_memory():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable: +(\d+) kB", f.read())[1]) * 1024


class Machine:
    """call: microseconds a system call; lab: seconds a lab's start (None: not measured yet); labs: how many at a time,
    if somebody has decided that."""

    def __init__(self, labs=None):
        self.call = system_call_cost()
        self.lab = None
        self.wanted = labs

    @property
    def slowness(self):
        """How many times slower than a quick machine, by the worse of both measures; never below 1."""
        return max(1.0, self.call / CALL, (self.lab or 0) / LAB)

    @property
    def labs(self):
        """How many labs at a time: each is several machines, and what waits for a processor misses its time."""
        if self.wanted:
            return self.wanted
        by_processor = len(os.sched_getaffinity(0)) * LABS_PER_PROCESSOR / self.slowness
        return max(1, min(round(by_processor), int(available_memory() / LAB_MEMORY)))

    def __str__(self):
        lab = f", a lab's start {self.lab:.1f} s" if self.lab else ""
        return f"a system call takes {self.call:.2f} us{lab}: {self.slowness:.1f} times a quick machine's time"
