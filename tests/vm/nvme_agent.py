# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on nodes whose disks are NVMe namespaces, and what the target says of the result."""

import agent
from agent import Agent
from resource_agent import KEYS, NOT_RUNNING, Resource

LATE = 3                # seconds beyond power_timeout (S5): 1, and what it takes here to start a program and to end it
TYPES = {"WRITE_EXCLUSIVE": 1, "EXCLUSIVE_ACCESS": 2, "WRITE_EXCLUSIVE_REG_ONLY": 3, "EXCLUSIVE_ACCESS_REG_ONLY": 4,
         "WRITE_EXCLUSIVE_ALL_REGS": 5, "EXCLUSIVE_ACCESS_ALL_REGS": 6}         # enum pr_type of linux/pr.h


class NvmeAgent(Agent):
    """As Agent. A registration is a host's, whatever paths it has: native multipath has one disk of them all."""

    def __init__(self, vm):
        super().__init__(vm)
        self.paths = 1

    def device(self, lun):
        return f"/dev/mapper/mp{lun}" if self.lab.config["dm_multipath"] else f"/dev/lun{lun}"

    def registered(self):
        return [{node: 1 for node, key in lun["hosts"].items() if agent.KEYS.get(node) == key} for lun in self.lab.reservations()]

    def under_way(self, node, lun):
        """By all paths: the disk of them all does not count its own."""
        disk = f"$(basename $(readlink -f {self.device(lun)}))"
        text = self.lab.exec(node, f"disk={disk}; cat /sys/block/${{disk%n*}}c*n${{disk##*n}}/inflight", check=True).stdout
        return sum(int(line.split()[1]) for line in text.splitlines())

    def forget(self):
        """The nodes have no records of what they did before."""
        for running in [self.lab.start(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr") for node in self.lab.nodes]:
            running.wait()

    def registrations(self):
        return sum(len(lun["hosts"]) for lun in self.lab.reservations())


class NvmeResource(Resource):
    """As Resource. luns: those that the instance is for (None: all)."""

    def __init__(self, vm, luns=None, **parameters):
        self.luns = list(range(vm.luns) if luns is None else luns)
        super().__init__(vm, **parameters)
        self.agent = NvmeAgent(vm)
        self.parameters.setdefault("devices", self.agent.devices(self.luns))

    def held(self, luns=None):
        found = self.lab.reservations()
        nodes = [({n for n, key in KEYS.items() if key == found[k]["hosts"].get(n)}, found[k]) for k in luns or self.luns]
        return [(registered, lun["holders"][0] if lun["holders"] else None, self.lab.type_name(lun["type"]))
                for registered, lun in nodes]

    def free(self):
        return all(not lun["hosts"] and not lun["type"] for lun in self.lab.reservations())

    def may(self, lun=0):
        """{node: (whether it can write, whether it can read)}"""
        name = self.agent.device(lun)
        running = {node: self.lab.start(node, f"dd if=/dev/zero of={name} bs=4k count=1 oflag=direct; echo $?; "
                                              f"dd if={name} of=/dev/null bs=4k count=1 iflag=direct; echo $?")
                   for node in self.lab.nodes}
        return {node: tuple(code == "0" for code in r.wait().stdout.split()) for node, r in running.items()}


def assert_type_works(resource, kind):
    """One node holds a reservation of this type, another takes it, and gives it back; what both may do meanwhile."""
    def assert_held_by(node):
        assert resource.held() == [({node}, node, resource.lab.type_name(TYPES[kind]))] * len(resource.luns)
        others = (False, not kind.startswith("EXCLUSIVE"))
        assert resource.may() == {n: (True, True) if n == node else others for n in resource.lab.nodes}

    resource.must("n1", "start", reservation_type=kind)
    resource.must("n1", "monitor", reservation_type=kind)
    assert_held_by("n1")
    resource.must("n2", "start", reservation_type=kind)
    assert_held_by("n2")
    resource.must("n2", "stop", reservation_type=kind)
    assert resource.free()
    resource.must("n2", "monitor", NOT_RUNNING, reservation_type=kind)
