# SPDX-License-Identifier: GPL-2.0-or-later
"""blkpr-watch on real kernels: a node that was evicted goes down, and nothing else resets one.

Times are by the node's clock, which it tells on its console. A machine of the lab that is
reset is off.
"""

import os
import random
import re
import time
from pathlib import Path

import pytest

from agent import KEYS, Agent, wait_for
from lab_host import SLOWNESS

LUNS = 2
SHAPES = ["7-plain", "7-multipath"]
LOG, PID = "/tmp/blkpr-watch.log", "/tmp/blkpr-watch.pid"
BOUND = 4.0         # seconds from before the eviction to the act; more on a slow machine
EVICTED = "this node has been evicted"
LOOKS = 6           # looks at the arbiter, at least, that a node has to survive


class Watch:
    """The daemon on the nodes of a lab."""

    def __init__(self, lab):
        self.lab = lab
        self.agent = Agent(lab)
        self.former = dict.fromkeys(lab.nodes, 0)
        self.former = {node: len(self.console(node)) for node in lab.nodes}     # of its console

    def start(self, node, options="", told="this node is registered", environment=""):
        self.lab.exec(node, f"rm -f {LOG}; {environment} PATH=$PATH:/usr/local/sbin "
                            f"blkpr-watch -v -f {LOG} {options} "
                            f"</dev/null >/dev/null 2>&1 & echo $! >{PID}", check=True)
        self.until_told(node, told)

    def end(self, node, signal="TERM"):
        """The daemon; what it has left behind may hang on."""
        self.lab.exec(node, f"p=$(cat {PID}) && kill -{signal} $p && "
                            "while kill -0 $p; do sleep 0.1; done; "
                            f"rm -f {PID}")

    def look_now(self, node):
        self.lab.exec(node, f"kill -HUP $(cat {PID})", check=True)

    def log(self, node):
        return self.lab.exec(node, f"cat {LOG} 2>/dev/null || :").stdout

    def until_told(self, node, text, times=1):
        wait_for(lambda: self.log(node).count(text) >= times, 30)

    def boot_id(self, node):
        return self.lab.exec(node, "cat /proc/sys/kernel/random/boot_id", check=True).stdout.strip()

    def console(self, node):
        text = Path(self.lab.console(node)).read_text(encoding="utf-8", errors="replace")
        return text[self.former[node]:]

    def tick(self, node):
        """From here on the node tells its time on its console, five times a second."""
        self.lab.exec(node, "while :; do echo \"<0>tick $(cut -d' ' -f1 /proc/uptime)\" >/dev/kmsg; "
                            "sleep 0.2; done "
                            "</dev/null >/dev/null 2>&1 &", check=True)
        wait_for(lambda: self.ticks(node))

    def ticks(self, node, before=None):
        """The times told, until the text BEFORE has been."""
        told = self.console(node)
        if before:
            told = told.split(before)[0]
        return [float(when) for when in re.findall(r"tick (\d+\.\d+)", told)]

    def told_after_look(self, node, text, times=1):
        self.look_now(node)
        return self.log(node).count(text) >= times

    def survives(self, node, boot, looks=LOOKS):
        """Whether a node lives on while so many looks, each told of, could have made it go."""
        for _ in range(looks):
            self.look_now(node)
            self.lab.exec(node, "sleep 1.1", check=True)
        return self.boot_id(node) == boot and self.lab.exec(node, f"kill -0 $(cat {PID})").rc == 0


@pytest.fixture
def watch(labs, shape):
    lab = labs(**shape, nodes=2, luns=LUNS)
    for node in lab.nodes:
        lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr")
    found = Watch(lab)
    yield found
    for node in lab.nodes:
        if lab.state(node) == "running":
            found.end(node, "KILL")
            found.agent.stop_writing(node)


# ---------------------------------------------------------------- evicted

def test_evicted_node_is_reset_and_writes_no_more(watch):
    watch.agent.unfence()
    watch.start("n2")
    watch.agent.write("n2")
    watch.agent.wait_written("n1")
    watch.tick("n2")
    begun = watch.ticks("n2")[-1]
    result, numbers = watch.agent.off_and_numbers("n1", "n2")
    assert result.rc == 0, result
    wait_for(lambda: EVICTED in watch.console("n2"), 30)
    assert watch.ticks("n2", EVICTED)[-1] - begun < BOUND * SLOWNESS
    wait_for(lambda: watch.lab.state("n2") == "off", 30)
    assert watch.agent.numbers("n1") == numbers


def test_evicted_node_whose_corosync_is_dead_is_reset(watch):
    """Who is in the cluster is known from before."""
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.lab.exec("n2", "pkill -KILL -x corosync", check=True)
    assert watch.survives("n2", boot)
    assert watch.agent("n1", "off", plug="n2").rc == 0
    wait_for(lambda: watch.lab.state("n2") == "off", 30)


def test_rehearsal_does_all_but_the_act(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2", "--rehearse")
    assert watch.agent("n1", "off", plug="n2").rc == 0
    watch.until_told("n2", "a rehearsal: nothing is done")
    assert EVICTED in watch.log("n2")
    assert watch.survives("n2", boot)
    assert watch.log("n2").count("a rehearsal") == 1
    watch.agent.unfence("n2")
    watch.until_told("n2", "this node is registered", 2)


LISTENER = """
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/tmp/notify")
with open("/tmp/notified", "a", buffering=1) as f:
    while True:
        f.write(s.recv(4096).decode() + "\\n")
"""


def test_systemd_hears_that_it_lives_while_a_disk_hangs(watch):
    watch.agent.unfence()
    watch.lab.exec("n2", f"rm -f /tmp/notify /tmp/notified; "
                         f"python3 -c '{LISTENER}' </dev/null >/dev/null 2>&1 & "
                         "until [ -S /tmp/notify ]; do sleep 0.1; done", check=True)
    watch.start("n2", environment="NOTIFY_SOCKET=/tmp/notify WATCHDOG_USEC=600000")

    def heard():
        return watch.lab.exec("n2", "cat /tmp/notified").stdout.split()

    assert "READY=1" in heard()
    watch.lab.hang(0)
    try:
        watch.until_told("n2", "cannot be read")
        before = heard().count("WATCHDOG=1")
        wait_for(lambda: heard().count("WATCHDOG=1") > before + 5)
    finally:
        watch.lab.resume()


# ---------------------------------------------------------------- not evicted

def test_daemon_that_is_stopped_resets_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.end("n2")
    assert "ended by signal 15" in watch.log("n2")
    assert watch.agent("n1", "off", plug="n2").rc == 0
    watch.start("n2", told="is not registered, and has not been")     # nobody has seen it happen
    assert watch.survives("n2", boot)


def test_on_without_a_pause_resets_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    on = watch.agent.command("on")
    running = watch.lab.start("n2", f"for i in $(seq 10); do {on} || exit; done")
    while not running.done():
        watch.look_now("n2")
        watch.lab.exec("n2", "sleep 0.1", check=True)
    assert running.wait().rc == 0
    assert watch.survives("n2", boot)


def test_another_key_by_on_resets_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    for options in ({"key_value": "hash"}, {"key": "0xabc"}, {}):
        watch.agent.unfence("n2", **options)
        assert watch.survives("n2", boot, 3)
    watch.until_told("n2", f"this node is registered (key {KEYS['n2']:#x})")


def test_storage_that_is_cut_resets_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.lab.cut("n2", "san")
    watch.until_told("n2", "cannot be read")
    assert watch.survives("n2", boot)
    watch.lab.heal("n2")
    wait_for(lambda: watch.told_after_look("n2", "this node is registered", 2), 60)
    assert watch.boot_id("n2") == boot


def test_first_disk_that_hangs_resets_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.lab.hang(0)
    try:
        watch.until_told("n2", "cannot be read")
        assert watch.survives("n2", boot)
    finally:
        watch.lab.resume()
    wait_for(lambda: watch.told_after_look("n2", "this node is registered", 2), 60)
    assert watch.boot_id("n2") == boot


def test_keys_that_are_cleared_by_hand_reset_nothing(watch):
    """Not even when another node registers first."""
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.lab.pr_out("n1", f"--clear --param-rk={KEYS['n1']:#x}", "/dev/lun0")
    watch.until_told("n2", "nobody is registered any more")
    watch.agent.unfence("n1")
    watch.until_told("n2", "is not registered, and has not been")
    assert watch.survives("n2", boot)


def test_strangers_that_are_left_alone_reset_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    watch.lab.pr_out("n1", f"--clear --param-rk={KEYS['n1']:#x}", "/dev/lun0")
    watch.lab.pr_out("n1", "--register-ignore --param-sark=0xbad", "/dev/lun0")
    watch.lab.pr_out("n1", "--reserve --param-rk=0xbad --prout-type=5", "/dev/lun0")
    watch.until_told("n2", "no key there is known to be another node's")
    assert watch.survives("n2", boot)


def test_other_disks_only_reset_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    keys = f"--param-rk={KEYS['n1']:#x} --param-sark={KEYS['n2']:#x}"
    watch.lab.pr_out("n1", f"--preempt {keys} --prout-type=5", "/dev/lun1")
    watch.until_told("n2", "since the first disk decides")
    assert watch.survives("n2", boot)


def test_disks_that_are_handed_back_reset_nothing(watch):
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    result = watch.agent("n2", "release")
    assert result.rc == 0, result
    watch.until_told("n2", "no disk is on record")
    assert watch.survives("n2", boot)


# ---------------------------------------------------------------- for as long as one likes

SECONDS = float(os.environ.get("BLKPR_WATCH_SECONDS", "60"))
SEED = int(os.environ.get("BLKPR_WATCH_SEED", str(time.time_ns() % 10**6)))


class Faults:
    """What may befall n2 at random, but an eviction."""

    def __init__(self, watch, seed):
        self.watch = watch
        self.lab = watch.lab
        self.random = random.Random(seed)

    def strike(self):
        self.random.choice([self.cut, self.heal, self.hang, self.lab.resume, self.unfence,
                            self.unfence, self.kill, self.stop, self.set_clock, self.look])()

    def cut(self):
        self.lab.cut("n2", self.random.choice(["ring", "san"]))

    def heal(self):
        if self.lab.cuts("n2"):
            self.lab.heal("n2")

    def hang(self):
        self.lab.hang(self.random.choice(self.lab.hang_luns))

    def unfence(self):
        """Whether it works or not; killed half-way or not."""
        command = self.watch.agent.command("on", power_timeout=4)
        seconds = self.random.uniform(0.01, 6)
        self.lab.exec(self.random.choice(["n1", "n2"]), f"timeout -s KILL {seconds:.2f} {command}")

    def kill(self):
        self.watch.end("n2", "KILL")
        self.watch.start("n2", told="")

    def stop(self):
        self.lab.exec("n2", f"p=$(cat {PID}); kill -STOP $p; "
                            f"sleep {self.random.uniform(0, 6):.1f}; kill -CONT $p", check=True)

    def set_clock(self):
        self.lab.exec("n2", f"date -s '{self.random.randint(-999, 999)} minutes'", check=True)

    def look(self):
        for _ in range(3):
            self.watch.look_now("n2")
            self.lab.exec("n2", "sleep 0.7", check=True)

    def end(self):
        self.lab.resume()
        self.heal()


def test_faults_at_random_reset_nothing(watch):
    """BLKPR_WATCH_SECONDS, BLKPR_WATCH_SEED. What follows them is an eviction, which resets."""
    print(f"seed {SEED}")
    watch.agent.unfence()
    boot = watch.boot_id("n2")
    watch.start("n2")
    faults = Faults(watch, SEED)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        faults.strike()
        assert watch.boot_id("n2") == boot and "evicted" not in watch.log("n2"), watch.log("n2")
    faults.end()
    wait_for(lambda: watch.agent("n2", "on", power_timeout=60).rc == 0, 60)
    watch.end("n2")
    watch.start("n2")
    assert watch.agent("n1", "off", plug="n2", power_timeout=60).rc == 0
    wait_for(lambda: watch.lab.state("n2") == "off", 30)
