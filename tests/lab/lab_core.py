# SPDX-License-Identifier: GPL-2.0-or-later
"""The class Lab: machines, networks and disks of a lab that is up; and up()."""

import contextlib
import json
import os
import random
import re
import shlex
import shutil

import fabric
import lab_image
import lab_settings
from lab_host import LabError, one_processor, write
from lab_machines import EXEC_TIMEOUT, Machines, check_request, launch
from lab_settings import MAX_HANG_LUNS, SAN_A, SAN_B


class Lab(Machines):
    """A lab that is up. Make one with `up(...)`, or name one that is up already: Lab("lab")."""

    @property
    def fabric(self):
        """What makes paths and disks ill, in a lab with one."""
        if not self.config["fabric"]:
            raise LabError("this lab has no fabric (choose with up(fabric=True))")
        return fabric.Fabric(self)

    @property
    def hang_luns(self):
        """The LUNs that `hang` works on."""
        return self.config["hang_luns"]

    def pr_out(self, node, options, device, check=True):
        """PERSISTENT RESERVE OUT by sg_persist. What others did before (an eviction, a release, a LUN
        RESET) may leave a unit attention, which answers in the command's place (exit status 6): then again."""
        return self.exec(node, f"for attempt in $(seq 20); do sg_persist --no-inquiry --out {options} {device}; rc=$?; "
                               "[ $rc = 6 ] || break; done; exit $rc", check=check)

    # -- failures of disks

    def hang(self, lun):
        """Let every command on a LUN hang, on all nodes, without an end (PR commands too)."""
        self._hold_back(lun, "on")

    def crawl(self, lun, ms):
        """Let every command on a LUN that can hang take ms milliseconds longer, until resume()."""
        self._hold_back(lun, int(ms))

    def unready(self, lun, ms):
        """Let a LUN answer NOT READY, ASYMMETRIC ACCESS STATE TRANSITION (04/0A), for ms milliseconds from now; its state
        changes back and forth then. Returns a Running."""
        group = f"/sys/kernel/config/target/core/fileio_0/lun{lun}/alua/default_tg_pt_gp"
        running = self.start("stor", f"cd {group}; echo {int(ms)} >trans_delay_msecs; for state in 1 0; do "
                             "echo $state >alua_access_state; echo 0 >trans_delay_msecs; done", timeout=EXEC_TIMEOUT + ms / 1000)
        self.exec("stor", f"until grep -qx 15 {group}/alua_access_state; do :; done", timeout=ms / 1000, check=True)
        return running

    def _hold_back(self, lun, how):
        hung = self.hung()
        if lun not in hung:
            self.exec("stor", f"/bin/bash /run/lab-guest/hang {how} " + self._hang_arguments(lun), check=True)
            self._write_hung([*hung, lun])

    def resume(self, lun=None):
        """Let a LUN go on as before (None: all); the commands that hung complete."""
        for k in self.hung() if lun is None else [lun]:
            arguments = self._hang_arguments(k)
            if k in self.hung():
                self.exec("stor", "/bin/bash /run/lab-guest/hang off " + arguments, check=True)
                self._write_hung([h for h in self.hung() if h != k])

    def hung(self):
        """The LUNs that hang or crawl now."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "hung")) as f:
            return json.load(f)
        return []

    def _write_hung(self, luns):
        write(os.path.join(self.dir, "hung"), json.dumps(luns))

    def _hang_arguments(self, lun):
        if lun not in self.hang_luns:
            raise LabError(f"LUN {lun} cannot hang; those that can: {self.hang_luns or 'none'} "
                           f"(choose with `lab.py up --hang-luns {lun}`)")
        i = self.hang_luns.index(lun)
        portals = [f"10.99.{san}.{lab_settings.STOR_ADDRESS + 1 + i}" for san in (SAN_A, SAN_B)[:self.config["paths"]]]
        return shlex.join([str(i), *portals])

    def detach(self, node, lun):
        """Take a LUN from a node, as if it had never been mapped to it; nothing there may use it."""
        self._node_script(node, "detach", lun)

    def attach(self, node, lun):
        """Let a node find a LUN (again): a disk is added."""
        self._node_script(node, "attach", lun)

    def _node_script(self, node, action, lun):
        self._must_be_lun(lun)
        result = self.start_node_script(node, action, lun).wait()
        if result.rc:
            raise LabError(f"{node}: {action} of LUN {lun} failed: {result}")

    def _end_faults(self):
        """Of disks and paths."""
        self.resume()
        self._end_slowness()
        if self.config["fabric"]:
            self.fabric.well()

    # -- the target's truth

    def keys(self, lun):
        """[(key, registrant)]: what the target has registered for a LUN, from its configfs."""
        return self._keys_in(self._pr(lun, "res_pr_registered_i_pts")[0])

    @staticmethod
    def _keys_in(text):
        return [(hex(int(key, 16)), who) for who, key in re.findall(r"Node: (\S+) Key: (0x[0-9a-fA-F]+)", text)]

    def holder(self, lun):
        """{"holder", "type", "key", "prgen"} of a LUN; the first three None when nothing is reserved."""
        who, kind, generation, registered = self._pr(lun, "res_holder", "res_pr_type", "res_pr_generation",
                                                     "res_pr_registered_i_pts")
        found = re.search(r"(iqn\.\S+)", who)
        holder = found and found.group(1)
        key = next((k for k, r in self._keys_in(registered) if r == holder), None)
        return {"holder": holder, "type": kind.removeprefix("SPC-3 Reservation Type: ") if holder else None,
                "key": key, "prgen": int(generation.rsplit(None, 1)[-1], 0) if "0x" in generation else None}

    def _pr(self, lun, *files):
        """The content of each of a LUN's files."""
        self._must_be_lun(lun)
        text = self.exec("stor", f"cd /sys/kernel/config/target/core/*_0/lun{lun}/pr && grep -H '' {' '.join(files)}",
                         check=True).stdout
        return ["\n".join(line.partition(":")[2] for line in text.splitlines() if line.startswith(f + ":")).strip()
                for f in files]

    def _must_be_lun(self, lun):
        if not 0 <= lun < self.luns:
            raise LabError(f"no LUN {lun}; there are 0 to {self.luns - 1}")

    # -- back to a fresh state

    def reset_reservations(self):
        """No registration, no reservation, no hung LUN, no cut and no pending unit attention on any LUN."""
        self._end_faults()
        alive = [n for n in self.nodes if self.state(n) == "running"]
        healed = [n for n in alive if self.cuts(n)]
        for node in healed:
            self.heal(node)
        self._clear(alive, settle_all=bool(healed))

    def restore(self):
        """The lab as it was after `up`, except for files: all machines on, and all that reset_reservations() does."""
        if self.state("stor") == "off":
            raise LabError("stor is off and the LUNs went with it: `lab.py down`, then `lab.py up`")
        disturbed = False
        for machine in self.machines:
            if self.state(machine) == "frozen":
                self.thaw(machine)
                disturbed = True
        for node in self.nodes:
            if self.cuts(node):
                self.heal(node)
                disturbed = True
        for node in self.nodes:
            if self.state(node) == "off":
                self.boot(node)
        if self._is_delayed():
            self.latency(0)
        self._end_faults()
        for node in self.nodes:
            missing = self.exec(node, f"for k in $(seq 0 {self.luns - 1}); do [ -e /dev/lun$k ] || echo $k; done").stdout
            for lun in map(int, missing.split()):
                self.attach(node, lun)
                disturbed = True
        self._clear(self.nodes, disturbed)

    def _clear(self, alive, settle_all):
        """Clear the LUNs that have registrations, and consume the unit attentions that this leaves."""
        used = self.exec("stor", "cd /sys/kernel/config/target/core && "
                                 "grep -l Key: *_0/lun*/pr/res_pr_registered_i_pts || :", check=True).stdout
        luns = [int(k) for k in re.findall(r"lun(\d+)/", used)]
        if luns and not alive:
            raise LabError("reservations cannot be reset: no node runs (lab.py start n1)")
        if luns:
            self.exec(alive[0], self._scsi("clear", luns), check=True)
        if settle_all:
            luns = range(self.luns)
        waiting = [self.start(n, self._scsi("settle", luns)) for n in alive] if luns else []
        for running in waiting:
            result = running.wait()
            if result.rc:
                raise LabError(f"{running.node}: {result.stderr or 'its disks do not come back'}")

    @staticmethod
    def _scsi(action, luns):
        return f"python3 -I -S /run/lab-guest/scsi.py {action} {' '.join(map(str, luns))}"

    def status(self):
        """A description for a person."""
        c = self.config
        return super().status() + f"\nLUNs that can hang: {c['hang_luns'] or 'none'}; hanging: {self.hung() or 'none'}"

    # -- inside

    def _command(self, machine, directory):
        shutil.rmtree(os.path.join(self.dir, "uml", machine), ignore_errors=True)
        os.makedirs(os.path.join(self.dir, "uml"), exist_ok=True)
        return lab_settings.kernel_command(self, machine, directory)

    def _environment(self, machine):
        return lab_settings.kernel_environment(self, machine)

    def _processor(self, machine):
        return one_processor(self.config["turn"] + self.machines.index(machine))


def up(name="lab", nodes=2, luns=1, paths=1, kernel="7", stor_kernel="7", cluster="corosync",
       cluster_name="mycluster", stage=None, hang_luns=None, shuffle=False, queue_if_no_path=False,
       lun_size=64, memory=512, slow_luns=(), fabric=False, mute_luns=(), kind=Lab, more=None):
    """Start a lab and return it when every machine is ready.

    hang_luns=None: the first and the last of several.
    mute_luns: those that abort another initiator's commands without a word (TAS=0).
    fabric: each path of each LUN is a session of its own, which can be made ill (Lab.fabric).
    kind, more: a class of Lab, and what else it keeps in lab.json.
    """
    check_request(name, nodes, luns, paths, cluster, stage)
    image = lab_image.prepare()
    if hang_luns is None:
        hang_luns = range(luns) if fabric else [0, luns - 1] if luns > 1 else []
    hang_luns = sorted(set(hang_luns))
    if len(hang_luns) > MAX_HANG_LUNS or any(not 0 <= k < luns for k in hang_luns):
        raise LabError(f"--hang-luns: at most {MAX_HANG_LUNS} of the LUNs 0 to {luns - 1}")
    slow_luns = sorted(set(slow_luns))
    if any(not 0 <= k < luns for k in slow_luns):
        raise LabError(f"--slow-luns: of the LUNs 0 to {luns - 1}")
    return launch(kind, name, {
        "nodes": nodes, "luns": luns, "paths": paths, "kernel": image.kernel(kernel),
        "stor_kernel": image.kernel(stor_kernel), "cluster": cluster, "cluster_name": cluster_name,
        "stage": stage and os.path.abspath(stage), "hang_luns": hang_luns, "shuffle": shuffle,
        "slow_luns": slow_luns, "mute_luns": list(mute_luns), "fabric": fabric, "queue_if_no_path": queue_if_no_path,
        "lun_size": lun_size, "memory": memory, "image": image.path, "turn": random.randrange(2), **(more or {})})
