#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster with both agents and a service that writes, while paths, storage and processes fail.

    soak.py --stage DIR [--minutes 30] [--seed N]       DIR: make install DESTDIR=DIR

`make soak` calls it. Three nodes, disks of two paths each; one path of each node works at any time.
What must not happen is printed as it happens, ends the run, and makes the exit status 1:
    - a write of the service fails, or one that was acknowledged is lost;
    - a node is fenced, or its fencing tried, that was not switched off;
    - another node writes before the one that was switched off is fenced;
    - the service is restarted for no reason, does not come up where it was sent, or is silent for
      longer than LONGEST_PAUSE;
    - a witness of this is blind, or a long run has not had every kind of event.
The seed decides what fails when; how long the cluster takes to answer differs from run to run.
"""

import argparse
import contextlib
import os
import random
import shlex
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, *(os.path.join(TOP, "tests", name) for name in ("lab", "check"))]
import machine                                          # noqa: E402
os.environ.setdefault("BLKPR_SLOWNESS", f"{machine.Machine().slowness:.2f}")    # limits follow it
import lab as lab_module                                # noqa: E402
import witness                                          # noqa: E402
from agent import KEYS                                  # noqa: E402
from failover import FENCED, LUNS, SYSLOG, Failover     # noqa: E402
from lab_host import SLOWNESS, LabError                 # noqa: E402
from pacemaker import AGENT_LOG, PACEMAKER_LOG, stage_with_service, until    # noqa: E402

NODES = 3
# Seconds.
SCSI_TIMEOUT = 5                # until a kernel gives a command up, and for each step after that
SHORT, LONG = (1, 15), (35, 45)     # that a path is ill; a kernel gives a hung one up after some 30
MAY_BE_LONG = ("hangs", "is dead")  # with others each command of a mount or umount takes that long
PATIENT = f"{180 * SLOWNESS:.0f}s"      # start and stop: mount and umount wait for what hangs or is lost
MONITORS = {"disk": "2s", "fs": "30s", "service": "10s"}        # and how often
LONGEST_PAUSE = 180 * SLOWNESS  # between two writes
BLIND = 30 * SLOWNESS           # that a node need not answer who looks
ENOUGH = 20 * SLOWNESS          # minutes after which each kind of event must have been there
# what a path may do; not 05/25/00, which dm-multipath hands to the file system at once
PATH_FAULTS = {
    "hangs": lambda fabric, seed, **whose: fabric.hang(**whose),
    "is dead": lambda fabric, seed, **whose: fabric.kill(**whose),
    "is BUSY": lambda fabric, seed, **whose: fabric.busy(None, **whose),
    "is in transition": lambda fabric, seed, **whose: fabric.transition(None, **whose),
    "loses 5 % of its commands": lambda fabric, seed, **whose: fabric.lose(5, None, seed, **whose),
}
STORAGE_FAULTS = {              # of all disks, for all nodes, by every path: (name, seconds)
    "is BUSY": ("busy", 1),
    "is in transition": ("transition", 1),
    "hangs": ("hang", 3),
}
# not pacemaker-attrd: Pacemaker forgets that the node was unfenced, and restarts what is there
PROCESSES = ("fence_blkpr", "reservation", "pacemaker-fenced", "iscsid")
KINDS = (*(f"path {fault}" for fault in PATH_FAULTS),
         *(f"storage {fault}" for fault in STORAGE_FAULTS),
         *(f"{name} killed" for name in PROCESSES), "service moved", "switched off",
         "agent killed when its node fences")


LOGS = (PACEMAKER_LOG, AGENT_LOG, SYSLOG, "/var/log/corosync/corosync.log")


class Cluster(Failover):
    """With kernels that give a command up soon."""

    def prepare(self, node):
        super().prepare(node)
        limits = "/sys/block/sd*/device/timeout /sys/block/sd*/device/eh_timeout"
        self.admin(f"for limit in {limits}; do echo {SCSI_TIMEOUT} >$limit; done", node)


class Soak:
    def __init__(self, cluster, minutes, seed, break_it=None):
        self.cluster, self.lab = cluster, cluster.lab
        self.began = time.monotonic()
        self.minutes = minutes
        self.end = self.began + minutes * 60
        self.over = threading.Event()
        self.seed, self.break_it = seed, break_it
        self.violations = []
        self.counts, self.struck, self.took = {}, {}, {}
        self.absences = witness.Absences()
        self.history = witness.History(self.absences)
        self.looked = dict.fromkeys(self.lab.nodes, self.began)             # when last
        self.looks = 0
        self.identity = {}                                                  # node: boot and daemons
        self.starts = 0                 # of the service, asked for
        self.turn = {node: threading.Lock() for node in self.lab.nodes}     # to do a node something
        self.service = threading.Lock()                                     # and the service

    def say(self, what):
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def violated(self, what):
        if what not in self.violations:
            self.violations.append(what)
            self.say(f"MUST NOT HAPPEN: {what}")

    def pause(self, seconds):
        """False when it is over."""
        self.over.wait(min(seconds, max(0, self.end - time.monotonic())))
        return not self.over.is_set() and time.monotonic() < self.end

    def run(self):
        self.watch_keys()
        self.first = self.now()
        self.starts = len(self.told("started"))
        actors = [*((self.paths_of, node) for node in self.lab.nodes),
                  (self.storage,), (self.processes,), (self.moves,)]
        if self.break_it:
            actors.append((BREAKS[self.break_it], self))
        threads = [threading.Thread(target=self.guarded, args=actor, daemon=True)
                   for actor in actors]
        for thread in threads:
            thread.start()
        while not self.violations and any(thread.is_alive() for thread in threads):
            time.sleep(2)
            self.guarded(self.look)
        self.over.set()
        if not self.violations:
            self.guarded(self.check_at_the_end)

    def guarded(self, actor, *arguments):
        what = " ".join([actor.__name__, *(a for a in arguments if isinstance(a, str))])
        try:
            actor(random.Random(f"{self.seed} {what}"), *arguments)
        except Exception as e:          # noqa: BLE001 (whatever it is, the run has failed)
            if not self.violations:     # else it fails since the lab goes down
                self.violated(f"{what}: {type(e).__name__}: {e}")

    # -- what fails

    def paths_of(self, chance, node):
        """One path of each map of a node at a time, and well again before the next."""
        while self.pause(chance.uniform(1, 10)):
            fault, path = chance.choice(list(PATH_FAULTS)), chance.choice((0, 1))
            is_long = chance.random() < 0.4 and fault in MAY_BE_LONG
            seconds, seed = chance.uniform(*(LONG if is_long else SHORT)), chance.random()
            with self.turn[node]:
                self.say(f"{node}: path {'AB'[path]} {fault} for {seconds:.0f} s")
                self.count(f"path {fault}")
                PATH_FAULTS[fault](self.lab.fabric, seed, name=node, nodes=[node], paths=[path])
                self.pause(seconds)
                self.struck[fault] = self.struck.get(fault, 0) + self.lab.fabric.hits(node)
                self.lab.fabric.well(node, nodes=[node])

    def storage(self, chance):
        while self.pause(chance.uniform(10, 40)):
            what = chance.choice(list(STORAGE_FAULTS))
            fault, seconds = STORAGE_FAULTS[what]
            self.say(f"storage: every disk {what} for {seconds} s")
            self.count(f"storage {what}")
            getattr(self.lab.fabric, fault)(name="storage", seconds=seconds)
            self.pause(seconds)
            self.lab.fabric.end("storage")      # what is held back is let go by this only

    def processes(self, chance):
        """kill -9, while nobody moves the service: who is killed at its stop is fenced."""
        while self.pause(chance.uniform(5, 15)):
            node, name = chance.choice(self.lab.nodes), chance.choice(PROCESSES)
            with self.service:
                if name == "iscsid":
                    self.restart_iscsid(chance, node)
                elif name == "reservation":
                    self.kill_reservation()
                elif self.kill(node, name):
                    self.until_written(f"{name} was killed on {node}")

    def kill(self, node, name, seconds=10, which=""):
        """Whether there was one within that time. which: more of pkill's conditions."""
        command = f"timeout {seconds} sh -c 'until pkill -9 -x {which} {name[:15]}; do :; done'"
        if self.lab.exec(node, command).rc:
            return False
        self.say(f"{node}: {name} killed")
        self.count(f"{name} killed")
        return True

    def kill_reservation(self):
        """It looks at the service's disk. That fails then, and Pacemaker restarts the service."""
        node = until(self.active, "the service runs nowhere", 30)
        self.starts += 1
        if self.kill(node, "reservation", which="-P $(pgrep -x pacemaker-execd)"):  # no worker of it
            until(lambda: len(self.told("started")) >= self.starts,
                  f"Pacemaker has not noticed that reservation was killed on {node}", 30)
            self.until_written(f"reservation was killed on {node}")
        else:
            self.starts -= 1

    def restart_iscsid(self, chance, node):
        """It logs in anew by every path."""
        with self.turn[node]:
            if self.kill(node, "iscsid"):
                self.pause(chance.uniform(0, 5))
                self.cluster.admin("iscsid", node)
                self.lab.fabric.well(node, nodes=[node])
                self.until_written(f"iscsid was started again on {node}")

    def moves(self, chance):
        """The service is sent elsewhere, or the node that it is on is switched off."""
        while self.pause(chance.uniform(10, 30)):
            with self.service:
                active = until(self.active, "the service runs nowhere", 30)
                self.starts += 1
                if chance.random() < 0.3:
                    self.switch_off(active, chance.random() < 0.4)
                else:
                    self.move(active, chance.choice([n for n in self.lab.nodes if n != active]))

    def move(self, active, target):
        self.say(f"service: from {active} to {target}")
        self.count("service moved")
        began = time.monotonic()
        self.cluster.move(target)
        self.until_written(f"it was sent from {active} to {target}", target)
        self.has_taken("move", began)

    def switch_off(self, active, kill_agents):
        survivors = [n for n in self.lab.nodes if n != active]
        with self.turn[active]:
            self.look_at(active)            # what it knows goes with it
            self.say(f"{active}: switched off")
            self.count("switched off")
            self.absences.begin(active, self.now())
            began, before = time.monotonic(), self.acks()
            killing = [self.kill_fencing_agent(active, n) for n in survivors] if kill_agents else []
            self.lab.kill(active)
            until(lambda: any(who != active for who, _ in self.acks_since(before)),
                  f"nobody takes over from {active}", 120)
            self.has_taken("failover", began)
            if any([running.wait().rc == 0 for running in killing]):
                self.count("agent killed when its node fences")
            failed = self.cluster.fencings(active, survivors[0], "failed")
            self.say(f"{active}: its fencing failed {len(failed)} times before")
            self.cluster.bring_back(active)
            self.cluster.until_up(180)
            self.identity.pop(active, None)
            self.looked[active] = time.monotonic()
            self.absences.end(active, self.now())
            self.say(f"{active}: is back")

    def kill_fencing_agent(self, victim, node):
        """Begun: the next one that runs there once the fencer has been asked about the victim."""
        asked = f"grep -m1 -q 'eligible to fence .*{victim}' < <(tail -n 0 -F {PACEMAKER_LOG})"
        kill = "timeout 2 bash -c 'until pkill -9 -x fence_blkpr; do :; done'"
        return self.lab.start(node, f"bash -c {shlex.quote(f'{asked}; {kill}')}", timeout=60)

    def has_taken(self, what, began):
        seconds = time.monotonic() - began
        self.took.setdefault(what, []).append(seconds)
        node, _ = self.acks_since(self.acks() - 1)[-1]
        self.say(f"service: writes on {node}, after {seconds:.1f} s")

    # -- what must not happen

    def look(self, _):
        """At all that can be seen now. Who does not answer is looked at again; not for ever."""
        for node in self.lab.nodes:
            if not self.absences.of(node):
                before = self.absences.count(node)
                try:
                    self.look_at(node)
                except LabError as e:           # who was asked may have been switched off, and be back
                    if self.absences.count(node) == before and time.monotonic() - self.looked[node] > BLIND:
                        self.violated(f"{node} does not answer: {e}")
        self.judge()

    def look_at(self, node):
        """What a node says of itself, and of fencings."""
        if self.lab.state(node) != "running" and not self.absences.of(node):
            return self.violated(f"{node} is {self.lab.state(node)}, and was not switched off")
        before = self.absences.count(node)
        found = self.lab.exec(node, "cat /proc/sys/kernel/random/boot_id; pgrep -x corosync; "
                                    "pgrep -x pacemakerd; echo --; dmesg").stdout
        who, _, log = found.partition("--\n")
        answer = self.cluster.ask(node, f"timeout {BLIND / 4:.0f} "
                                        "stonith_admin --history '*' -V --output-as=xml")
        if self.absences.count(node) != before:         # it was switched off meanwhile
            return None
        if len(who.split()) != 3 or who != self.identity.setdefault(node, who):
            self.violated(f"{node}: the node, its corosync or pacemakerd is not what it was:\n"
                          f"{self.identity[node]}now:\n{who}")
        for line in witness.kernel_errors(node, log):
            self.violated(line)
        if answer is not None:                  # the fencer may have been killed
            for line in self.history.wrong([e.attrib for e in answer.iter("fence_event")]):
                self.violated(line)
            self.looked[node] = time.monotonic()
            self.looks += 1
        elif time.monotonic() - self.looked[node] > BLIND:
            self.violated(f"{node}: the fencer does not answer")
        return None

    def judge(self):
        """What the storage machine has been told, and has seen."""
        for line in witness.failed_writes(self.told()):
            self.violated(line)
        for line in witness.wrong_evictions(self.keys(), self.absences):
            self.violated(line)
        looks, longest, last = map(float, self.cluster.admin("cat /run/soak.looks", "stor").split())
        if self.now() - last > BLIND or longest > BLIND:
            self.violated(f"nobody watched the keys for a while: {longest} s, last at {last}")
        restarts = len(self.told("started")) - self.starts
        if restarts > 0:
            self.violated(f"the service was started {restarts} times more often than was asked for")
        ago = self.now() - self.last_ack()
        if ago > LONGEST_PAUSE:
            self.violated(f"nothing was written for {ago:.0f} s")

    def check_at_the_end(self, _):
        self.lab.fabric.well()
        node = self.cluster.until_up(180)
        self.until_written("all was well")
        self.last = self.now()
        for each in self.lab.nodes:
            until(lambda: self.is_seen(each), f"{each} cannot be looked at")
        self.judge()
        acks = [(who, when) for _, who, when in self.cluster.timed_acks()]
        for line in witness.unfenced_takeovers(self.keys(), self.absences, acks):
            self.violated(line)
        if self.minutes >= ENOUGH:
            for line in witness.unseen(KINDS, self.counts):
                self.violated(line)
        self.cluster.assert_nothing_lost(node)
        self.starts += 1
        self.cluster.check_file_system()

    def is_seen(self, node):
        began = time.monotonic()
        self.look_at(node)
        return self.looked[node] >= began

    # -- what is seen

    def observer(self):
        return next(node for node in self.lab.nodes if not self.absences.of(node))

    def now(self):
        """By the storage machine's clock."""
        return float(self.cluster.admin("date +%s.%N", "stor"))

    def watch_keys(self):
        self.lab.exec("stor", "cat >/run/soak.py", stdin=witness.KEYS, check=True)
        names = " ".join(f"{node}={KEYS[node]:#x}" for node in self.lab.nodes)
        self.cluster.admin(f"setsid python3 /run/soak.py {FENCED} {names} "
                           "</dev/null >/run/soak.log 2>&1 &", "stor")
        until(lambda: self.lab.exec("stor", "test -e /run/soak.looks").rc == 0,
              lambda: self.cluster.admin("cat /run/soak.log", "stor"))
        assert self.registered() == set(self.lab.nodes), self.keys()

    def keys(self):
        return witness.registrants(self.cluster.admin("cat /run/soak.keys", "stor"))

    def registered(self):
        return self.keys()[-1][1]

    def told(self, what=""):
        messages = witness.told(self.cluster.admin("cat /run/told", "stor"))
        return [m for m in messages if m[2].startswith(what)]

    def acks(self):
        """How many writes were acknowledged."""
        return int(self.cluster.admin("wc -l </run/acks", "stor"))

    def acks_since(self, before):
        """[(node, when)]"""
        lines = self.cluster.admin(f"tail -n +{before + 1} /run/acks", "stor").splitlines()
        return [(node, float(when)) for _, node, when in map(str.split, lines)]

    def last_ack(self):
        return self.acks_since(self.acks() - 1)[-1][1]

    def active(self):
        return next(iter(self.cluster.where("service", self.observer())), None)

    def until_written(self, why, node=None):
        """Until something new is acknowledged, of a node if one is given."""
        before = self.acks()
        until(lambda: any(node in (None, who) for who, _ in self.acks_since(before)),
              f"the service does not write after {why}", 30)

    def keep_logs(self, directory):
        """Of all nodes, for who wants to know why."""
        os.makedirs(directory, exist_ok=True)
        for node in self.lab.nodes:
            commands = {os.path.basename(log): f"cat {log}" for log in LOGS} | {"dmesg": "dmesg"}
            for name, command in commands.items():
                with (open(os.path.join(directory, f"{node}.{name}"), "w") as f,
                      contextlib.suppress(LabError)):       # it is off
                    f.write(self.lab.exec(node, command).stdout)

    # -- the sum

    def sum(self):
        """Lines for a person."""
        end = getattr(self, "last", None) or self.now()
        times = [when for _, _, when in self.cluster.timed_acks() if self.first <= when <= end]
        longest, when = witness.longest_pause(times, self.first, end)
        yield f"seed {self.seed}, {(end - self.first) / 60:.1f} minutes of {self.minutes:g}"
        yield "events: " + listed(self.counts)
        yield "commands struck by ill paths: " + listed(self.struck)
        yield f"writes: {len(times)}; {len(witness.failed_writes(self.told()))} failed"
        yield f"longest time between two writes: {longest:.1f} s, at {when - self.first:.0f} s"
        for what, seconds in self.took.items():
            yield (f"{what}: {len(seconds)}, median {statistics.median(seconds):.1f} s, "
                   f"longest {max(seconds):.1f} s until the service wrote again")
        yield f"starts of the service: {len(self.told('started'))}, asked for {self.starts}"
        yield (f"fencings: {len(witness.evictions(self.keys()))} by the keys on the disk, of "
               f"{len(self.absences.spans)} nodes switched off; "
               f"{len(witness.wrong_evictions(self.keys(), self.absences))} of others")
        looks, blind, _ = self.cluster.admin("cat /run/soak.looks", "stor").split()
        yield f"looks: {looks} at the keys, {blind} s between two at most; {self.looks} at a node"
        yield f"{len(self.violations)} violations" + "".join(f"\n- {v}" for v in self.violations)


def listed(counts):
    return ", ".join(f"{what} {n}" for what, n in sorted(counts.items()))


# ------------------------------------------------ that it would be seen

def fail_writes(chance, soak):
    """Every path of the service's node answers HARDWARE ERROR."""
    soak.pause(5)
    soak.lab.fabric.refuse(name="break", nodes=[soak.active()])


def fence(chance, soak):
    node = chance.choice([n for n in soak.lab.nodes if n != soak.active()])
    soak.pause(5)
    soak.cluster.admin(f"stonith_admin --reboot {node}", soak.cluster.other(node))


def take_key(chance, soak):
    """By no cluster: only the disk knows."""
    soak.pause(5)
    victim = soak.cluster.other(soak.active())
    by = soak.cluster.other(victim)
    soak.lab.pr_out(by, f"--preempt --prout-type=5 --param-rk={KEYS[by]:x} "
                        f"--param-sark={KEYS[victim]:x}", f"/dev/lun{FENCED}")


def lose_write(chance, soak):
    """What nobody has written is acknowledged."""
    soak.pause(5)
    soak.cluster.admin("echo 999999999 n1 $(date +%s.%N) >>/run/acks", "stor")


def restart(chance, soak):
    """The service, for no reason."""
    soak.pause(5)
    soak.cluster.admin("crm_resource --restart --resource service")


def reset_node(chance, soak):
    """A node ends its cluster, as one does that is told that it was fenced."""
    soak.pause(5)
    soak.cluster.kill_process(soak.cluster.other(soak.active()), "pacemakerd")


BREAKS = {"write": fail_writes, "fencing": fence, "key": take_key, "loss": lose_write,
          "restart": restart, "node": reset_node}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree")
    parser.add_argument("--minutes", type=float, default=30, help="how long (default 30)")
    parser.add_argument("--seed", type=int, default=random.randrange(10000),
                        help="what fails when (default: another each time)")
    parser.add_argument("--managed", action="store_true",
                        help="fence_blkpr has the service's disk, too")
    parser.add_argument("--break", dest="break_it", choices=BREAKS,
                        help="do what must not happen, after 5 s, to see that it is seen")
    parser.add_argument("--logs", default="soak.logs",
                        help="the directory for the nodes' logs (default soak.logs)")
    parser.add_argument("--name", default=f"soak-{os.getpid()}", help="of the lab")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the lab is taken down
    scratch = tempfile.mkdtemp(prefix="soak-")
    lab = None
    try:
        stage = stage_with_service(args.stage, os.path.join(scratch, "root"))
        lab = lab_module.up(name=args.name, nodes=NODES, luns=LUNS, paths=2, kernel="7",
                            cluster="pacemaker", stage=stage, fabric=True, hang_luns=[],
                            queue_if_no_path=True)
        cluster = Cluster(lab, args.managed)
        cluster.create()
        for name, interval in MONITORS.items():
            cluster.admin(f"pcs resource update {name} op start timeout={PATIENT} "
                          f"op stop timeout={PATIENT} "
                          f"op monitor interval={interval} timeout={20 * SLOWNESS:.0f}s")
        cluster.until_up(180)
        cluster.forget_history()
        print(f"seed {args.seed}, {args.minutes:g} minutes, limits times {SLOWNESS:g}", flush=True)
        soak = Soak(cluster, args.minutes, args.seed, args.break_it)
        soak.run()
        soak.keep_logs(args.logs)
        for line in soak.sum():
            print(line, flush=True)
        return 1 if soak.violations else 0
    finally:
        if lab:
            lab.down()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
