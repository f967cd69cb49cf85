# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not have happened in a soak, judged by what the disks, the cluster and the writer tell.

Times are seconds by the storage machine's clock. tests/check/test_soak.py has a judgement of each
kind go wrong.
"""

import datetime
import itertools
import re

FENCINGS = ("off", "reboot")
CLOCKS = 2                      # seconds by which the clocks of two machines may differ

# In the storage machine: who is registered on a LUN, a line ("TIME NODE NODE ...") each time that
# it changes; and once a second how often it looked, and the longest time between two looks.
KEYS = r"""
import glob, os, re, sys, time
pr, = glob.glob(f"/sys/kernel/config/target/core/*_0/lun{sys.argv[1]}/pr")
path = pr + "/res_pr_registered_i_pts"
names = {int(word.split("=")[1], 16): word.split("=")[0] for word in sys.argv[2:]}
known, looks, last, longest, told = None, 0, time.time(), 0, 0
with open("/run/soak.keys", "w", buffering=1) as changes:
    while True:
        fd = os.open(path, os.O_RDONLY)
        text = os.read(fd, 1 << 16).decode()
        os.close(fd)
        now = time.time()
        keys = re.findall("Key: (0x[0-9a-fA-F]+)", text)
        found = sorted({names.get(int(key, 16), key) for key in keys})
        if found != known:
            changes.write(" ".join([f"{now:.3f}", *found]) + "\n")
            known = found
        looks, longest, last = looks + 1, max(longest, now - last), now
        if now - told > 1:
            told = now
            with open("/run/soak.looks.new", "w") as f:
                f.write(f"{looks} {longest:.3f} {now:.3f}")
            os.rename("/run/soak.looks.new", "/run/soak.looks")
        time.sleep(0.02)
"""


class Absences:
    """When which node was switched off, until it was back: only then it may be fenced."""

    def __init__(self):
        self.spans = []                 # [node, from, to]; None: it is not back yet

    def begin(self, node, when):
        self.spans.append([node, when, None])

    def end(self, node, when):
        self.of(node)[2] = when

    def of(self, node):
        """The one that lasts, None if the node is there."""
        return next((s for s in self.spans if s[0] == node and s[2] is None), None)

    def count(self, node):
        """How often it was switched off so far."""
        return sum(s[0] == node for s in self.spans)

    def at(self, node, when, slack=0):
        return next((s for s in self.spans if s[0] == node and s[1] - slack <= when
                     and (s[2] is None or when <= s[2] + slack)), None)


# ------------------------------------------------ fencings

def registrants(text):
    """[(when, {node})] of what KEYS wrote."""
    return [(float(when), set(nodes)) for when, *nodes in map(str.split, text.splitlines())]


def evictions(changes):
    """[(when, node)] of registrants()."""
    return [(when, node) for (_, before), (when, after) in itertools.pairwise(changes)
            for node in sorted(before - after)]


def wrong_evictions(changes, absences):
    """Of who was there; of who was fenced already."""
    found, used = [], []
    for when, node in evictions(changes):
        span = absences.at(node, when)
        if not span:
            found.append(f"{node} has lost its key, and was not switched off")
        elif span in used:
            found.append(f"{node} was fenced again when it came back")
        used.append(span)
    return found


def unfenced_takeovers(changes, absences, acks):
    """Of whom another node took the service over before the key was gone. acks: [(node, when)]"""
    gone, found = evictions(changes), []
    for node, begin, end in absences.spans:
        taken = next((when for who, when in acks if who != node and when > begin), None)
        fenced = next((when for when, who in gone if who == node and begin <= when
                       and (end is None or when <= end)), None)
        if taken and (fenced is None or fenced > taken):
            found.append(f"{node} still had its key when another node wrote")
    return found


def seconds(text):
    """Of a time as Pacemaker writes it, '2026-11-25 14:35:01.123456Z' or with ' +01:00'."""
    day, clock, fraction, zone = re.fullmatch(
        r"(\d+-\d+-\d+)[ T](\d+:\d+:\d+)(\.\d+)? ?(Z|[+-]\d\d:?\d\d)?", text).groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    whole = datetime.datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp()
    return whole + float(fraction or 0)


class History:
    """What the fencers say was done or tried. Events of who was switched off are remembered."""

    def __init__(self, absences):
        self.absences = absences
        self.excused = set()

    def wrong(self, events):
        """Of [{"target", "action", "status", "completed"...}] those of who was there.

        Whether they ended well, failed or are pending.
        """
        found = []
        for event in events:
            known = tuple(sorted(event.items()))
            if event["action"] not in FENCINGS or known in self.excused:
                continue
            node, done = event["target"], event.get("completed")
            if (self.absences.at(node, seconds(done), CLOCKS) if done else self.absences.of(node)):
                self.excused.add(known)
            else:
                found.append(f"fencing of {node}, which was not switched off: {event}")
        return found


# ------------------------------------------------ writes

def longest_pause(times, begin, end):
    """(seconds, when it began) of the longest time without any, the ends included."""
    return max(((b - a, a) for a, b in itertools.pairwise([begin, *sorted(times), end])),
               default=(0, begin))


def told(text):
    """[(when, node, what)] of what the writer told beside its numbers."""
    return [(float(when), node, what.strip()) for when, node, what in
            (line.split(" ", 2) for line in text.splitlines())]


def failed_writes(messages):
    return [f"{node}: a write failed: {what.removeprefix('refused ')}" for _, node, what in messages
            if what.startswith("refused")]


KERNEL_ERRORS = re.compile(r"error, dev dm-\d+, .*\(WRITE\)|Buffer I/O error on dev(ice)? dm-|"
                           r"lost (async )?page write|[Aa]borting journal|"
                           r"EXT4-fs error|EXT4-fs .*[Rr]emounting")


def kernel_errors(node, log):
    """Lines of a node's kernel that say that a write by a map failed."""
    return [f"{node}: its kernel: {line.strip()}" for line in log.splitlines()
            if KERNEL_ERRORS.search(line)]


def unseen(kinds, counts):
    """What a run has not had any of, so that it shows nothing about it."""
    return [f"nothing was seen of: {kind}" for kind in kinds if not counts.get(kind)]
