# SPDX-License-Identifier: GPL-2.0-or-later
"""One of the resource agents that are compared, driven as Pacemaker's executor drives it, and what is true of the disks."""

import re
import shlex

NODES = ("n1", "n2")
OTHER = {"n1": "n2", "n2": "n1"}
NOT_RUNNING, PROMOTED = 7, 8
TIMEOUT = 20                        # seconds, both agents' own advice for monitor
RECORDS = "/sys/kernel/config/target/core/*_0/lun{}/pr/res_pr_registered_i_pts"
HOLDER = "/sys/kernel/config/target/core/*_0/lun{}/pr/res_holder"
# what is at work on a node's disks, or hangs there
BUSY = "ps -eo stat=,comm= | awk '$1 ~ /^D/ || $2 ~ /^(reservation|sg_persist|dd)/'"


class Kind:
    """An agent with its parameters, and what all its exit codes came to."""

    def __init__(self, title, sg_persist, promotes, type_number, **parameters):
        self.title, self.sg_persist, self.promotes, self.parameters = title, sg_persist, promotes, parameters
        self.type = type_number     # of the reservation
        self.agent = "heartbeat/sg_persist" if sg_persist else "blkpr/reservation"
        self.said = {}              # what was claimed: [how often, how often it was not true]

    def note(self, claim, true):
        often = self.said.setdefault(claim, [0, 0])
        often[0] += 1
        often[1] += not true


class Service:
    """A resource in a lab; the service's node is n1 unless told otherwise."""

    def __init__(self, lab, kind, luns, name="/dev/lun{}"):
        self.lab, self.kind, self.luns, self.name = lab, kind, list(luns), name
        self.seconds = 0            # what the last action took

    # -- the agent

    def command(self, action, timeout=TIMEOUT, role=None, **parameters):
        devices = [self.name.format(k) for k in self.luns]
        words = {"devs": " ".join(devices)} if self.kind.sg_persist else {"devices": ",".join(devices)}
        words.update(self.kind.parameters, CRM_meta_timeout=timeout * 1000, **parameters)
        if self.kind.promotes:
            words.update(CRM_meta_promoted_max=1, CRM_meta_master_max=1)
        if role:
            words.update(CRM_meta_role=role)
        environment = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "disk", "OCF_CHECK_LEVEL": 0,
                       **{f"OCF_RESKEY_{name}": value for name, value in words.items()}}
        return shlex.join(["env", *(f"{name}={value}" for name, value in environment.items()),
                           f"/usr/lib/ocf/resource.d/{self.kind.agent}", action])

    def run(self, node, action, timeout=TIMEOUT, **more):
        result = self.lab.exec(node, self.command(action, timeout, **more), timeout=timeout)
        self.seconds = result.seconds
        return result

    def hold_commands(self):
        return ["start", "promote"] if self.kind.promotes else ["start"]

    def release_commands(self):
        return ["demote", "stop"] if self.kind.promotes else ["stop"]

    def all_of(self, node, actions, timeout=TIMEOUT, go_on=False):
        """These actions in turn, to the first that fails unless told to go on: [(action, exit code; None: no verdict)]."""
        found = []
        for action in actions:
            result = self.run(node, action, timeout)
            found.append((action, None if result.timed_out else result.rc))
            if found[-1][1] != 0 and not go_on:
                break
        return found

    # -- what is true of the disks

    def fresh(self):
        """Nothing registered, and the node knows of nothing."""
        self.lab.reset_reservations()
        for node in NODES:
            self.lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")

    def must_hold(self, node="n1"):
        """From scratch, by the agent."""
        self.fresh()
        if any(rc for _, rc in self.all_of(node, self.hold_commands(), 120)):
            raise SystemExit(f"{self.kind.title}: it does not start, though nothing is wrong")

    def state(self):
        """[({node: [key of each of its registrations]}, node that holds)] of every disk."""
        found = []
        for lun in self.luns:
            keys, holder = self.lab.exec("stor", f"cat {RECORDS.format(lun)}; echo ---; cat {HOLDER.format(lun)}",
                                         check=True).stdout.split("---\n")
            registered = {}
            for node, key in re.findall(r"Node: \S+:(n\d+),\S+ Key: (0x[0-9a-fA-F]+)", keys):
                registered.setdefault(node, []).append(int(key, 16))
            holds = re.search(r"iqn\.\S+?:(n\d+)", holder)
            found.append((registered, holds and holds.group(1)))
        return found

    def registered(self, node="n1"):
        """On how many disks a node is registered."""
        return sum(node in disk for disk, _ in self.state())

    def writable(self, node, luns=None):
        """The LUNs to which a node can write now, by every path."""
        names = [(k, self.name.format(k)) for k in (self.luns if luns is None else luns)]
        text = "".join(f"[ -b {name} ] && dd if=/dev/zero of={name} bs=4k count=8 seek=16 oflag=direct conv=nocreat "
                       f"2>/dev/null && echo {k}\n" for k, name in names)
        return [int(k) for k in self.lab.exec(node, text + ":", timeout=30).stdout.split()]

    def holds(self, node):
        """Whether this node holds every disk, and can write, and the other one cannot."""
        if any(node not in disk or holder != node for disk, holder in self.state()):
            return False
        if set(self.luns) & set(self.lab.hung()):
            return False
        return len(self.writable(node)) == len(self.luns) and not self.writable(OTHER[node])

    # -- claims: an exit code, and whether it was true

    def claim(self, code, claim, true, more=""):
        self.kind.note(claim, true)
        return f"exit {code}{more}, {'true' if true else '**not true**'}"

    def hold(self, node="n1", timeout=TIMEOUT):
        """start (and promote), and whether what it said is so."""
        action, rc = self.all_of(node, self.hold_commands(), timeout)[-1]
        if rc is None:
            return f"no verdict in {timeout} s (`{action}`)"
        true = self.holds(node) == (rc == 0)
        more = f" (`{action}`)" if rc and self.kind.promotes else ""
        return self.claim(rc, "held by `start`" if rc == 0 else "not held by `start`", true, more)

    def monitor(self, node="n1", timeout=TIMEOUT):
        role = "Master" if self.kind.promotes else None
        result = self.run(node, "monitor", timeout, role=role)
        if result.timed_out:
            return f"no verdict in {timeout} s"
        if result.rc == (PROMOTED if self.kind.promotes else 0):
            return self.claim(result.rc, "`monitor`: held", self.holds(node))
        if result.rc == NOT_RUNNING:
            return self.claim(result.rc, "`monitor`: cleanly not here", self.registered(node) == 0)
        if result.rc == 0:
            here = self.state()
            return self.claim(0, "`monitor`: registered", all(node in disk and who != node for disk, who in here))
        return self.claim(result.rc, "`monitor`: failed", not self.holds(node))

    def release(self, node="n1", timeout=TIMEOUT):
        """(demote and) stop: stop follows, as Pacemaker has it, whatever demote says."""
        said = self.all_of(node, self.release_commands(), timeout, go_on=True)
        rc = said[-1][1]
        if rc is None:
            return f"no verdict in {timeout} s"
        more = f" (`demote` {'none' if said[0][1] is None else said[0][1]})" if said[0][1] != 0 and len(said) > 1 else ""
        left = self.registered(node)
        return self.claim(rc, "stopped by `stop`" if rc == 0 else "not stopped by `stop`", (left == 0) == (rc == 0), more)

    # -- other machines, and faults

    def sg_persist(self, node, options, lun, suffix=""):
        """By hand; repeated once, since the first command may be told of what others did before."""
        words = f"sg_persist --out {options} /dev/lun{lun}{suffix} >/dev/null"
        self.lab.exec(node, f"{words} || {words}", check=True)

    def take(self, node, victim, luns):
        """Another machine registers and takes reservation and registration away from the victim."""
        for lun, (registered, _) in zip(self.luns, self.state()):
            if lun in luns:
                self.sg_persist(node, "--register-ignore --param-sark=0xbad", lun)
                self.sg_persist(node, "--preempt-abort --prout-type=5 --param-rk=0xbad "
                                      f"--param-sark={registered[victim][0]:#x}", lun)

    def failing(self, node, fail, luns, suffix=""):
        """Every command to these disks (or to one path of them) fails on this node, or does no longer."""
        text = "".join(f"echo {'offline' if fail else 'running'} "
                       f">/sys/block/$(basename $(readlink -f /dev/lun{k}{suffix}))/device/state\n" for k in luns)
        self.lab.exec(node, "set -e\n" + text, check=True)

    def busy(self, node="n1"):
        return len(self.lab.exec(node, BUSY).stdout.splitlines())
