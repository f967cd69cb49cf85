# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, in a lab: n1 works, n2 is its victim. Both are registered anew before each turn, with the program's keys."""

SCSI, BLKPR = "fence_scsi", "fence_blkpr"
FLOORS = ("floor serial", "floor parallel")
PROGRAMS = (SCSI, *FLOORS, BLKPR)
ACTIONS = {"on": 0, "off": 0, "status": 0, "monitor": 0}       # exit status when nothing is wrong
NAME64 = {"n1": "6c9d58dec82561ec", "n2": "6c9d58dea6bbc91a"}
KEYS = {SCSI: {"n1": "6c9dc825", "n2": "6c9da6bb"}, FLOORS[0]: NAME64, FLOORS[1]: NAME64, BLKPR: NAME64}
OPTIONS = {SCSI: "--key-value=hash", BLKPR: ""}
LONGEST = 256                                                   # LUNs
PATIENCE = 300                                                  # seconds


class Side:
    def __init__(self, lab):
        self.lab = lab

    def command(self, program, action, luns, options=""):
        devices = [f"/dev/lun{k}" for k in range(luns)]
        victim = "n1" if action == "on" else "n2"
        if program in FLOORS:
            return f"{program} {action} {NAME64['n1']} {NAME64['n2']} {' '.join(devices)}"
        return f"{program} -o {action} -n {victim} -d {','.join(devices)} {OPTIONS[program]} {options}"

    def begin(self, luns):
        """Both nodes registered on these LUNs, and on no others; every agent has been run here before."""
        self.lab.reset_reservations()
        for node in NAME64:
            self.lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr", check=True)
        for program in (SCSI, BLKPR):
            for node in NAME64:
                command = self.command(program, "on", luns).replace(" -n n1 ", f" -n {node} ")
                self.lab.exec(node, command, timeout=PATIENCE, check=True)

    def register(self, program, luns):
        """Both nodes, with these keys; they replace others."""
        devices = " ".join(f"/dev/lun{k}" for k in range(luns))
        for node, key in KEYS[program].items():
            register = f"floor parallel on {key} 0 {devices}"
            # the first command may get the unit attention of the last off
            self.lab.exec(node, f"{register} || {register}", timeout=PATIENCE, check=True)

    def measure(self, program, action, luns, options="", timeout=PATIENCE):
        """(exit status, microseconds of wall time, of user and system time, KiB of the largest process)"""
        self.register(program, luns)
        result = self.lab.exec("n1", f"measure {self.command(program, action, luns, options)}", timeout=timeout)
        if result.timed_out:
            return None, int(timeout * 1e6), 0, 0
        return tuple(map(int, result.stdout.split()))

    def measure_memory(self, action, luns):
        """(KiB of all processes together at the highest, how many they were then)"""
        self.register(BLKPR, luns)
        result = self.lab.exec("n1", f"measure -m {self.command(BLKPR, action, luns, '--power-timeout=120')}",
                               timeout=PATIENCE, check=True)
        status, pss, processes = map(int, result.stdout.split())
        if status:
            raise SystemExit(f"{action} at {luns} LUNs, while its memory was measured: exit {status}")
        return pss, processes
