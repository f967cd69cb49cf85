#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long fence_blkpr takes, beside fence_scsi and beside a floor: the same lab, the same disks, turn by turn.

    bench.py --stage DIR            DIR: make install DESTDIR=DIR, with floor and measure in usr/bin

`make bench` calls it. It writes doc/benchmark.md, doc/benchmark.csv and doc/benchmark.svg.
"""

import argparse
import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lab"))
import faults               # noqa: E402
import lab as lab_module    # noqa: E402
import startup              # noqa: E402
import text                 # noqa: E402
import truth                # noqa: E402
from side import ACTIONS, BLKPR, FLOORS, LONGEST, PROGRAMS, SCSI, Side     # noqa: E402

LUNS = (1, 4, 16, 64, 256)
LATENCIES = (0, 5)              # milliseconds that the target takes longer for each answer
TRUTH_ROUNDS = 2
# Even numbers: on many LUNs of a lab, every second program that registers takes some 20 ms longer, whichever it is.
ROUNDS = {1: 10, 4: 6, 16: 4, 64: 6, 256: 2}
FIELDS = ("luns", "latency_ms", "action", "program", "round", "status", "wall_us", "cpu_us", "memory_kib")


def say(what):
    print(what, file=sys.stderr, flush=True)


def turns(side, luns, latency, rounds):
    """Rows of the CSV: in each round every program has its turn at every action, another one first each time."""
    rows = []
    side.lab.latency(latency)
    try:
        for i in range(rounds):
            for action in ACTIONS:
                for k in range(len(PROGRAMS)):
                    program = PROGRAMS[(i + k) % len(PROGRAMS)]
                    status, wall, cpu, memory = side.measure(program, action, luns)
                    if status != ACTIONS[action]:
                        raise SystemExit(f"{program} {action} at {luns} LUNs: exit {status}, though nothing is wrong")
                    rows.append(dict(zip(FIELDS, (luns, latency, action, program, i, status, wall, cpu, memory))))
    finally:
        side.lab.latency(0)
    return rows


def measure_all(side, rounds):
    rows = []
    for luns in LUNS:
        side.begin(luns)
        for latency in LATENCIES:
            began = time.monotonic()
            rows += turns(side, luns, latency, max(1, ROUNDS[luns] * rounds // 100))
            say(f"{luns} LUNs, {latency} ms: {time.monotonic() - began:.0f} s")
    return rows


class Medians:
    """What the rows come to."""

    def __init__(self, rows):
        self.found = {}
        for row in rows:
            self.found.setdefault((row["luns"], row["latency_ms"], row["action"], row["program"]), []).append(row)

    def __call__(self, luns, latency, action, program, what="wall_us"):
        return statistics.median(row[what] for row in self.found[luns, latency, action, program])

    def ratio(self, luns, latency, action, program, other):
        """Median of the ratios of each round: what a round has in common, such as a busy machine, cancels out."""
        pairs = zip(self.found[luns, latency, action, program], self.found[luns, latency, action, other])
        return statistics.median(a["wall_us"] / b["wall_us"] for a, b in pairs)


def memory_of_all(side):
    """KiB of all of `off`'s processes together, and how many they are, while they wait for 256 disks."""
    side.begin(LONGEST)
    side.lab.latency(300)
    try:
        return side.measure_memory("off", LONGEST)
    finally:
        side.lab.latency(0)


def goals(medians, memory, start):
    """[(what is wanted, what was measured, whether it is reached)], after the issue's words."""
    found = []
    for action in ("off", "on", "status"):
        for luns, least, aim in ((1, 10, 20), (64, 50, 100)):
            times = medians.ratio(luns, 0, action, SCSI, BLKPR)
            found.append((f"`{action}` at {luns} LUN{'s' * (luns > 1)}: {least} times faster than fence_scsi, {aim} if possible",
                          f"{times:.0f} times", times >= least))
    for luns in (64, 256):
        share = medians.ratio(luns, 5, "off", BLKPR, FLOORS[1])
        found.append((f"`off` at {luns} LUNs, 5 ms: within 1.5 times the parallel floor", f"{share:.2f} times", share <= 1.5))
    main = max(row["memory_kib"] for (luns, *_, program), rows in medians.found.items()
               if luns == LONGEST and program == BLKPR for row in rows) / 1024
    together = memory[0] / 1024
    found.append((f"largest process at {LONGEST} LUNs: below 12 MiB", f"{main:.1f} MiB", main < 12))
    found.append((f"all processes together at {LONGEST} LUNs: below 48 MiB (PSS)",
                  f"{together:.1f} MiB ({memory[1]} processes)", together < 48))
    found.append(("start-up to the first ioctl on an ordinary kernel: below 3 ms", f"{start['first'] / 1000:.1f} ms",
                  start["first"] < 3000))
    return found


def write_csv(path, rows):
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def plot(path, medians):
    """By gnuplot: seconds over LUNs, a panel for each latency, on logarithmic axes."""
    data = ""
    for latency in LATENCIES:
        for program in PROGRAMS:
            data += f"${text.block(program, latency)} << END\n" + "".join(
                f"{luns} {medians(luns, latency, 'off', program) / 1e6}\n" for luns in LUNS) + "END\n"
    script = data + text.plot(LATENCIES, PROGRAMS, LUNS)
    drawn = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True)
    if drawn.returncode:
        raise SystemExit(f"gnuplot: {drawn.stderr}")
    with open(path, "w") as f:
        f.write(drawn.stdout)


def measure_truth(args):
    """(rows, rounds)"""
    rounds = max(1, TRUTH_ROUNDS * args.rounds // 100)
    return truth.measure(args.stage, rounds, say), rounds


def write_truth(path, rows, rounds):
    """Its section of a page that is there."""
    with open(path) as f:
        page = f.read()
    with open(path, "w") as f:
        f.write(text.with_section(page, text.truth_section(rows, rounds)))


def versions(lab):
    kernel, blkpr, scsi = lab.exec("n1", "uname -r; fence_blkpr -V; dpkg-query -W -f '${Version}\\n' fence-agents",
                                   check=True).stdout.splitlines()
    model = next((line.partition(": ")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return {"kernel": kernel, "blkpr": blkpr, "scsi": scsi, "host": os.uname().release, "cpu": model,
            "processors": os.cpu_count()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree, with floor and measure in usr/bin")
    parser.add_argument("--rounds", type=int, default=100, help="per cent of the usual number of rounds (default 100)")
    parser.add_argument("--only", choices=["truth"],
                        help="this section of the page; the rest stays as it is")
    parser.add_argument("--output", default=os.path.join(TOP, "doc"), help="the directory (default doc)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the lab is taken down
    if args.only:
        return write_truth(os.path.join(args.output, "benchmark.md"), *measure_truth(args))
    if not all(map(shutil.which, ("gnuplot", "strace"))):
        raise SystemExit("gnuplot or strace is missing: apt-get install gnuplot-nox strace")
    path = os.path.join(args.output, "benchmark")
    began = time.monotonic()
    true, true_rounds = measure_truth(args)
    lab = lab_module.up(name=f"bench-{os.getpid()}", nodes=2, luns=LONGEST, kernel="7", stage=args.stage,
                        hang_luns=[faults.LUN])
    try:
        side = Side(lab)
        found = versions(lab)
        start = startup.measure(lab, args.stage)
        rows = measure_all(side, args.rounds)
        write_csv(path + ".csv", rows)
        memory = memory_of_all(side)
        ill = faults.LUNS, faults.measure(side)
    finally:
        lab.down()
    medians = Medians(rows)
    reached = goals(medians, memory, start)
    plot(path + ".svg", medians)
    with open(path + ".md", "w") as f:
        f.write(text.page(medians, reached, memory, start, ill,
                          text.truth_section(true, true_rounds), found,
                          time.monotonic() - began, LUNS, LATENCIES,
                          {n: max(1, ROUNDS[n] * args.rounds // 100) for n in LUNS}))
    for what, measured, good in reached + truth.goals(true):
        say(f"{'reached' if good else 'NOT REACHED'}: {what}: {measured}")
    say(f"{path}.md, .csv and .svg are written, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
