# SPDX-License-Identifier: GPL-2.0-or-later
"""The class Vm: a lab whose machines are Debian's own kernels in QEMU, and whose disks are namespaces of an NVMe target; up()."""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.join(HERE, "..", "lab")
sys.path.insert(0, LAB)

import lab_image            # noqa: E402
import vm_image             # noqa: E402
from lab_host import LabError, write                                      # noqa: E402
from lab_machines import Machines, check_request, launch   # noqa: E402
from lab_settings import NETWORKS, host_number, tap                      # noqa: E402

QEMU = "/usr/bin/qemu-system-x86_64"
# what a kernel need not find out: the delay loop's length (0.9 s), and how to guard against other machines' processes; one that
# has a fault ends
BOOT = "quiet lpj=9600000 mitigations=off nokaslr tsc=reliable oops=panic panic=1"
ANA_STATES = ("optimized", "non-optimized", "inaccessible", "persistent-loss", "change")
TYPES = (None, "Write Exclusive Access", "Exclusive Access", "Write Exclusive Access, Registrants Only",
         "Exclusive Access, Registrants Only", "Write Exclusive Access, All Registrants", "Exclusive Access, All Registrants")
OBSERVER = 200                              # the storage machine as a host
KERNEL_TYPES = {1: 1, 3: 2, 5: 3, 6: 4, 7: 5, 8: 6}        # enum pr_type of linux/pr.h, by the number that SPC has for it


class Vm(Machines):
    """A lab that is up. Make one with `up(...)`, or name one that is up already: Vm("vm")."""

    TOOL = "vm"

    # -- the target's truth

    def reservations(self):
        """[{"generation", "type" (0: none), "hosts": {node: key}, "holders": [node]}] of every LUN, from the target."""
        found = []
        for generation, kind, hosts in json.loads(self._reservations("show")):
            named = [(self.node_of(host), key, holds) for host, key, holds in hosts]
            found.append({"generation": generation, "type": kind, "hosts": {node: key for node, key, _ in named},
                          "holders": [node for node, _, holds in named if holds]})
        return found

    def _reservations(self, action):
        return self.exec("stor", f"python3 -I -S /run/lab-guest/reservations.py {action}", check=True).stdout

    @staticmethod
    def type_name(kind):
        """What holder() calls a type of enum pr_type."""
        return TYPES[kind]

    @staticmethod
    def node_of(host_id):
        """The node whose host identifier this is (32 hex digits)."""
        number = int(host_id[-12:], 16)
        return "stor" if number == OBSERVER else f"n{number}"

    def keys(self, lun):
        """[(key, registrant)]: what the target has registered for a LUN."""
        self._must_be_lun(lun)
        return [(hex(key), f"nqn.2026-01.lab:{node},") for node, key in self.reservations()[lun]["hosts"].items()]

    def holder(self, lun):
        """{"holder", "type", "key", "prgen"} of a LUN, as Lab.holder() has them."""
        self._must_be_lun(lun)
        found = self.reservations()[lun]
        holder = found["holders"][0] if found["type"] and found["holders"] else None
        return {"holder": holder and f"nqn.2026-01.lab:{holder},", "type": TYPES[found["type"]],
                "key": holder and hex(found["hosts"][holder]), "prgen": found["generation"]}

    def _must_be_lun(self, lun):
        if not 0 <= lun < self.luns:
            raise LabError(f"no LUN {lun}; there are 0 to {self.luns - 1}")

    # -- reservations by hand

    def pr_out(self, node, options, device, check=True):
        """What Lab.pr_out() does with these options of sg_persist, by the kernel's ioctls (tests/pr/pr_probe)."""
        values = {name: int(value, 0) for name, value in re.findall(r"--([a-z-]+)=(\w+)", options)}
        action, = re.findall(r"--(register|register-ignore|reserve|release|preempt|preempt-abort|clear)(?= |$)", options)
        if action.startswith("register"):
            keys = f"{values.get('param-rk', 0):x} {values['param-sark']:x}"
            return self.exec(node, f"pr_probe {device} register {keys} {int(action == 'register-ignore')}", check=check)
        words = [action, f"{values['param-rk']:x}"]
        if action.startswith("preempt"):
            words.append(f"{values['param-sark']:x}")
        if action != "clear":
            words.append(str(KERNEL_TYPES[values["prout-type"]]))
        return self.exec(node, f"pr_probe {device} {' '.join(words)}", check=check)

    # -- failures

    def ana(self, lun, san, state):
        """Let a LUN have a state on 'san-a' or 'san-b'; a transition is "change"."""
        self._must_be_lun(lun)
        if state not in ANA_STATES:
            raise LabError(f"no ANA state '{state}'; there are: {', '.join(ANA_STATES)}")
        self.exec("stor", f"echo {state} >/sys/kernel/config/nvmet/ports/{self._port(san)}/ana_groups/{lun + 1}/ana_state",
                  check=True)
        write(os.path.join(self.dir, "ana"), "changed")

    def reset_controllers(self, node):
        """Of a node, all at once; until they work again."""
        self._node_script(node, "reset")

    def connect_as(self, node, other):
        """A node connects anew, with another node's host identifier; with its own: "connect_as(node, node)"."""
        self._node_script(node, "as", other.lstrip("n"))

    def _node_script(self, node, *words):
        result = self.start_node_script(node, *words).wait()
        if result.rc:
            raise LabError(f"{node}: node.py {' '.join(words)} failed: {result}")

    def _port(self, san):
        port = {"san-a": 1, "san-b": 2}.get(san, 3)
        if port > self.config["paths"]:
            raise LabError(f"no SAN '{san}' here; there are: {', '.join(['san-a', 'san-b'][:self.config['paths']])}")
        return port

    def _all_optimized(self):
        marker = os.path.join(self.dir, "ana")
        if os.path.exists(marker):
            self.exec("stor", "for state in /sys/kernel/config/nvmet/ports/*/ana_groups/*/ana_state; do "
                              "echo optimized >$state; done", check=True)
            os.unlink(marker)

    # -- back to a fresh state

    def reset_reservations(self):
        """No registration and no reservation on any LUN; no LUN that stands still, no cut."""
        self._end_slowness()
        for node in self.nodes:
            if self.state(node) == "running" and self.cuts(node):
                self.heal(node)
        self._reservations("clear")

    def restore(self):
        """The lab as it was after `up`, except for files: all machines on, and all that reset_reservations() does."""
        if self.state("stor") == "off":
            raise LabError(f"stor is off and the disks went with it: take {self.name} down, then up again")
        for machine in self.machines:
            if self.state(machine) == "frozen":
                self.thaw(machine)
        for node in self.nodes:
            if self.cuts(node):
                self.heal(node)
            if self.state(node) == "off":
                self.boot(node)
        if self._is_delayed():
            self.latency(0)
        self._end_slowness()
        self._all_optimized()
        waiting = [self.start_node_script(node, "mend") for node in self.nodes]
        self._reservations("clear")
        for running in waiting:
            if running.wait().rc:
                raise LabError(f"{running.node}: its controllers do not come back")

    # -- inside

    def _settings(self):
        return {"IMPATIENT": int(self.config["impatient"])}

    def _command(self, machine, directory):
        c = self.config
        kernel = os.path.join(c["kernels"], c["stor_kernel"] if machine == "stor" else c["kernel"])
        shares = {"root": os.path.join(c["image"], "root"), "modules": kernel + "/modules", "lab": directory,
                  "guest": os.path.join(HERE, "guest"), "lab-guest": os.path.join(LAB, "guest"),
                  **({"stage": c["stage"]} if c["stage"] else {})}
        devices = []
        for tag, path in shares.items():
            readonly = "" if tag == "lab" else ",readonly=on"
            devices += ["-fsdev", f"local,id={tag},path={os.path.realpath(path)},security_model=none,multidevs=remap{readonly}",
                        "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        for n in NETWORKS:
            devices += ["-netdev", f"tap,id=net{n},ifname={tap(machine, n)},script=no,downscript=no",
                        "-device", f"virtio-net-pci,netdev=net{n},romfile=,mac=02:00:00:00:0{n}:{host_number(machine):02x}"]
        return [QEMU, "-name", machine, "-accel", "tcg,tb-size=128", "-cpu", "max", "-machine", "q35", "-m", f"{c['memory']}M",
                "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
                "-kernel", kernel + "/vmlinux", "-initrd", kernel + "/initramfs",
                "-append", f"console=ttyS0 {BOOT} lab_dir={directory}", *devices]


def up(name="vm", nodes=2, luns=1, paths=1, kernel="newest", stor_kernel="newest", cluster="corosync",
       cluster_name="mycluster", stage=None, slow_luns=(), lun_size=16, memory=384, impatient=False):
    """Start a lab and return it when every machine is ready.

    paths: 1, or 2 for native multipath by two SANs. slow_luns: those whose backend write_delay(), stall() and unstall() work on.
    impatient: a lost connection, and a command that is not answered, are noticed in seconds (guest/node.py); else in minutes.
    """
    check_request(name, nodes, luns, paths, cluster, stage)
    slow_luns = sorted(set(slow_luns))
    if any(not 0 <= k < luns for k in slow_luns):
        raise LabError(f"--slow-luns: of the LUNs 0 to {luns - 1}")
    image = vm_image.prepare(kernel, stor_kernel)
    return launch(Vm, name, {
        "nodes": nodes, "luns": luns, "paths": paths, "kernel": image.kernel(kernel), "stor_kernel": image.kernel(stor_kernel),
        "cluster": cluster, "cluster_name": cluster_name, "stage": stage and os.path.abspath(stage), "slow_luns": slow_luns,
        "lun_size": lun_size, "memory": memory, "kernels": image.path, "image": lab_image.prepare().path,
        "impatient": impatient, "hang_luns": [], "mute_luns": [], "shuffle": False, "fabric": False, "queue_if_no_path": False})
