# SPDX-License-Identifier: GPL-2.0-or-later
"""The experiments: each is made with one resource agent and answers the same questions for all: {question: answer}."""

import statistics
import time

from experiments import FORKS, yes
from resource_side import NODES, TIMEOUT

HUNG_TIMEOUT = 8                    # seconds, told to the agent, and given up after
SETTLE = 30                         # seconds in which nothing of an agent may be left when a disk answers again
MONITOR = "monitor"


def many(count, answers):
    """What was said each time: {question: "x"}, or "x: 2 of 3; y: 1 of 3" where that differed."""
    found = {}
    for answer in answers:
        for question, what in answer.items():
            found.setdefault(question, []).append(what)
    return {question: whats[0] if len(set(whats)) == 1 else
            "; ".join(f"{w}: {whats.count(w)} of {count}" for w in dict.fromkeys(whats)) for question, whats in found.items()}


# ---------------------------------------------------------------- nothing is wrong

def plain(side):
    side.fresh()
    found = {"`monitor`, nothing was started": side.monitor(), "`start`": side.hold(), "`monitor`": side.monitor(),
             "`monitor` on the other node": side.monitor("n2"), "`start` again": side.hold()}
    held = side.state()
    found["the other node's `stop`"] = side.release("n2")
    found["… and this node still holds"] = yes(side.state() == held)
    found["`stop`"] = side.release()
    found["… and the disk is free, for the other node as well"] = yes(
        all(disk == ({}, None) for disk in side.state()) and side.writable("n2") == side.luns)
    found["`stop` again"] = side.release()
    return found


def promotes(side, actions):
    return [a for a in actions if side.kind.promotes or a not in ("promote", "demote")]


def measure(side, actions):
    """Seconds as the caller sees them; processes and threads that were started, by /proc/stat."""
    seconds, forks = 0, 0
    for action in promotes(side, actions):
        command = side.command(action, 120, role="Master" if action == MONITOR and side.kind.promotes else None)
        result = side.lab.exec("n1", f"{FORKS}{command} >/dev/null 2>&1; echo $?; {FORKS}:", timeout=150)
        before, rc, after = map(int, result.stdout.split())
        if rc != (8 if action == MONITOR and side.kind.promotes else 0):
            raise SystemExit(f"{side.kind.title}: {action}: exit {rc}, though nothing is wrong")
        seconds += result.seconds
        forks += after - before
    return seconds, forks


def costs(side, count, luns):
    side.luns = list(range(luns))
    side.fresh()
    found = {}
    for _ in range(count):
        for title, actions in (("`start`", ["start", "promote"]), ("`monitor`", [MONITOR]), ("`stop`", ["demote", "stop"])):
            found.setdefault(title, []).append(measure(side, actions))
    disks = "1 LUN" if luns == 1 else f"{luns} LUNs"
    return {f"{title}, {disks}": f"{statistics.median(s for s, _ in runs):.2f} s, "
                                 f"{statistics.median(f for _, f in runs):.0f} processes and threads"
            for title, runs in found.items()}


# ---------------------------------------------------------------- keys that are there already

def other_registered(side):
    """The other node's key was left on the disks, without a reservation."""
    side.fresh()
    side.all_of("n2", ["start"], 60)
    for lun, (_, holder) in zip(side.luns, side.state()):
        if holder:                  # a primitive holds; by which command it lets go is not the question
            key = side.state()[side.luns.index(lun)][0]["n2"][0]
            side.sg_persist("n2", f"--release --prout-type=5 --param-rk={key:#x}", lun)
    found = {"`start`": side.hold()}
    found["on how many of the 2 disks it is still registered"] = str(side.registered("n2"))
    found["it can write"] = yes(side.writable("n2"))
    return found


def other_holds(side):
    """The other node holds, and has not stopped."""
    side.must_hold("n2")
    found = {"`start`": side.hold()}
    found["`monitor` on the node that held before"] = side.monitor("n2")
    found["it can write"] = yes(side.writable("n2"))
    held = side.state()
    found["its `stop`"] = side.release("n2")
    found["… and this node still holds"] = yes(side.state() == held)
    return found


def own_other_key(side):
    side.fresh()
    for lun in side.luns:
        side.sg_persist("n1", "--register-ignore --param-sark=0x77", lun)
    return {"`start`": side.hold()}


def own_other_nexus(side):
    """This node's key, from an earlier session: by another path (here without a map) than the one in use."""
    found = {}
    for title, reserve in (("`start`, it was only registered", False), ("`start`, it held the reservation", True)):
        side.fresh()
        side.all_of("n1", ["start"], 60)
        key = side.state()[0][0]["n1"][0]
        side.all_of("n1", ["stop"], 60)
        side.fresh()
        for lun in side.luns:
            side.sg_persist("n1", f"--register-ignore --param-sark={key:#x}", lun, "-b")
            if reserve:
                side.sg_persist("n1", f"--reserve --prout-type={side.kind.type} --param-rk={key:#x}", lun, "-b")
        found[title] = side.hold()
        found[title.replace("`start`", "`monitor` then")] = side.monitor()
        found[title.replace("`start`", "this node can write then")] = yes(side.writable("n1"))
    return found


# ---------------------------------------------------------------- while the service runs

def stranger(side):
    side.must_hold()
    side.sg_persist("n2", "--register-ignore --param-sark=0xbad", 0)
    return {"it can write": yes(side.writable("n2")), "`monitor`": side.monitor(), "`stop`": side.release()}


def taken(side, luns):
    side.must_hold()
    side.take("n2", "n1", luns)
    found = {"`monitor`": side.monitor(), "`monitor` again": side.monitor()}
    found["`stop`"] = side.release()
    found["… and the other one still holds what it took"] = yes(
        all(who == "n2" for k, (_, who) in zip(side.luns, side.state()) if k in luns))
    return found


def taken_one(side):
    return taken(side, [1])


def taken_all(side):
    return taken(side, [0, 1])


def forgotten(side):
    side.must_hold()
    side.lab.reset_reservations()
    return {"`monitor`": side.monitor(), "`stop`": side.release()}


# ---------------------------------------------------------------- disks that fail

def hung(side):
    found = {}
    for action, held in (("monitor", True), ("stop", True), ("start", False)):
        (side.must_hold if held else side.fresh)()
        side.lab.hang(1)
        try:
            if action == "monitor":
                said = side.monitor(timeout=HUNG_TIMEOUT)
            elif action == "stop":
                said = side.release(timeout=HUNG_TIMEOUT)
            else:
                said = side.hold(timeout=HUNG_TIMEOUT)
            found[f"`{action}`"] = said
            if not said.startswith("no"):
                found[f"`{action}`"] += f", {side.seconds:.0f} s"
            if action == "stop":
                found["after `stop`: registered on the disk that answers"] = yes("n1" in side.state()[0][0])
            if action == "monitor":
                found["after `monitor`: processes left that hang until the disk answers"] = str(side.busy())
        finally:
            side.lab.resume()
        end = time.monotonic() + SETTLE
        while side.busy() and time.monotonic() < end:
            time.sleep(0.1)
        if action == "stop":
            found["`stop` again, as soon as the disk answers"] = side.release()
    return found


def gone(side):
    side.must_hold()
    side.lab.detach("n1", 1)
    try:
        found = {"`monitor`": side.monitor(), "`stop`": side.release()}
        found["… and its key on the disk that is gone"] = "registered" if "n1" in side.state()[1][0] else "not registered"
    finally:
        side.lab.attach("n1", 1)
    found["`stop` again, with the disk back"] = side.release()
    side.fresh()
    side.lab.detach("n1", 1)
    try:
        found["`start` without it"] = side.hold()
    finally:
        side.lab.attach("n1", 1)
    return found


def unreadable(side, luns):
    side.must_hold()
    side.failing("n1", True, luns)
    try:
        found = {"`monitor`": side.monitor(), "`stop`": side.release()}
        left = [k for k, (disk, _) in zip(side.luns, side.state()) if "n1" in disk]
        found["… on how many of the 2 disks it is still registered"] = str(len(left))
    finally:
        side.failing("n1", False, luns)
    found["`monitor`, when reads work again"] = side.monitor()
    return found


def unreadable_one(side):
    return unreadable(side, [1])


def unreadable_all(side):
    return unreadable(side, [0, 1])


# ---------------------------------------------------------------- multipath maps

def one_path(side, fail):
    side.failing("n1", fail, side.luns, "-b")
    if not fail:                    # no multipathd in the lab
        side.lab.exec("n1", "".join(
            f"dmsetup message mp{k} 0 reinstate_path $(cat /sys/class/block/$(basename $(readlink -f /dev/lun{k}{s}))/dev)\n"
            for k in side.luns for s in ("", "-b")), check=True)


def both_ways(side):
    """Registrations of this node on each disk."""
    return ", ".join(str(len(disk.get("n1", []))) for disk, _ in side.state())


def map_plain(side):
    side.fresh()
    one_path(side, False)
    found = {"`start`": side.hold(), "… its registrations on each disk, of 2 paths": both_ways(side),
             "… it can write by all paths": yes(side.writable("n1") == side.luns)}
    one_path(side, False)
    found["`monitor`"] = side.monitor()
    found["`stop`"] = side.release()
    one_path(side, False)
    return found


def map_dies(side):
    """A path of a service that runs dies, and comes back after stop."""
    side.fresh()
    one_path(side, False)
    rc = side.all_of("n1", side.hold_commands(), 60)[-1][1]
    one_path(side, True)
    try:
        found = {"the service had started": yes(rc == 0), "it can write": yes(side.writable("n1") == side.luns),
                 "`monitor`": side.monitor(), "`stop`": side.release(),
                 "… its registrations on each disk": both_ways(side)}
    finally:
        one_path(side, False)
    return found


def map_dead_at_start(side):
    """A path is dead at start, and comes back while the service runs."""
    side.fresh()
    one_path(side, True)
    try:
        found = {"`start`": side.hold(), "… its registrations on each disk": both_ways(side)}
    finally:
        one_path(side, False)
    found["the path is back: `monitor`"] = side.monitor()
    found["… it can write by all paths"] = yes(side.writable("n1") == side.luns)
    one_path(side, False)
    found["`stop`"] = side.release()
    return found


def map_tool(side):
    """sg_persist by multipath-tools' program for maps."""
    side.fresh()
    one_path(side, False)
    if not side.kind.sg_persist:
        return {"`start`": "-"}
    result = side.run("n1", "start", TIMEOUT, binary="mpathpersist")
    true = side.holds("n1") == (result.rc == 0)
    return {"`start`": side.claim(result.rc, "not held by `start`", true)}


def without_maps(side):
    """Ends the maps on all nodes; nothing after this needs them."""
    for node in NODES:
        side.lab.exec(node, "for k in " + " ".join(map(str, side.luns)) + "; do DM_DISABLE_UDEV=1 dmsetup remove mp$k; "
                            "done 2>/dev/null; :")
