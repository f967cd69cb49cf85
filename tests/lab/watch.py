# SPDX-License-Identifier: GPL-2.0-or-later
"""Watching: programs in a lab's machines that look again and again, and write down what was missing.

The disks are looked at every 2 ms or so, and the fencer twice a second: more takes too much of this machine from the cluster
that is watched. BLKPR_WATCH=hard: without pause, as in the soak.
"""

import json
import os

from pacemaker import until

PAUSES = (0, 0) if os.environ.get("BLKPR_WATCH") == "hard" else (0.002, 0.5)       # seconds; disks, fencer
# every program says in /run/watch.json how often it looked, and what was missing, four times a second
REPORT = r"""
import glob, json, os, re, subprocess, sys, time
looks, missing, pause, told = 0, [], float(sys.argv.pop(1)), 0
def report():
    global looks, told
    looks += 1
    if time.monotonic() - told > 0.25:
        with open("/run/watch.new", "w") as f:
            json.dump({"looks": looks, "missing": missing[:10]}, f)
        os.rename("/run/watch.new", "/run/watch.json")
        told = time.monotonic()
    if pause:
        time.sleep(pause)
def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)
"""
# on the target: a reservation for registrants, and, if any are given, exactly these keys
DISKS = REPORT + r"""
keys, luns = set(filter(None, sys.argv[1].split(","))), sys.argv[2:]
prs = {lun: glob.glob(f"/sys/kernel/config/target/core/*_0/lun{lun}/pr")[0] for lun in luns}
while True:
    for lun, pr in prs.items():
        held = b"Registrants Only" in read(pr + "/res_pr_type")
        found = set(re.findall(rb"Key: (0x[0-9a-fA-F]+)", read(pr + "/res_pr_registered_i_pts"))) if keys else set()
        found = {hex(int(key, 16)) for key in found}
        if not held or found != keys:
            missing.append((lun, sorted(found), held))
    report()
"""
# in a node: the fencer knows a device that can fence the node. Who could not ask asks again: it is no answer
FENCER = REPORT + r"""
victim, names = sys.argv[1], set(sys.argv[2:])
while True:
    found = subprocess.run(["stonith_admin", "--list", victim], capture_output=True, text=True)
    if "Could not connect to fencer" in found.stdout + found.stderr:
        continue
    if not names & set(found.stdout.split()):
        missing.append(found.stdout + found.stderr)
    report()
"""


class Watch:
    def __init__(self, lab, machine, program, pause, *arguments):
        self.lab, self.machine = lab, machine
        lab.exec(machine, "rm -f /run/watch.json; cat >/run/watch.py", stdin=program, check=True)
        lab.exec(machine, "setsid python3 /run/watch.py " + " ".join(f"'{a}'" for a in (pause, *arguments))
                 + " </dev/null >/run/watch.log 2>&1 &", check=True)
        until(lambda: self.seen()["looks"] > 3, lambda: lab.exec(machine, "cat /run/watch.log").stdout)

    @classmethod
    def of_keys(cls, lab, keys):
        """These keys and a reservation, on every LUN."""
        return cls(lab, "stor", DISKS, PAUSES[0], ",".join(sorted(keys)), *range(lab.luns))

    @classmethod
    def of_reservation(cls, lab, *luns):
        return cls(lab, "stor", DISKS, PAUSES[0], "", *luns)

    @classmethod
    def of_fencer(cls, lab, machine, victim, *names):
        return cls(lab, machine, FENCER, PAUSES[1], victim, *names)

    def seen(self):
        text = self.lab.exec(self.machine, "cat /run/watch.json").stdout
        return json.loads(text) if text else {"looks": 0}

    def end(self):
        """How often it looked; nothing may have been missing."""
        last = self.seen()["looks"]
        until(lambda: self.seen()["looks"] > last, "the watch does not look any more")
        seen = self.seen()
        self.lab.exec(self.machine, "pkill -f '[w]atch.py'")
        assert seen["missing"] == [], (self.machine, seen)
        return seen["looks"]
