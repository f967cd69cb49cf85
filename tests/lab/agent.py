# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent in a lab, driven as an administrator drives it, and what the target says of the result."""

import re
import shlex
import time

from lab_host import patience

KEYS = {"n1": 0x6c9d58dec82561ec, "n2": 0x6c9d58dea6bbc91a}     # name64, cluster "mycluster"


class Agent:
    """fence_blkpr on the nodes of a lab; devices are given by glob unless told otherwise."""

    def __init__(self, lab):
        self.lab = lab
        self.paths = lab.config["paths"]

    def device(self, lun):
        return f"/dev/mapper/mp{lun}" if self.paths > 1 else f"/dev/lun{lun}"

    def devices(self, luns=None):
        return ",".join(self.device(k) for k in (range(self.lab.luns) if luns is None else luns))

    def command(self, action, devices=None, **options):
        words = ["fence_blkpr", "-o", action, "-d", self.devices() if devices is None else devices]
        for name, value in options.items():
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}"))
        return shlex.join(words)

    def __call__(self, node, action, devices=None, **options):
        return self.lab.exec(node, self.command(action, devices, **options))

    def start(self, node, action, devices=None, **options):
        return self.lab.start(node, self.command(action, devices, **options))

    def unfence(self, *nodes, **options):
        """`on` on these nodes, all at once; asserts that it works."""
        running = [self.start(node, "on", **options) for node in nodes or self.lab.nodes]
        for result in [r.wait() for r in running]:
            assert (result.rc, result.stdout) == (0, "Success: Powered ON\n"), result

    # -- what the target says

    def registered(self):
        """[{node: registrations with its own name64 key}] for every LUN, from the target's configfs."""
        text = self.lab.exec("stor", "cd /sys/kernel/config/target/core && "
                                     "grep -H . *_0/lun*/pr/res_pr_registered_i_pts || :", check=True).stdout
        found = [{} for _ in range(self.lab.luns)]
        for lun, node, key in re.findall(r"^\w+/lun(\d+)/.*?Node: \S+:(n\d+),\S+ Key: (0x[0-9a-fA-F]+)", text, re.M):
            if int(key, 16) == KEYS.get(node):
                found[int(lun)][node] = found[int(lun)].get(node, 0) + 1
        return found

    def registrations(self):
        """How many registrations there are, of whomever, on all LUNs together."""
        return int(self.lab.exec("stor", "cat /sys/kernel/config/target/core/*_0/lun*/pr/"
                                         "res_pr_registered_i_pts | grep -c Key: || :").stdout)

    def everywhere(self, *nodes):
        """What registered() is when these nodes, and no others, are registered on every path of every LUN."""
        return [{node: self.paths for node in nodes}] * self.lab.luns

    # -- writers

    def write(self, node, luns=None):
        """Start writers that never stop."""
        self.lab.exec(node, "seqio write " + self._names(luns) + " </dev/null >/dev/null 2>&1", check=True)

    def stop_writing(self, node):
        self.lab.exec(node, "pkill -x seqio || :")

    def numbers(self, node, luns=None):
        """{device: (a number a writer)} as the disks have them."""
        return self._parse_numbers(self.lab.exec(node, "seqio read " + self._names(luns), check=True).stdout)

    def landed(self, lun):
        """The numbers on a LUN's medium, read in the target beside every command, whatever state it is in."""
        text = self.lab.exec("stor", f"for i in 0 1 2 3; do od -An -tu8 -j $((i * 4096)) -N 8 {self.lab.medium(lun)}; "
                                     "done", check=True).stdout
        return tuple(map(int, text.split()))

    def under_way(self, node, lun):
        """How many writes a node has under way (the kernel may make one of two writers' neighbouring blocks)."""
        text = self.lab.exec(node, f"cat /sys/block/$(basename $(readlink -f {self.device(lun)}))/inflight").stdout
        return int(text.split()[1])

    def wait_written(self, node, luns=None):
        """Until every writer's number on every disk has grown."""
        before = self.numbers(node, luns)
        wait_for(lambda: all(a < b for d, now in self.numbers(node, luns).items() for a, b in zip(before[d], now)))

    def refusals(self, node, luns=None):
        """[(refusals since the last accepted write, errno)] of every writer."""
        text = self.lab.exec(node, "seqio state " + self._names(luns), check=True).stdout
        return [(int(line.split()[2]), int(line.split()[3])) for line in text.splitlines()]

    def _names(self, luns):
        return " ".join(self.device(k) for k in (range(self.lab.luns) if luns is None else luns))

    @staticmethod
    def _parse_numbers(text):
        return {line.split()[0]: tuple(map(int, line.split()[1:])) for line in text.splitlines()
                if line.startswith("/dev/")}

    def off_and_numbers(self, node, victim, luns=None, **options):
        """`off`, and the numbers on the disks at once afterwards (whatever its exit status)."""
        return self.start_off_and_numbers(node, victim, luns, **options)()

    def start_off_and_numbers(self, node, victim, luns=None, **options):
        """The same, begun: returns a function that waits for the result and the numbers."""
        command = self.command("off", self.devices(luns), plug=victim, **options)
        running = self.lab.start(node, f"seqio after {self._names(luns)} -- {command}")

        def wait():
            result = running.wait()
            return result, self._parse_numbers(result.stdout)
        return wait


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + patience(seconds)
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
