# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, in a lab: n1 works, n2 is its victim. All programs use the same keys, so that they can take turns."""

SCSI, BLKPR = "fence_scsi", "fence_blkpr"
FLOORS = ("floor serial", "floor parallel")
PROGRAMS = (SCSI, *FLOORS, BLKPR)
ACTIONS = {"on": 0, "off": 0, "status": 0, "monitor": 0}       # exit status when nothing is wrong
KEYS = {"n1": "6c9dc825", "n2": "6c9da6bb"}                     # key_value=hash
LONGEST = 256                                                   # LUNs
PATIENCE = 300                                                  # seconds


class Side:
    def __init__(self, lab):
        self.lab = lab

    def command(self, program, action, luns, options=""):
        devices = [f"/dev/lun{k}" for k in range(luns)]
        victim = "n1" if action == "on" else "n2"
        if program in FLOORS:
            return f"{program} {action} {KEYS['n1']} {KEYS['n2']} {' '.join(devices)}"
        return f"{program} -o {action} -n {victim} -d {','.join(devices)} --key-value=hash {options}"

    def begin(self, luns):
        """Both nodes registered on these LUNs, and on no others; every agent has been run here before."""
        self.lab.reset_reservations()
        for program in (SCSI, BLKPR):
            for node in KEYS:
                command = self.command(program, "on", luns).replace(" -n n1 ", f" -n {node} ")
                self.lab.exec(node, command, timeout=PATIENCE, check=True)

    def register_victim(self, luns):
        devices = " ".join(f"/dev/lun{k}" for k in range(luns))
        register = f"floor parallel on {KEYS['n2']} 0 {devices}"
        # the first command may get the unit attention of the last off
        self.lab.exec("n2", f"{register} || {register}", timeout=PATIENCE, check=True)

    def measure(self, program, action, luns, options="", timeout=PATIENCE):
        """(exit status, microseconds of wall time, of user and system time, KiB of the largest process)"""
        if action != "on":
            self.register_victim(luns)
        result = self.lab.exec("n1", f"measure {self.command(program, action, luns, options)}", timeout=timeout)
        if result.timed_out:
            return None, int(timeout * 1e6), 0, 0
        return tuple(map(int, result.stdout.split()))

    def measure_memory(self, action, luns):
        """(KiB of all processes together at the highest, how many they were then)"""
        self.register_victim(luns)
        result = self.lab.exec("n1", f"measure -m {self.command(BLKPR, action, luns, '--power-timeout=120')}",
                               timeout=PATIENCE, check=True)
        status, pss, processes = map(int, result.stdout.split())
        if status:
            raise SystemExit(f"{action} at {luns} LUNs, while its memory was measured: exit {status}")
        return pss, processes
