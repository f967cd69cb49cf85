# SPDX-License-Identifier: GPL-2.0-or-later
"""The class Guests: a lab of tests/lab (LIO, iSCSI) in which n2 and n3 are guests of QEMU, whose disk is LUN 0 by virtio-scsi
and scsi-block. Which way it comes to them is a Way."""

import os
import shlex
import sys
from dataclasses import dataclass, field

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

import lab_apt              # noqa: E402
import lab_core             # noqa: E402
import lab_exec             # noqa: E402
import vm_image             # noqa: E402
from lab_host import LabError, call, patience                       # noqa: E402
from lab_machines import BOOT_TIMEOUT                               # noqa: E402
from lab_settings import MGMT, NETWORKS, SAN_A, address, host_number, tap   # noqa: E402
from vm_lab import qemu_command                                     # noqa: E402

GUESTS = ("n2", "n3")
BLOCK_ISCSI = "/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so"
HERE_AS_INITIATOR = f"10.99.{SAN_A}.250"        # this machine's address, for QEMU as an initiator
GATEWAY = f"10.99.{MGMT}.254"                   # what commands come from
IN_HOST_TIMEOUT = patience(180)                 # seconds: two guests share a host's only processor
HELPER = "/dev/shm/pr-helper"                   # of a host
SCREEN = "/mnt/machine"                         # this machine's files, in a host


@dataclass
class Way:
    """initiators: {guest: the node whose initiator name its QEMU logs in with}; or hosts: {guest: the node that QEMU runs on,
    which is the initiator}, with qemu-pr-helper."""
    initiators: dict = field(default_factory=dict)
    hosts: dict = field(default_factory=dict)


WAYS = {
    "QEMU's iSCSI client, a name each": Way(initiators={"n2": "n2", "n3": "n3"}),
    "QEMU's iSCSI client, one name": Way(initiators={"n2": "n2", "n3": "n2"}),
    "one host's disk": Way(hosts={"n2": "n1", "n3": "n1"}),
}


class Guests(lab_core.Lab):
    """A lab that is up. n1 sees the LUN by itself; a host is a node in User Mode Linux, with its own kernel's initiator."""

    @property
    def way(self):
        return WAYS[self.config["way"]]

    def host(self, machine):
        """The node that a guest runs on, None if that is this machine."""
        return self.way.hosts.get(machine)

    def _processes(self, machine):
        return super()._processes(self.host(machine) or machine)

    def _pid(self, machine):
        return super()._pid(self.host(machine) or machine)

    def _takes_commands_at(self, machine):
        if not self.host(machine):
            return super()._takes_commands_at(machine)
        return address(MGMT, self.host(machine)), lab_exec.PORT + 100 + host_number(machine)

    def kill(self, node):
        if self.host(node):
            raise LabError(f"{node} is a process of {self.host(node)}, and cannot be switched off alone")
        super().kill(node)

    def _spawn(self, machine):
        if machine not in GUESTS:
            super()._spawn(machine)

    def _wait_ready(self, machines, timeout=BOOT_TIMEOUT):
        """Guests start when the target and their hosts are there."""
        super()._wait_ready([m for m in machines if m not in GUESTS], timeout)
        guests = [m for m in machines if m in GUESTS]
        for guest in guests:
            if self.host(guest):
                self._spawn_in_host(guest)
            else:
                call("ip", "-n", self.netns, "addr", "replace", HERE_AS_INITIATOR + "/24", "dev", f"br{SAN_A}")
                super()._spawn(guest)
        super()._wait_ready(guests, IN_HOST_TIMEOUT if self.way.hosts else timeout)

    def _spawn_in_host(self, guest):
        """QEMU and qemu-pr-helper of this machine's files, in a host's own kernel."""
        host = self.host(guest)
        argv, directory = self._prepare(guest)
        self.exec(host, f"""set -e
            if ! [ -d {SCREEN}/usr ]; then
                modprobe dm-mod
                mkdir -p {SCREEN}
                mount -t hostfs -o / none {SCREEN}
                for d in dev proc sys; do mount --rbind /$d {SCREEN}/$d; done
                chroot {SCREEN} /usr/bin/qemu-pr-helper --daemon --socket {HELPER} --pidfile {HELPER}.pid
            fi
            setsid chroot {SCREEN} {shlex.join(argv)} </dev/null >{SCREEN}{directory}/console 2>&1 &""", check=True)

    def _command(self, machine, directory):
        if machine not in GUESTS:
            return super()._command(machine, directory)
        kernel = os.path.join(self.config["kernels"], self.config["guest_kernel"])
        return qemu_command(self, machine, directory, kernel, self.config["guest_memory"],
                            [*self._networks(machine), *self._disk(machine)], "guest-scsi")

    def _networks(self, machine):
        """A guest in a host has networks of its own, and takes commands by a port of the host's."""
        if not self.host(machine):
            return [arg for n in NETWORKS
                    for arg in ("-netdev", f"tap,id=net{n},ifname={tap(machine, n)},script=no,downscript=no")]
        _, port = self._takes_commands_at(machine)
        found = ["-netdev", f"user,id=net{MGMT},net=10.99.{MGMT}.0/24,host={GATEWAY},dns=10.99.{MGMT}.253,restrict=on,"
                            f"dhcpstart=10.99.{MGMT}.100,hostfwd=tcp::{port}-{address(MGMT, machine)}:{lab_exec.PORT}"]
        return found + [arg for n in NETWORKS if n != MGMT for arg in ("-netdev", f"user,id=net{n},restrict=on")]

    def _disk(self, machine):
        disk = ["-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-block,bus=scsi.0,drive=disk,share-rw=on,io_timeout=3600"]
        if self.host(machine):
            return ["-object", f"pr-manager-helper,id=helper,path={HELPER}", "-blockdev",
                    "driver=host_device,node-name=disk,filename=/dev/lun0,cache.direct=on,pr-manager=helper", *disk]
        name = self.way.initiators[machine]
        return ["-blockdev", f"driver=iscsi,node-name=disk,transport=tcp,portal={address(SAN_A, 'stor')},"
                             f"target=iqn.2026-01.lab:stor,lun=0,initiator-name=iqn.2026-01.lab:{name}", *disk]


def up(name="guests", way=next(iter(WAYS)), stage=None):
    """Start a lab and return it when every machine is ready. LUN 0 is slow (write_delay(), stall())."""
    image = vm_image.prepare("newest")
    if not WAYS[way].hosts and not os.path.exists(BLOCK_ISCSI):
        lab_apt.install_host_tools({BLOCK_ISCSI: "qemu-block-extra"}, lab_apt.say)
    return lab_core.up(name=name, nodes=3, luns=1, slow_luns=[0],
                       stage=stage, memory=1536 if WAYS[way].hosts else 512, kind=Guests,
                       more={"way": way, "kernels": image.path, "guest_kernel": image.kernel("newest"), "guest_memory": 384})
