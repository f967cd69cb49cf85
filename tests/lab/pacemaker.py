# SPDX-License-Identifier: GPL-2.0-or-later
"""A Pacemaker cluster in a lab: set up as an administrator does it, seen as the cluster and as the target see it."""

import json
import os
import random
import re
import shlex
import shutil
import time
import xml.etree.ElementTree as ET

from agent import KEYS, Agent
from lab_host import LabError, patience

KEYS["n3"] = 0x6c9d58de4443aee1        # name64, as the others

AGENT_LOG = "/var/log/fence_blkpr.log"
PACEMAKER_LOG = "/var/log/pacemaker/pacemaker.log"
SERVICES = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest", name) for name in ("seqwriter", "ledger")]
GIVEN_UP_FOR_NOW = "No fence device (aborting transition and giving up for now)"
REFRESH = "crm_resource --refresh"
WAIT = f"--wait={patience(60):.0f}"                # of pcs
UNFENCE = "stonith_admin --unfence NODE"            # where no resource has a history yet, a refresh changes nothing
FENCINGS = ("off", "reboot")                        # what the cluster calls it; the agent always does `off`


def until(condition, what, seconds=90):
    """The first true value of condition(); fails with `what` (text, or a function that gives it) after patience(seconds).
    What asks a cluster costs its nodes time, so asking takes no more than a fifth of it."""
    deadline = time.monotonic() + patience(seconds)
    while True:
        began = time.monotonic()
        found = condition()
        if found:
            return found
        if began > deadline:                            # asking itself may have taken long
            raise AssertionError(f"not within {patience(seconds):.0f} s: {what() if callable(what) else what}")
        now = time.monotonic()
        time.sleep(max(0.1, min(4 * (now - began), deadline - now)))


def stage_with_service(source, target):
    """A copy of a stage with ocf:lab:seqwriter and ocf:lab:ledger in it."""
    shutil.copytree(source, target, symlinks=True)
    directory = os.path.join(target, "usr/lib/ocf/resource.d/lab")
    os.makedirs(directory)
    for service in SERVICES:
        shutil.copy(service, directory)
    return str(target)


class Cluster:
    """Corosync and Pacemaker on a lab's nodes. `by` is the node whose view is asked for; `luns`, how many of the LUNs,
    from the first, the service writes on; `agent` is an Agent of the kind that the lab's disks want."""

    def __init__(self, lab, luns=None, agent=None):
        self.lab = lab
        self.luns = luns or lab.luns
        self.told_again = 0
        self.agent = agent or Agent(lab)

    # -- set up

    FENCING_OPERATIONS = "op monitor interval=2s"

    def create_fencing(self, name="fence-disks", devices=None, **options):
        """What README.md says, and a monitor often enough to be watched; the log tells what the agent did."""
        options = {"devices": devices or self.agent.devices(), "verbose": 1, "logfile": AGENT_LOG, **options}
        words = " ".join(shlex.quote(f"{name}={value}") for name, value in options.items())
        self.admin(f"pcs stonith create {name} fence_blkpr {words} {self.FENCING_OPERATIONS}")

    def create_service(self):
        """A writer of numbers that stays where it is while it can."""
        self.admin("pcs resource defaults update resource-stickiness=100")
        self.admin(f"pcs resource create service ocf:lab:seqwriter devices={self.agent.devices(range(self.luns))} "
                   "op monitor interval=10s")

    def admin(self, command, node="n1", seconds=120):
        """A command that must work; its output."""
        return self.lab.exec(node, command, timeout=patience(seconds), check=True).stdout

    def tell_again(self):
        """Pacemaker gives up when it asks for an unfencing before a fencer has heard of the new device; by what
        doc/troubleshooting.md recommends it tries again. Every 15 s at most."""
        if time.monotonic() - self.told_again < 15:
            return
        self.told_again = time.monotonic()
        alive = [n for n in self.lab.nodes if self.lab.state(n) == "running"]
        if any(self.lab.exec(n, f"grep -qF '{GIVEN_UP_FOR_NOW}' {PACEMAKER_LOG}").rc == 0 for n in alive):
            self.look_again(alive)

    def look_again(self, nodes):
        self.lab.exec(nodes[0], REFRESH)
        for node in nodes:
            self.lab.exec(nodes[0], UNFENCE.replace("NODE", node), timeout=patience(120))

    # -- the cluster's view

    def ask(self, by, command):
        """A question's XML answer; None if Pacemaker does not answer there just now."""
        result = self.lab.exec(by, command)
        try:
            return ET.fromstring(result.stdout)
        except ET.ParseError:
            return None

    def status(self, by):
        return self.ask(by, "crm_mon -1 --output-as=xml")

    def members(self, by):
        """The nodes that are online, and all right, and known to be so."""
        status = self.status(by)
        good = {"online": "true", "unclean": "false", "pending": "false"}
        return [] if status is None else [n.get("name") for n in status.iterfind("nodes/node")
                                          if all(n.get(k) == v for k, v in good.items())]

    def unclean(self, by):
        status = self.status(by)
        return [] if status is None else [n.get("name") for n in status.iterfind("nodes/node[@unclean='true']")]

    def where(self, resource, by):
        """The nodes on which a resource (or an instance of it) is started."""
        status = self.status(by)
        return [] if status is None else [n.get("name") for r in status.iterfind("resources//resource")
                                          if r.get("id").split(":")[0] == resource and r.get("role") == "Started"
                                          and r.get("failed") == "false" for n in r.iterfind("node")]

    def failures(self, by):
        """[{node, op_key, exitreason, ...}] of the fence device's failures that crm_mon shows."""
        status = self.status(by)
        return [] if status is None else [f.attrib for f in status.iterfind("failures/failure")
                                          if f.get("op_key", "").startswith("fence-disks")]

    def operations(self, by):
        """[(node, resource, task, rc, interval)] of the operations that the cluster remembers."""
        return [(node.get("name"), history.get("id"), op.get("task"), int(op.get("rc")), op.get("interval"))
                for node in self.status(by).iterfind("node_history/node")
                for history in node.iterfind("resource_history") for op in history.iterfind("operation_history")]

    def history(self, target, by):
        """[{action, status, delegate, ...}] of what was done to a node."""
        answer = self.ask(by, f"stonith_admin --history {target} -V --output-as=xml")
        return [] if answer is None else [event.attrib for event in answer.iter("fence_event")
                                          if event.get("target") == target]

    def fencings(self, target, by, status):
        return [e for e in self.history(target, by) if e["action"] in FENCINGS and e["status"] == status]

    def forget_history(self):
        """So that what the history says next is new (what was pending when a fencer died stays so for ever, and what ends
        meanwhile is remembered again)."""
        def forgotten():
            self.admin("stonith_admin --history '*' --cleanup")
            answers = [self.ask(by, "stonith_admin --history '*' -V --output-as=xml") for by in self.lab.nodes]
            return not any(event.get("status") != "pending" for answer in answers if answer is not None
                           for event in answer.iter("fence_event"))
        until(forgotten, "the history is not forgotten")

    # -- the target's truth

    @staticmethod
    def key(node):
        return hex(KEYS[node])

    def registered(self):
        return self.agent.registered()

    def unfenced(self, *nodes):
        """Whether these and no others are registered, on every path of every LUN."""
        return self.registered() == self.agent.everywhere(*nodes)

    def evicted(self, node):
        return not any(node in disk for disk in self.registered())

    def numbers(self):
        """[{"service": {node: number}, "stray": {node: number}, "seqio": [number...]}] of every LUN, from its medium."""
        media = [self.lab.medium(k) for k in range(self.luns)]
        found = json.loads(self.lab.exec("stor", "/run/lab-guest/seqwriter read " + " ".join(media), check=True).stdout)
        return [found[medium] for medium in media]

    def written(self, kind, node, numbers=None):
        """A node's numbers on every LUN: of its service, or of its stray writers."""
        return [disk[kind][node] for disk in numbers or self.numbers()]

    def until_writing(self, kind, node, seconds=60):
        """Until all of a node's numbers grow."""
        before = self.written(kind, node)
        until(lambda: all(a < b for a, b in zip(before, self.written(kind, node))),
              lambda: f"{node}'s {kind} does not write: {before}, {self.written(kind, node)}", seconds)

    def found_at_start(self, node):
        """What the service found when it was started on a node: [{"service", "stray", "seqio", "keys"}], a LUN each."""
        text = self.admin("cat /run/seqwriter/start", node)
        return list(json.loads(text).values())

    def start_strays(self, node):
        """Writers on every LUN that no cluster knows, so that none stops them."""
        self.admin(f"/run/lab-guest/seqwriter stray {self.agent.devices().replace(',', ' ')}", node)

    # -- both, which must agree

    def until_fenced(self, victim, by, seconds=120):
        """Until a node's history has the fencing as done; the keys must be gone at any time that it says so."""
        def done():
            events = self.fencings(victim, by, "success")
            if events:
                assert self.evicted(victim), f"{by} has {victim} fenced: {events}, and the disks {self.registered()}"
            return events
        return until(done, lambda: f"{by} has not fenced {victim}: {self.history(victim, by)}, {self.registered()}, "
                     f"{self.tail(by)}", seconds)

    def until_fencing_failed(self, victim, by, seconds=90):
        """Until a node's history has a fencing that failed, and none that was done."""
        until(lambda: self.fencings(victim, by, "failed"),
              lambda: f"{by} has no failed fencing of {victim}: {self.history(victim, by)}", seconds)
        assert not self.fencings(victim, by, "success")

    def until_well(self, seconds=180):
        """Until every node sees every node online, all are registered everywhere, and the service runs once."""
        nodes = self.lab.nodes

        def well():
            return found() or self.tell_again()

        def found():
            return (self.unfenced(*nodes) and all(self.members(n) == nodes for n in nodes)
                    and len(self.where("service", nodes[0])) == 1 and len(self.where("fence-disks", nodes[0])) == 1
                    and self.where("service", nodes[0])[0])

        def ill():
            members = {n: self.members(n) for n in nodes}
            return (f"the cluster is not whole: {self.registered()}, members {members}, "
                    f"service {self.where('service', nodes[0])}, fencing {self.where('fence-disks', nodes[0])}\n"
                    + "\n".join(f"{n}: {self.tail(n)}" for n in nodes))
        return until(well, ill, seconds)

    def make_whole(self):
        """Nodes that have lost their keys or their Pacemaker rebooted, stray writers stopped, networks plugged in."""
        lab = self.lab
        lab.resume()
        ill = [node for node in lab.nodes if not self.fit(node)]
        assert len(ill) < len(lab.nodes), f"no node has kept the cluster's configuration: {self.registered()}"
        for node in ill:
            lab.kill(node)
        for node in lab.nodes:
            lab.heal(node)
            if node not in ill:
                lab.exec(node, "pkill -9 -f '[s]eqwriter stray'; pkill -9 -x seqio")
        for node in ill:
            lab.boot(node)
        service = self.until_well()
        self.forget_history()
        return service

    def fit(self, node):
        """Whether a node is registered and runs the cluster."""
        return (self.lab.state(node) == "running"
                and all(disk.get(node) == self.agent.paths for disk in self.registered())
                and self.lab.exec(node, "pgrep -x pacemaker-contr && pgrep -x corosync").rc == 0)

    def tail(self, node):
        try:
            return self.lab.exec(node, f"tail -n 25 {AGENT_LOG}; grep -E 'error:|warning:|Operation' {PACEMAKER_LOG} | "
                                       "tail -n 25").stdout
        except LabError as e:
            return str(e)

    def log_lines(self, node):
        """How long a node's Pacemaker log is."""
        return int(self.admin(f"wc -l <{PACEMAKER_LOG}", node))

    def log_since(self, node, lines):
        return self.admin(f"tail -n +{lines + 1} {PACEMAKER_LOG}", node).splitlines()

    # -- what an administrator does to the disks

    def unfence(self, node):
        """By the cluster, which knows the parameters."""
        self.admin(f"stonith_admin --unfence {node}", node)

    def restart(self, node):
        """Corosync and Pacemaker, once they have ended as they do when they are told that their node was fenced."""
        until(lambda: self.lab.exec(node, "pgrep -x pacemakerd || pgrep -x corosync").rc, f"the cluster does not end on {node}")
        self.admin("bash -c 'log() { :; }; . /run/lab-guest/cluster; start_corosync; start_pacemaker'", node)

    def release(self, lun, kind=5):
        """The holder releases its reservation, whatever path it was made by."""
        holder = self.lab.holder(lun)["holder"].partition(",")[0].rpartition(":")[2]
        for path in ("", "-b")[:self.agent.paths]:
            self.lab.pr_out(holder, f"--release --prout-type={kind} --param-rk={self.key(holder)}", f"/dev/lun{lun}{path}",
                            check=False)
        assert not self.lab.holder(lun)["holder"]

    # -- what the agent did

    def monitors(self, node, since=0):
        """How often the agent found all disks all right, by its log, beyond that many lines; and the lines."""
        lines = self.lab.exec(node, f"cat {AGENT_LOG}").stdout.splitlines()
        good = {}
        for line in lines[since:]:
            found = re.search(r"fence_blkpr\[(\d+)\] info: (\S+) \(.*?\): ok; PR generation (\d+) -> \3,", line)
            if found:
                good.setdefault(found.group(1), set()).add(found.group(2))
        return sum(len(devices) == self.lab.luns for devices in good.values()), len(lines)

    def refusals_to_unfence(self, node):
        """How often the agent has found that its node was evicted, and not taken back."""
        return int(self.lab.exec(node, f"grep -c 'error: this node was registered, and has been evicted' {AGENT_LOG} || :").stdout)

    def agents_share(self, victim, delegate):
        """Seconds that the fencer waited for the agent's last `off`, and that the agent worked on the disks."""
        log = self.admin(f"grep -E \"(Remapping|Operation) 'reboot'.* targeting {victim} using fence-disks\" "
                         f"{PACEMAKER_LOG} | tail -n 2", delegate).splitlines()
        assert "Remapping" in log[0] and "returned 0" in log[1], log
        begun, ended = (sum(float(t) * unit for t, unit in zip(line.split()[2].split(":"), (3600, 60, 1)))
                        for line in log)
        pid = re.search(r"\[(\d+)\] targeting", log[1]).group(1)
        lines = self.admin(rf"grep -F 'fence_blkpr[{pid}]' {AGENT_LOG}", delegate).splitlines()
        took = {"arbiter" in line: 0 for line in lines}
        for line in lines:
            took["arbiter" in line] = max(took["arbiter" in line], int(re.search(r"(\d+) ms$", line).group(1)))
        return (ended - begun) % 86400, sum(took.values()) / 1000       # the arbiter, then the others all at once

    def agent_works(self, node):
        """Until the agent, asked by hand, finds everything all right."""
        until(lambda: self.agent(node, "monitor").rc == 0, lambda: f"{self.agent(node, 'monitor')}")

    def agents(self, node):
        """The process ids of the agent and its workers."""
        return set(self.lab.exec(node, "pgrep -x fence_blkpr").stdout.split())

    def kill_process(self, node, name):
        """kill -9 of what has this name, as pgrep knows it; whether there was any."""
        return self.lab.exec(node, f"pkill -9 -x {name}").rc == 0

    def other(self, *nodes):
        """One of the others."""
        return random.choice([n for n in self.lab.nodes if n not in nodes])
