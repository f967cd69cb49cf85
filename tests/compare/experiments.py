# SPDX-License-Identifier: GPL-2.0-or-later
"""The experiments: each is made with one agent and answers the same questions for all: {question: answer}."""

import collections
import random
import statistics
import time

from side import LUNS, NODES, OTHER

STRANGER = 0xdead
SLOW = 3                            # the LUN whose backend can be slow
SLOW_MS = 1000
GIVE_UP = 60                        # seconds; what Pacemaker gives an agent unless told otherwise
RENAME = ("pkill -x corosync; while pgrep -x corosync; do sleep 0.05; done; "
          "sed -i 's/cluster_name:.*/cluster_name: {}/' /etc/corosync/corosync.conf; corosync; "
          "until corosync-cmapctl -g totem.cluster_name; do sleep 0.05; done")
NEVER_ON = "rm -rf /run/cluster* /run/fence_blkpr /var/lib/fence_blkpr"          # what a reboot does to the agents' files
# a third node writes, until it is told to stop; "MS ERRORS": the slowest write, and how many failed
SURVIVOR = """python3 -I -S -c '
import mmap, os, time
fd = os.open("/dev/lun1", os.O_WRONLY | os.O_DIRECT)
block, slowest, errors = mmap.mmap(-1, 4096), 0, 0
open("/run/writes", "w").close()
while os.path.exists("/run/writes"):
    began = time.monotonic()
    try:
        os.pwrite(fd, block, 1 << 20)
    except OSError:
        errors += 1
    slowest = max(slowest, time.monotonic() - began)
print(slowest * 1000, errors)'"""
FORKS = "while read -r a b; do [ $a = processes ] && echo $b; done </proc/stat; "


def of(n, count):
    return f"{n} of {count}"


def yes(true):
    return "yes" if true else "no"


def each(numbers):
    """What it was each time; once if it never differed."""
    return ", ".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1]))


def middle(numbers, unit, digits=1):
    return f"{statistics.median(numbers):.{digits}f} {unit}" if numbers else "-"


# ---------------------------------------------------------------- split brain

def race(side, opposite):
    """Both nodes fence each other; the winners, and seconds until both have ended."""
    side.unfence()
    order = {"n1": range(LUNS), "n2": range(LUNS - 1, -1, -1) if opposite else range(LUNS)}
    began = time.monotonic()
    running = {node: side.lab.start(node, side.command("off", OTHER[node], order[node]), timeout=90)
               for node in random.sample(NODES, 2)}
    winners = [node for node in NODES if running[node].wait().rc == 0]
    return winners, time.monotonic() - began


def races(side, count, opposite):
    found, seconds = collections.Counter(), []
    for _ in range(count):
        winners, took = race(side, opposite)
        seconds.append(took)
        disks = side.registered()
        holders = {frozenset(disk) for disk in disks}
        alone = len(winners) == 1 and holders == {frozenset(winners)}
        lies = [side.check_success(OTHER[winner]) for winner in winners]
        found["lie"] += any(lies)
        found["divided"] += {frozenset({"n1"}), frozenset({"n2"})} <= holders
        found["right" if alone else ("none", "one", "both")[len(winners)]] += 1
        found.update(winners)
        if not winners:
            found["for good"] += not any(side.off(node, OTHER[node]).rc == 0 for node in NODES)
    return {
        "one node wins, and has every disk to itself": of(found["right"], count),
        "one node says success, but does not have every disk to itself": of(found["one"], count),
        "both say success": of(found["both"], count),
        "no node wins, though every disk answers": of(found["none"], count),
        "no node wins, and trying again, one after the other, fails for both": of(found["for good"], count),
        "a node says success, and the other can still write": of(found["lie"], count),
        "afterwards some disks belong to the one, some to the other": of(found["divided"], count),
        "`off` of n1 says success; of n2": f"{of(found['n1'], count)}; {of(found['n2'], count)}",
        "until both have ended (median)": middle(seconds, "s"),
    }


def races_same(side, count):
    return races(side, count, False)


def races_opposite(side, count):
    return races(side, count, True)


# ---------------------------------------------------------------- eviction

def evicted(side, count):
    """A node that has been fenced fences the winner."""
    found = collections.Counter()
    for _ in range(count):
        side.unfence()
        if side.off("n1", "n2").rc:
            raise SystemExit(f"{side.agent.title}: a plain `off` failed")
        found["success"] += side.off("n2", "n1").rc == 0
        disks = side.registered()
        found["loss"] += any("n1" not in disk for disk in disks)
        found["again"] += any("n2" in disk for disk in disks)
        found["writes"] += bool(side.writable("n2"))
    return {
        "its `off` says success": of(found["success"], count),
        "it registers again": of(found["again"], count),
        "it can write again": of(found["writes"], count),
        "the winner loses disks": of(found["loss"], count),
    }


# ---------------------------------------------------------------- keys

def renamed(side, count):
    """The cluster was renamed on the survivor, so that the victim's key cannot be derived any more."""
    found = collections.Counter()
    side.unfence()
    key = f"{side.registered()[0]['n2']:x}"
    side.lab.exec("n1", RENAME.format("renamed"), check=True)
    try:
        side.add(["n1"])
        before = side.registered()
        monitor = side.run("n1", "monitor", "n1").rc
        for _ in range(count):
            said = side.off("n1", "n2").rc
            found["success"] += said == 0
            found["writes"] += bool(side.writable("n2"))
        changed = side.registered() != before
        by_key = side.off("n1", "n2", options=f"-k {key}").rc == 0 and not side.writable("n2")
        evict = "-"
        if side.is_blkpr:
            side.add(["n2"])        # under its old key again
            evict = yes(side.off("n1", "n2", options="--unknown-keys=evict").rc == 0 and not side.writable("n2"))
    finally:
        side.lab.exec("n1", RENAME.format("mycluster"), check=True)
    return {
        "`monitor` on the survivor, before": f"exit {monitor}",
        "`off` says success": of(found["success"], count),
        "after `off` the victim can write": of(found["writes"], count),
        "`off` changes a registration": yes(changed),
        "by hand, `-k` with the victim's old key: fenced": yes(by_key),
        "with `unknown_keys=evict`: fenced": evict,
    }


def stranger(side, count):
    """Some other machine is registered as well; the victim's own key is where it should be."""
    found = collections.Counter()
    for _ in range(count):
        side.unfence()
        side.lab.exec("n3", "for k in 0 1; do sg_persist --out --register-ignore "
                            f"--param-sark={STRANGER:#x} /dev/lun0 && break; done", check=True)
        found["success"] += side.off("n1", "n2").rc == 0
        disks = side.registered()
        found["gone"] += all("n2" not in disk for disk in disks)
        found["writes"] += bool(side.writable("n2"))
        found["stranger"] += "n3" in disks[0]
    allow = "-"
    if side.is_blkpr:
        allow = yes(side.off("n1", "n2", options="--unknown-keys=allow").rc == 0)
    return {
        "`off` says success": of(found["success"], count),
        "the victim's key is gone from every disk": of(found["gone"], count),
        "the victim can write": of(found["writes"], count),
        "the stranger is still registered": of(found["stranger"], count),
        "with `unknown_keys=allow`: success": allow,
    }


def added(side, count):
    """The fencing node has not run `on` since the last disk was added."""
    found = collections.Counter()
    evictions, wild = [], []
    for _ in range(count):
        side.unfence(["n2"])
        side.add(["n1"], range(LUNS - 1))
        found["success"] += side.off("n1", "n2").rc == 0
        evictions.append(sum("n2" not in disk for disk in side.registered()))
        wild.append(len(side.writable("n2")))
    return {
        "`off` says success": of(found["success"], count),
        f"of the {LUNS} disks, the victim is evicted from": each(evictions),
        "… and can still write to": each(wild),
    }


def forgotten(side, count):
    """All registrations and reservations are gone."""
    found = collections.Counter()
    wild = []
    for _ in range(count):
        side.unfence()
        side.lab.reset_reservations()
        found["monitor"] += side.run("n1", "monitor", "n1").rc != 0
        found["success"] += side.off("n1", "n2").rc == 0
        wild.append(len(side.writable("n2")))
    return {
        "`monitor` on the survivor fails": of(found["monitor"], count),
        "`off` says success": of(found["success"], count),
        f"of the {LUNS} disks, the victim can still write to": each(wild),
    }


# ---------------------------------------------------------------- disks that hang

def hung(side, count, lun):
    """One disk does not answer; how `off` ends (given up after GIVE_UP), and what became of the others."""
    seconds, exits, evictions, wild, stuck = [], [], [], [], []
    others = [k for k in range(LUNS) if k != lun]
    again = 0
    for _ in range(count):
        side.unfence()
        side.lab.hang(lun)
        try:
            result = side.run("n1", "off", "n2", timeout=GIVE_UP)
            exits.append("none" if result.timed_out else f"exit {result.rc}")
            seconds.append(result.seconds)
            stuck.append(len(side.busy("n1")))
            disks = side.registered()
            evictions.append(sum("n2" not in disks[k] for k in others))
            wild.append(len(side.writable("n2", others)))
        finally:
            side.lab.resume(lun)
        again += side.off("n1", "n2").rc == 0
        side.settle()
    said = collections.Counter(exits)
    return {
        f"verdict within {GIVE_UP} s": ", ".join(f"{what}: {of(n, count)}" for what, n in said.items()),
        "after (median)": middle([s for s, e in zip(seconds, exits) if e != "none"], "s"),
        f"of the {len(others)} other disks, the victim is evicted from": each(evictions),
        "… and can still write to": each(wild),
        "processes left that hang until the disk answers": each(stuck),
        "`off` again, as soon as the disk answers: success": of(again, count),
    }


def hung_last(side, count):
    return hung(side, count, LUNS - 1)


def hung_first(side, count):
    return hung(side, count, 0)


# ---------------------------------------------------------------- writes in flight

def landed(side):
    """What is on the slow LUN's medium, where the victim's writers write."""
    return side.lab.exec("stor", "for i in 0 1 2 3; do od -An -tu8 -j $((i * 4096)) -N 8 "
                                 f"{side.lab.medium(SLOW)}; done", check=True).stdout.split()


def in_flight(side, count, holder):
    """The backend takes SLOW_MS a write; whether writes that it has taken land after `off` said success."""
    late, success, seconds = 0, 0, []
    for _ in range(count):
        side.start_over()
        side.add([holder], [SLOW])
        side.add([OTHER[holder]], [SLOW])
        side.lab.write_delay(SLOW, SLOW_MS)
        side.lab.exec("n2", f"seqio write /dev/lun{SLOW} </dev/null >/dev/null 2>&1", check=True)
        try:
            before = landed(side)
            while landed(side) == before:
                time.sleep(0.05)
            result = side.run("n1", "off", "n2", [SLOW])
            numbers = landed(side)
            time.sleep(1.5 * SLOW_MS / 1000)
            if result.rc == 0:
                success += 1
                late += landed(side) != numbers
                side.check_success("n2", [SLOW])
            seconds.append(result.seconds)
        finally:
            side.lab.exec("n2", "pkill -x seqio; :")
            side.lab.write_delay(SLOW, 0)
    return late, success, seconds


def in_flight_both(side, count):
    by_fencer, good, seconds = in_flight(side, count, "n1")
    by_victim, more_good, more_seconds = in_flight(side, count, "n2")
    return {
        "`off` says success": of(good + more_good, 2 * count),
        "… and a write lands afterwards; the fencing node holds the reservation": of(by_fencer, count),
        "… and a write lands afterwards; the victim holds the reservation": of(by_victim, count),
        "`off` takes (median)": middle(seconds + more_seconds, "s"),
    }


def survivor(side, count):
    """What a third node that writes notices of an `off`."""
    slowest, errors = [], 0
    nodes = side.lab.nodes
    for _ in range(count):
        side.unfence(nodes)
        writer = side.lab.start("n3", SURVIVOR)
        side.lab.exec("n3", "until [ -e /run/writes ]; do sleep 0.01; done", check=True)
        try:
            side.off("n1", "n2")
        finally:
            side.lab.exec("n3", "rm -f /run/writes")
        ms, bad = writer.wait().stdout.split()
        slowest.append(float(ms))
        errors += int(bad)
    return {
        "its slowest write meanwhile (median)": middle(slowest, "ms", 0),
        "its writes that fail": str(errors),
    }


# ---------------------------------------------------------------- plain use

def plain(side, _):
    """What nothing is wrong with."""
    side.unfence()
    healthy = side.run("n1", "monitor", "n1").rc
    itself = side.run("n1", "off", "n1").rc
    first, second = side.off("n1", "n2"), side.off("n1", "n2")
    status = side.run("n1", "status", "n2").rc
    monitor = side.run("n2", "monitor", "n2").rc
    listed = set(side.run("n1", "list", "n1").stdout.replace(",", " ").split())
    side.unfence(["n2"])
    side.lab.exec("n1", NEVER_ON, check=True)
    stranger = side.run("n1", "off", "n2").rc
    return {
        "`off` of a node that runs": f"exit {first.rc}, {first.stdout.strip()}",
        "`off` of a node that is off": f"exit {second.rc}, {second.stdout.strip()}",
        "`status` of a node that is off": f"exit {status}",
        "`off` of the node itself": f"exit {itself}",
        "`off` by a node that has booted, and not run `on`": f"exit {stranger}",
        "`monitor`, all is well": f"exit {healthy}",
        "`monitor` on a node that was evicted": f"exit {monitor}",
        "`list` names the nodes": yes(set(NODES) <= listed),
    }


def costs(side, count):
    """Seconds as the caller sees them; processes and threads that were started, by /proc/stat."""
    answers = {}
    for action, plug in (("on", "n1"), ("off", "n2"), ("status", "n2")):
        for luns in (1, LUNS):
            seconds, forks = [], []
            side.unfence(luns=range(luns))
            for _ in range(count):
                if action == "off":
                    side.add(["n2"], range(luns))
                result = side.lab.exec("n1", f"{FORKS}{side.command(action, plug, range(luns))} >/dev/null; {FORKS}:")
                before, after = map(int, result.stdout.split())
                seconds.append(result.seconds)
                forks.append(after - before)
            disks = "1 disk" if luns == 1 else f"{luns} disks"
            answers[f"`{action}`, {disks}"] = (f"{middle(seconds, 's', 2)}, {statistics.median(forks):.0f} "
                                               "processes and threads")
    return answers
