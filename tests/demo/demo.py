#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fence a node that writes without pause, and show what happens when.

Every figure was measured in this run, and every sentence about a result is checked before it is printed: what
turns out otherwise is said in red, and the exit status is 1.
"""

import argparse
import contextlib
import errno
import os
import re
import shlex
import signal
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))

import prepare                                          # noqa: E402
from agent import KEYS, Agent, wait_for                 # noqa: E402
from clock import NodeClock, difference                 # noqa: E402
from service import Service                             # noqa: E402
from lab import LabError, all_labs, down, up            # noqa: E402
from lab_host import namespace_members, process_stat, reap, wait_until      # noqa: E402
from screen import Screen                               # noqa: E402

DISK = "/dev/lun0"
RECORD = os.path.join(TOP, "doc", "demo-output.txt")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMES = {key: node for node, key in KEYS.items()}


class WrongError(Exception):
    """Something that the demo was about to say is not true."""


class InterruptError(Exception):
    """A signal asked for the end."""


def claim(true, otherwise):
    if not true:
        raise WrongError(otherwise)


def claim_soon(condition, otherwise):
    """What need not be true at once, but before long."""
    try:
        wait_for(condition)
    except AssertionError:
        raise WrongError(otherwise) from None


# ---------------------------------------------------------------- nodes

class Outcome:
    """A command on a node as the node itself saw it: rc, stdout, stderr, begin and end (its CLOCK_REALTIME, ns);
    and what ran next: its output (after) and its end (after_end)."""

    def __init__(self, result):
        found = re.fullmatch(r"(.*)^@ (\d+) ([\d.]+) ([\d.]+) ([\d.]+)\n(.*)", result.stdout, re.S | re.M)
        claim(found, f"a command on a node did not end by itself: {result!r}")
        self.stdout, self.after = found[1], found[6]
        self.rc = int(found[2])
        self.begin, self.end, self.after_end = (int(word.replace(".", "")) * 1000 for word in found.groups()[2:5])
        self.stderr = result.stderr

    @property
    def ms(self):
        return (self.end - self.begin) / 1e6

    def __repr__(self):
        return f"exit {self.rc}, {self.stdout.strip()!r}, {self.stderr.strip()!r}"


def timed(lab, node, command, then=":"):
    """Run a command on a node, and another one as soon as it has ended."""
    return Outcome(lab.exec(node, f'a=$EPOCHREALTIME; {command}; r=$?; b=$EPOCHREALTIME; {then} >/tmp/then 2>&1; '
                                  'echo "@ $r $a $b $EPOCHREALTIME"; cat /tmp/then'))


class Writers:
    """What the writers on a node say of themselves, all of them at one moment."""

    def __init__(self, text):
        rows = [[int(word) for word in line.split()[1:]] for line in text.splitlines() if line.startswith(DISK)]
        claim(rows, f"the writers say nothing: {text!r}")
        self.accepted, self.refusals, self.errors, self.accepted_ns, self.refused_ns = map(list, zip(*rows))

    @property
    def count(self):
        return len(self.accepted)


def numbers(text):
    """The numbers on the disk, one a writer."""
    found = re.search(rf"^{DISK}((?: \d+)+)$", text, re.M)
    claim(found, f"the disk cannot be read: {text!r}")
    return [int(n) for n in found[1].split()]


# ---------------------------------------------------------------- the story

class Story:
    """The demo proper, act by act."""

    def __init__(self, lab, screen):
        self.lab = lab
        self.screen = screen
        self.agent = Agent(lab)

    def tell(self):
        clocks = [NodeClock(self.lab, node) for node in ("n1", "n2")]
        try:
            self.screen.start_clock()
            self.unfence_both()
            self.write()
            off = self.fence(clocks)
            self.stay_out(off)
            self.fence_back()
            self.status("OFF", 2)
            self.unfence_again()
        finally:
            for clock in clocks:
                clock.close()

    def unfence_both(self):
        for node in ("n1", "n2"):
            self.unfence(node)
        self.show_target("n1", "n2")

    def write(self):
        self.agent.write("n2")
        claim_soon(lambda: all(self.writers().accepted), "n2 does not write")
        self.screen.event("n2", f"starts {self.writers().count} writers on {DISK}: "
                                "each writes a number, then the next, and never stops")
        rate = self.rate(1.5)
        self.screen.event("n2", f"{rate:.0f} writes a second are accepted (measured for 1.5 s)")
        self.screen.event("n1", f"reads from the disk, a number a writer: {self.say_numbers(self.disk())}")

    def fence(self, clocks):
        for clock in clocks:
            clock.compare()
        command = self.agent.command("off", DISK, plug="n2", verbose=True).replace("--plug=", "-n ")
        command = command.replace("--verbose", "-v")
        self.screen.event("n1", command, "bold")
        off = timed(self.lab, "n1", command, f"seqio read {DISK}")
        for line in off.stderr.splitlines():
            self.screen.detail(line, "dim", hang=2)
        claim((off.rc, off.stdout) == (0, "Success: Powered OFF\n"), f"n1 could not fence n2: {off}")
        claim_soon(lambda: all(self.writers().refusals), "n2's writes are not refused")
        for clock in clocks:
            clock.compare()
        self.time_line(off, self.writers(), *difference(*clocks))
        self.show_target("n1")
        return off

    def time_line(self, off, writers, ahead, error):
        """Put what two clocks have seen on one line of time, n1's."""
        claim(set(writers.errors) == {errno.EBADE}, f"n2's writes fail with {set(writers.errors)}, not EBADE")
        last, first = max(writers.accepted_ns) - ahead, min(writers.refused_ns) - ahead
        number = writers.accepted[writers.accepted_ns.index(last + ahead)]
        events = [
            (off.begin, "n1", "fence_blkpr starts"),
            (last, "n2", f"hears that its last write is done: number {number}"),
            (first, "n2", "hears that a write is refused, the first one: EBADE, a reservation conflict"),
            (off.end, "n1", f"fence_blkpr has ended after {off.ms:.1f} ms: {off.stdout.strip()}, exit {off.rc}"),
            (off.after_end, "n1", f"has read the disk: {self.say_numbers(numbers(off.after))}"),
        ]
        self.screen.plain()
        for ns, node, text in sorted(events):
            self.screen.moment((ns - off.begin) / 1e6, node, text)
        self.screen.detail("(n1's moments by n1's clock, n2's by n2's, which was measured to be "
                           f"{abs(ahead) / 1e6:.2f} ms {'ahead' if ahead > 0 else 'behind'}, "
                           f"give or take {error / 1e6:.2f} ms at most)", "dim")
        if last > off.end:
            self.screen.detail("(n2 heard of its last write late: the number was on the disk when n1 read it)", "dim")
        self.screen.plain()

    def stay_out(self, off):
        """The proof: what counts is the disk, not a clock."""
        final = numbers(off.after)
        before = self.writers()
        claim(all(a <= f for a, f in zip(before.accepted, final)),
              f"a write was accepted after the command had ended: {before.accepted} against {final} on the disk")
        claim_soon(lambda: sum(self.writers().refusals) >= sum(before.refusals) + 500,
                   "n2 has ceased to try, or is not refused")
        now, disk = self.writers(), self.disk()
        claim(disk == final and now.accepted == before.accepted, f"the disk has changed: {final}, now {disk}")
        claim(set(now.errors) == {errno.EBADE}, f"n2's writes fail with {set(now.errors)}, not EBADE")
        self.screen.event("n2", f"keeps trying: {sum(now.refusals)} writes so far, all of them refused")
        self.screen.event("n1", f"reads from the disk: {self.say_numbers(disk)}, the same numbers: "
                                "no write has landed", "good")

    def fence_back(self):
        command = f"fence_blkpr -o off -n n1 -d {DISK}"
        self.screen.event("n2", f"tries to fence n1 back: {command}", "bold")
        off = timed(self.lab, "n2", command)
        for line in off.stderr.splitlines():
            self.screen.detail(line, "dim", hang=2)
        claim(off.rc == 1 and "this node was evicted" in off.stderr and not off.stdout,
              f"n2 should have been refused: {off}")
        self.screen.detail(f"refused, exit {off.rc}: who has been evicted can evict nobody", "good")
        self.show_target("n1")

    def status(self, state, rc):
        command = f"fence_blkpr -o status -n n2 -d {DISK}"
        status = timed(self.lab, "n1", command)
        claim((status.rc, status.stdout) == (rc, f"Status: {state}\n"), f"{command}: {status}")
        self.screen.event("n1", f"{command}: {status.stdout.strip()}, exit {status.rc}")

    def unfence_again(self):
        final = self.disk()
        self.unfence("n2")
        claim_soon(lambda: not any(self.writers().refusals), "n2 is still refused")
        rate = self.rate(1)
        disk = self.disk()
        claim(all(a < b for a, b in zip(final, disk)), f"n2 does not write again: {final}, {disk}")
        self.screen.event("n2", f"writes again, {rate:.0f} times a second")
        self.screen.event("n1", f"reads from the disk: {self.say_numbers(disk)}")
        self.status("ON", 0)
        self.show_target("n1", "n2")

    # -- what the acts are made of

    def unfence(self, node):
        on = timed(self.lab, node, f"fence_blkpr -o on -d {DISK}")
        claim((on.rc, on.stdout) == (0, "Success: Powered ON\n"), f"{node} could not be unfenced: {on}")
        self.screen.event(node, f"fence_blkpr -o on -d {DISK}: {on.stdout.strip()}, {on.ms:.1f} ms")

    def show_target(self, *nodes):
        """The registrations and the reservation as the target has them; they must be of these nodes."""
        keys = sorted((int(key, 16), who) for key, who in self.lab.keys(0))
        holder = self.lab.holder(0)
        expected = sorted(KEYS[node] for node in nodes)
        claim([key for key, _ in keys] == expected, f"the target has the keys {keys}, not those of {nodes}")
        claim(all(f":{NAMES[key]}," in who for key, who in keys), f"a key belongs to another node: {keys}")
        claim(holder["type"] and "Registrants Only" in holder["type"], f"no such reservation: {holder}")
        claim(holder["key"] and NAMES.get(int(holder["key"], 16)) in nodes, f"the holder is none of {nodes}: {holder}")
        self.screen.event("stor", "keys on the target: " + ", ".join(
            f"{key:#x} ({NAMES[key]})" for key in (KEYS[node] for node in nodes)))
        self.screen.detail(f"reservation: {holder['type']}, held by {NAMES[int(holder['key'], 16)]}")

    def writers(self):
        return Writers(self.lab.exec("n2", f"seqio state {DISK}", check=True).stdout)

    def rate(self, seconds):
        """Writes that the disk accepts in a second, by n2's clock."""
        look = f"echo $EPOCHREALTIME; seqio state {DISK}"
        text = self.lab.exec("n2", f"{look}; sleep {seconds}; echo; {look}", check=True).stdout
        before, after = ((float(part.split("\n")[0]), Writers(part)) for part in text.split("\n\n"))
        claim(not any(after[1].refusals), "a write was refused without cause")
        written = sum(after[1].accepted) - sum(before[1].accepted)
        claim(written > 0, "n2 does not write")
        return written / (after[0] - before[0])

    def disk(self):
        """The numbers that n1 reads from the disk."""
        return numbers(self.lab.exec("n1", f"seqio read {DISK}", check=True).stdout)

    @staticmethod
    def say_numbers(found):
        return " ".join(map(str, found))


# ---------------------------------------------------------------- before and after

@contextlib.contextmanager
def ending_on_signals():
    """The first signal raises InterruptError, all later ones are ignored: the end is to be tidy."""
    def end(number, _):
        for s in SIGNALS:
            signal.signal(s, signal.SIG_IGN)
        raise InterruptError(number)

    for s in SIGNALS:
        if signal.getsignal(s) != signal.SIG_IGN or s == signal.SIGINT:
            signal.signal(s, end)
    yield


def remove(name):
    """Take the lab down, half made or not; its name is ours alone, and so is everything in its namespace."""
    for s in SIGNALS:
        signal.signal(s, signal.SIG_IGN)
    netns = "blkpr-" + name
    machines = namespace_members(netns)
    for pid in machines:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(lives(pid) for pid in machines), 10, "the lab's machines do not end")
    down(name)
    left = [f"process {pid}" for pid in namespace_members(netns)]
    left += [f"namespace {netns}"] if os.path.exists(f"/run/netns/{netns}") else []
    left += [f"lab {name}"] if name in all_labs() else []
    claim(not left, f"left behind: {', '.join(left)}")
    return len(machines)


def lives(pid):
    with contextlib.suppress(OSError):      # reap() when it is a child of ours, and nobody's business if not
        reap(pid)
    return process_stat(pid)[0] not in "XZ"


def remove_labs_of_dead_demos():
    """What a demo that was killed could not take down."""
    for name in all_labs():
        found = re.fullmatch(r"demo-(\d+)", name)
        if found and not os.path.exists(f"/proc/{found[1]}"):
            down(name)


def make_ready(screen):
    built = prepare.build()
    screen.plain(f"built in {built:.1f} s (log: {prepare.shown(prepare.LOG)})")
    seconds = prepare.image()
    if seconds:
        screen.plain(f"lab image made in {seconds:.0f} s; it is kept, the next time will be faster")


@contextlib.contextmanager
def lab_for(screen, **wanted):
    """A lab, shown as it comes and goes."""
    name = f"demo-{os.getpid()}"
    began = time.monotonic()
    try:
        lab = up(name=name, kernel="7", **wanted)
        screen.plain(f"lab up in {time.monotonic() - began:.1f} s: cluster nodes {', '.join(lab.nodes)}, storage stor "
                     f"(iSCSI), each a machine with a kernel of its own, Linux {lab.config['kernel']}")
        screen.plain()
        yield lab
    finally:
        count = remove(name)
    screen.event("", f"lab removed: {count} processes, their network and their files are gone")
    screen.plain()


def play(screen):
    remove_labs_of_dead_demos()
    with lab_for(screen, nodes=2, luns=1, stage=prepare.STAGE) as lab:
        Story(lab, screen).tell()
    screen.plain("the same in a Pacemaker cluster: a service with its reservation, whose active node is cut off", "bold")
    # three, so that it is known who is cut off: of two, either may win
    with lab_for(screen, nodes=3, luns=2, hang_luns=[], cluster="pacemaker", stage=prepare.stage_with_service()) as lab:
        Service(lab, screen, claim).tell()
    screen.plain("All of this was checked and is true.", "good")


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help=f"keep what is printed in {prepare.shown(RECORD)}")
    args = parser.parse_args()
    screen = Screen()
    try:
        with ending_on_signals():
            screen.plain("fence-blkpr: node n1 fences node n2, which writes to a shared disk without pause", "bold")
            make_ready(screen)
            play(screen)
    except InterruptError as e:
        screen.plain("interrupted; everything has been taken down", "bad")
        return 128 + e.args[0]
    except (WrongError, AssertionError) as e:
        screen.plain(f"WRONG: {e}", "bad")
        return 1
    except (LabError, prepare.PrepareError) as e:
        for line in f"FAILED: {e}".splitlines():
            screen.plain(line, "bad")
        return 1
    if args.record:
        with open(RECORD, "w") as f:
            f.write("\n".join(screen.lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
