# SPDX-License-Identifier: GPL-2.0-or-later
"""Watching without pause: programs in a lab's machines that look again and again, and write down what was missing."""

import json

from pacemaker import until

# every program says in /run/watch.json how often it looked, and what was missing
REPORT = r"""
import glob, json, os, re, subprocess, sys
looks, missing = 0, []
def report():
    global looks
    looks += 1
    with open("/run/watch.new", "w") as f:
        json.dump({"looks": looks, "missing": missing[:10]}, f)
    os.rename("/run/watch.new", "/run/watch.json")
def pr(lun):
    return glob.glob(f"/sys/kernel/config/target/core/*_0/lun{lun}/pr")[0]
def read(path):
    with open(path) as f:
        return f.read()
"""
# on the target: a reservation for registrants, and, if any are given, exactly these keys
DISKS = REPORT + r"""
keys, luns = set(filter(None, sys.argv[1].split(","))), sys.argv[2:]
prs = {lun: pr(lun) for lun in luns}
while True:
    for lun in luns:
        found = {hex(int(key, 16)) for key in re.findall(r"Key: (0x[0-9a-fA-F]+)", read(prs[lun] + "/res_pr_registered_i_pts"))}
        held = "Registrants Only" in read(prs[lun] + "/res_pr_type")
        if not held or (keys and found != keys):
            missing.append((lun, sorted(found), held))
    report()
"""
# in a node: the fencer knows a device that can fence the node
FENCER = REPORT + r"""
victim, names = sys.argv[1], set(sys.argv[2:])
while True:
    found = subprocess.run(["stonith_admin", "--list", victim], capture_output=True, text=True)
    if not names & set(found.stdout.split()):
        missing.append(found.stdout + found.stderr)
    report()
"""


class Watch:
    def __init__(self, lab, machine, program, *arguments):
        self.lab, self.machine = lab, machine
        lab.exec(machine, "rm -f /run/watch.json; cat >/run/watch.py", stdin=program, check=True)
        lab.exec(machine, "setsid python3 /run/watch.py " + " ".join(f"'{a}'" for a in arguments)
                 + " </dev/null >/run/watch.log 2>&1 &", check=True)
        until(lambda: self.seen()["looks"] > 3, lambda: lab.exec(machine, "cat /run/watch.log").stdout)

    @classmethod
    def of_keys(cls, lab, keys):
        """These keys and a reservation, on every LUN."""
        return cls(lab, "stor", DISKS, ",".join(sorted(keys)), *range(lab.luns))

    @classmethod
    def of_reservation(cls, lab, *luns):
        return cls(lab, "stor", DISKS, "", *luns)

    @classmethod
    def of_fencer(cls, lab, machine, victim, *names):
        return cls(lab, machine, FENCER, victim, *names)

    def seen(self):
        text = self.lab.exec(self.machine, "cat /run/watch.json").stdout
        return json.loads(text) if text else {"looks": 0}

    def end(self):
        """How often it looked; nothing may have been missing."""
        seen = self.seen()
        self.lab.exec(self.machine, "pkill -f '[w]atch.py'")
        assert seen["missing"] == [], (self.machine, seen)
        return seen["looks"]
