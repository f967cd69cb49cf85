# SPDX-License-Identifier: GPL-2.0-or-later
"""One of the agents that are compared, driven in a lab, and what the target and the disks say of the result."""

import re
import sys
import time

LUNS = 8
NODES = ("n1", "n2")                # n3, where there is one, is nobody's victim
OTHER = {"n1": "n2", "n2": "n1"}
QUIET = 30                          # seconds in which a node has to be itself again after a disk hung
# what is still at work on a node's disks, or hangs there
BUSY = "ps -eo stat=,comm= | awk '$1 ~ /^D/ || $2 ~ /^(fence_|sg_)/'"
WRITE = ("for k in {}; do dd if=/dev/zero of=/dev/lun$k bs=4k count=1 seek=16 oflag=direct conv=notrunc 2>/dev/null "
         "&& echo $k; done; :")


class Agent:
    """An agent as it is installed in the nodes, and what all its runs came to."""

    def __init__(self, title, program):
        self.title, self.program = title, program
        self.successes = 0          # how often `off` said success
        self.lies = 0               # of these, after how many the victim could still write to a disk


class Side:
    """An agent in a lab."""

    def __init__(self, lab, agent):
        self.lab, self.agent = lab, agent
        self.is_blkpr = agent.program == "fence_blkpr"

    def command(self, action, plug, luns=range(LUNS), options=""):
        devices = ",".join(f"/dev/lun{k}" for k in luns)
        return f"{self.agent.program} -o {action} -n {plug} -d {devices} --key-value=hash {options}"

    def run(self, node, action, plug, luns=range(LUNS), options="", timeout=90):
        return self.lab.exec(node, self.command(action, plug, luns, options), timeout=timeout)

    def start_over(self):
        """Nobody is registered, nor remembers that it was: fence_blkpr's success is about every disk that it remembers (S9)."""
        self.lab.reset_reservations()
        for node in NODES:
            if self.lab.state(node) == "running":
                self.lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")

    def unfence(self, nodes=NODES, luns=range(LUNS)):
        """These nodes and no others are registered, from scratch, by the agent's own `on`."""
        self.start_over()
        self.add(nodes, luns)
        if any(set(there) != set(nodes) for k, there in enumerate(self.registered()) if k in luns):
            raise SystemExit(f"{self.agent.title}: not every node is registered after `on`: {self.registered()}")

    def add(self, nodes, luns=range(LUNS)):
        """`on` of these nodes, all at once."""
        running = [self.lab.start(node, self.command("on", node, luns), timeout=90) for node in nodes]
        for result in [r.wait() for r in running]:
            if result.rc:
                raise SystemExit(f"{self.agent.title}: `on` failed: {result}")

    def off(self, node, victim, luns=range(LUNS), options="", timeout=90):
        """`off`, and if it says success, whether the victim can write all the same."""
        result = self.run(node, "off", victim, luns, options, timeout)
        if result.rc == 0:
            self.check_success(victim, luns)
        return result

    def check_success(self, victim, luns=range(LUNS)):
        """Note for the summary whether a victim that is said to be off can write; True if it can."""
        lie = bool(self.writable(victim, luns))
        self.agent.successes += 1
        self.agent.lies += lie
        return lie

    def writable(self, node, luns=range(LUNS)):
        """The LUNs to which a node can write now."""
        text = self.lab.exec(node, WRITE.format(" ".join(map(str, luns))), check=True).stdout
        return [int(k) for k in text.split()]

    def registered(self):
        """[{node: key}] of every LUN, as the target has it."""
        text = self.lab.exec("stor", "cd /sys/kernel/config/target/core && "
                                     "grep -H . *_0/lun*/pr/res_pr_registered_i_pts || :", check=True).stdout
        found = [{} for _ in range(LUNS)]
        for lun, node, key in re.findall(r"^\w+/lun(\d+)/.*?Node: \S+:(n\d+),\S+ Key: (0x[0-9a-fA-F]+)", text, re.M):
            found[int(lun)][node] = int(key, 16)
        return found

    def busy(self, node):
        """What of an agent is still at work on a node, or hangs there."""
        return self.lab.exec(node, BUSY).stdout.splitlines()

    def settle(self):
        """After a disk hung: it answers again, and nothing that was sent meanwhile is still under way anywhere."""
        self.lab.resume()
        deadline = time.monotonic() + QUIET
        for node in self.lab.nodes:
            while left := self.busy(node):
                if time.monotonic() > deadline:
                    print(f"{self.agent.title}: {node} is started again, these do not end: {left}", file=sys.stderr)
                    self.lab.kill(node)
                    self.lab.boot(node)
                time.sleep(0.1)
        self.lab.reset_reservations()
