#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the table in doc/virtual-machines.md of what two guests of QEMU have of one disk.

    guests_table.py                 measure, and write the table
    guests_table.py --check         measure, and compare; a difference is printed and is exit status 1
    guests_table.py --way NAME      of one column only

V is the node to be fenced (n2), F the one that does it (n3). Each row begins with nothing registered and nothing under way.
"""

import argparse
import difflib
import math
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lab")]
import guests_lab           # noqa: E402
from agent import KEYS, Agent               # noqa: E402
from guests_lab import WAYS  # noqa: E402
from lab_host import patience               # noqa: E402
from pacemaker import until  # noqa: E402   (gives KEYS n3's)
from vm_lab import QEMU      # noqa: E402

DOCUMENT = os.path.join(ROOT, "doc", "virtual-machines.md")
BEGIN = "<!-- Made by tests/vm/guests_table.py from here -->"
END = "<!-- to here -->"
NOTHING = "-"
VERSIONS = "Measured with "         # begins the line that two good tables may differ in
V, F = "n2", "n3"
NAMES = {V: "V", F: "F", "n1": "another host"}
BLOCK = {V: 1, F: 2}                # where each writes
# seconds: what has not ended then waits for the backend; the kernel itself gives a reservation command up after 30, and tries again
ENDS = patience(30)
MARK = "blkpr"                      # begins what is written
STATISTICS = "/sys/kernel/config/target/core/iblock_0/lun0/statistics"


class Flight:
    """A write of a guest, begun while the backend stands still, that has come to the target."""

    def __init__(self, lab, node):
        self.lab, self.node = lab, node
        before = counts(lab)["commands"]
        self.running = lab.start(node, f"(printf {MARK}{node}; cat /dev/zero) | dd of=/dev/lun0 bs=4096 count=1 iflag=fullblock "
                                       f"seek={BLOCK[node]} oflag=direct", timeout=3600)
        until(lambda: counts(lab)["commands"] > before, f"{node}'s write does not come to the target")

    def landed(self):
        text = self.lab.exec("stor", f"dd if={self.lab.medium(0)} bs=4096 skip={BLOCK[self.node]} count=1 2>/dev/null | "
                                     f"head -c {len(MARK) + 2}", check=True).stdout
        return text == MARK + self.node


def counts(lab):
    """What the target has got for the LUN."""
    text = lab.exec("stor", f"cd {STATISTICS}; cat scsi_lu/num_cmds scsi_lu/resets scsi_tgt_dev/aborts_complete "
                            "scsi_tgt_dev/aborts_no_task", check=True).stdout.split()
    commands, resets, complete, none = map(int, text)
    return {"commands": commands, "LUN RESET": resets, "ABORT TASK": complete + none}


def stand_still(lab):
    lab.exec("stor", f"for i in 1 2; do dd if=/dev/zero of={lab.medium(0)} bs=4096 seek=$i count=1 conv=notrunc; done", check=True)
    lab.stall(0)


def ends(running):
    """Whether a command ends while the backend stands still."""
    deadline = time.monotonic() + ENDS
    while not running.done() and time.monotonic() < deadline:
        time.sleep(0.1)
    return running.done()


# ---------------------------------------------------------------- the rows

def said(result):
    """An exit status, and the reason that goes with it, without the remedy."""
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    text = lines[-1] if result.rc and lines else result.stdout.splitlines()[0] if result.stdout else ""
    text = text.removeprefix("fence_blkpr: ").removeprefix("/dev/lun0: ").partition("; ")[0]
    text = re.sub(r", after \d+ ms", "", text)
    for node, key in KEYS.items():
        text = text.replace(f"{key:#x} ({node})", f"{NAMES[node]}'s key").replace(f"{key:#x}", f"{NAMES[node]}'s key")
        text = re.sub(rf"\b{node}\b", NAMES[node], text)
    text = re.sub(r"\bthis node's key \w's key", "this node's key", text).replace("the key V's key", "V's key")
    return f"exit {result.rc}" + (f": {text}" if text else "")


def registrants(lab):
    """Whose keys the target has, by whom."""
    keys = {f"{key:#x}": NAMES[node] for node, key in KEYS.items()}
    found = [(keys.get(key, key), who) for key, who in lab.keys(0)]
    names = {who: f"initiator {i + 1}" for i, who in enumerate(sorted({w.partition(",")[0] for _, w in found}))}
    return f"{len(found)}: " + ", ".join(f"{key} by {names[who.partition(',')[0]]}" for key, who in sorted(found))


def fresh(lab):
    """Nothing registered, and no node remembers anything."""
    lab.reset_reservations()
    for node in (V, F):
        lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr", check=True)
    return Agent(lab)


def can_write(lab, node):
    return lab.exec(node, "dd if=/dev/zero of=/dev/lun0 bs=4096 seek=8 count=1 oflag=direct").rc == 0


def both(lab):
    agent = fresh(lab)
    agent("n2", "on")
    return agent, agent("n3", "on")


def registering(lab):
    agent = fresh(lab)
    yield "`on` of V, then of F", f"{said(agent(V, 'on'))}; {said(agent(F, 'on'))}"
    yield "registrations at the target", registrants(lab)
    yield "`monitor` of F", said(agent(F, "monitor"))
    yield "`monitor` of F, `in_flight=abort`", said(agent(F, "monitor", in_flight="abort"))


def fencing(lab):
    for title, options in (("`off` of V by F", {}), ("`off` of V by F, `in_flight=abort`", {"in_flight": "abort"})):
        agent, _ = both(lab)
        yield title, said(agent(F, "off", plug=V, **options))
        may = [NAMES[node] for node in (V, F) if can_write(lab, node)]
        yield f"{title}: who can write then", " and ".join(may) or "nobody"
        yield f"{title}: `status` of V by F then", said(agent(F, "status", plug=V))


def resetting(lab):
    """A guest sends a LUN RESET while another one, or it itself, has a write in the target."""
    for node, title in ((V, "V's write is in the target, F resets"), (F, "F's write is in the target, F resets")):
        fresh(lab)
        stand_still(lab)
        flight = Flight(lab, node)
        before = counts(lab)
        reset = lab.start(F, "sg_reset --device --no-escalate /dev/lun0", timeout=3600)
        at_once = ends(reset)
        ended = flight.running.done()
        lab.unstall(0)
        rc = reset.wait().rc
        flight.running.wait()
        after = counts(lab)
        got = ", ".join(f"{after[name] - before[name]} {name}" for name in ("LUN RESET", "ABORT TASK"))
        yield f"{title}: F's answer", f"exit {rc}, " + ("with the write still there" if at_once else "when the write has ended")
        yield f"{title}: what the target got", got
        yield f"{title}: the write", ("ends, and " if ended else "goes on, and ") + ("lands" if flight.landed() else "is lost")


def in_flight(lab):
    for first, second in ((F, V), (V, F)):
        title = f"V's write is in the target, {NAMES[first]} holds: `off` with `in_flight=abort`"
        agent = fresh(lab)
        agent(first, "on")
        if agent(second, "on").rc:
            yield title, "not to be had: one of the two only can be registered"
            continue
        stand_still(lab)
        flight = Flight(lab, V)
        off = agent.start(F, "off", plug=V, in_flight="abort", power_timeout=math.ceil(10 * ENDS))
        at_once = ends(off)
        lab.unstall(0)
        result = off.wait()
        flight.running.wait()
        yield title, said(result) + (", with the write still there" if at_once else ", when the backend goes on")
        yield f"{title}: the write", "lands" + (" afterwards" if at_once else "") if flight.landed() else "does not land"


def measure(lab):
    """A column: {row: cell}."""
    cells = {}
    for rows in (registering, fencing, resetting, in_flight):
        for row, cell in rows(lab):
            cells[row] = cell
            print(f"{row}: {cell}", file=sys.stderr, flush=True)
        lab.restore()
    return cells


# ---------------------------------------------------------------- the document

def measure_way(args, way):
    """(a column, what it was measured with)"""
    lab = guests_lab.up(name=args.name, way=way, stage=args.stage)
    try:
        qemu = subprocess.run([QEMU, "--version"], check=True, capture_output=True, text=True).stdout.split()[3]
        return measure(lab), (f"QEMU {qemu.partition('(')[0]}; Linux {lab.config['guest_kernel']} in the guests, "
                              f"{lab.config['stor_kernel']} in hosts and target.")
    finally:
        lab.down()


def table(columns, versions):
    """Markdown. columns: {way: {row: cell}}"""
    lines = [BEGIN, "", VERSIONS + versions, "", "| | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    rows = list(dict.fromkeys(row for cells in columns.values() for row in cells))
    lines += [f"| {row} | " + " | ".join(cells.get(row, NOTHING) for cells in columns.values()) + " |" for row in rows]
    return "\n".join([*lines, "", END])


def split_document(text):
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, BEGIN + inside + END, after


def columns_of(text):
    """{way: {row: cell}} of the document's table."""
    lines = [[f.strip() for f in line.strip().strip("|").split(" | ")]
             for line in split_document(text)[1].splitlines() if line.startswith("| ")]
    return {title: {fields[0]: fields[i + 1] for fields in lines[2:] if fields[i + 1] != NOTHING}
            for i, title in enumerate(lines[0][1:])} if lines else {}


def without_versions(text):
    return re.sub(rf"^{VERSIONS}.*$", VERSIONS, text, flags=re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the document, do not write it")
    parser.add_argument("--way", choices=WAYS, action="append", help="measure these columns only; the others stay as they are")
    parser.add_argument("--stage", default=os.environ.get("BLKPR_STAGE"), metavar="DIR",
                        help="a tree with usr/sbin/fence_blkpr (default: $BLKPR_STAGE)")
    parser.add_argument("--name", default="guests", help="the lab's name (default: guests)")
    args = parser.parse_args()
    found = {way: measure_way(args, way) for way in args.way or WAYS}
    with open(DOCUMENT) as f:           # only now: somebody else may measure another column
        before, documented, after = split_document(f.read())
    columns = columns_of(documented) | {way: cells for way, (cells, _) in found.items()}
    measured = table({way: columns[way] for way in WAYS if way in columns}, next(iter(found.values()))[1])
    if not args.check:
        with open(DOCUMENT, "w") as f:
            f.write(before + measured + after)
        return 0
    changes = "".join(difflib.unified_diff(*(without_versions(t).splitlines(keepends=True) for t in (documented, measured)),
                                           "doc/virtual-machines.md", "measured", n=0))
    sys.stdout.write(changes)
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
