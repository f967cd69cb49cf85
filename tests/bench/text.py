# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of doc/benchmark.md, and the plot; all figures come from the run."""

import truth
from side import ACTIONS, BLKPR, FLOORS, LONGEST, SCSI

PAGE = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# How long it takes

Written by `make bench` (tests/bench), not by hand: all figures are of one run, whose raw data is
[benchmark.csv](benchmark.csv). In each round every program has its turn at every action, another one first each time;
what is shown are medians of the rounds, and medians of each round's ratio. A time is that of a whole process, as its
caller sees it. The programs:

- **fence_scsi** {scsi}, Debian 12's, unchanged;
- **floor, serial** and **parallel**: a C program that issues only the ioctls that the protocol cannot do without (for
  `off`: read keys, read reservation, PREEMPT AND ABORT, LUN RESET, read both again), on one disk after another, or by a
  thread a disk, with the arbiter alone first and read once more at the end ([floor.c](../tests/bench/floor.c));
- **fence_blkpr** {blkpr}.

![off, by the number of disks](benchmark.svg)

## What was wanted

| | measured | reached |
| --- | --- | --- |
{goals}
{tables}
## Processor time and memory

User and system time of all processes, and the largest resident set of any process, at latency 0.

{costs}

`off` at {longest} LUNs, all of its processes together while they wait for the disks: {memory:.1f} MiB (proportional set
sizes), {processes} processes.

## Start-up

| | |
| --- | --- |
| `-o metadata` in a node, fence_scsi | {scsi_start:.1f} ms, {scsi_memory:.1f} MiB |
| `-o metadata` in a node, fence_blkpr | {blkpr_start:.1f} ms, {blkpr_memory:.1f} MiB |
| fence_blkpr from execve to the first ioctl, on this machine's own kernel ({host}), without a cluster | {first:.2f} ms |

## A disk that is ill

`off` on {ill_luns} LUNs, the last of which is ill; given up after 60 s, which is what Pacemaker gives an agent by default.

| the last disk | program | verdict | after (median) |
| --- | --- | --- | --- |
{ill}

{truth}
## How it was made

| | |
| --- | --- |
| nodes' kernel | Linux {kernel} (User Mode Linux: starting a process costs more than on hardware, which favours whoever starts fewer) |
| storage | LIO over iSCSI, on a machine of its own, same kernel; each machine of the lab has one processor |
| this machine | Linux {host}, {processors} processors, {cpu} |
| rounds | {rounds} |
| took | {minutes:.0f} minutes |

To repeat it, as root on a Debian machine, in a build directory:

    make bench
"""

TRUTH = """\
## Time to the truth

n1 runs `off` of n2 on {luns} disks, each of two paths (dm-multipath), while paths or disks
are ill; given up after {give_up} s. What is said of a path or of commands is so for n1 only, of a
disk for both. Then, before the fault ends, n2 tries to write to each disk that lives, by each
path. LUN RESETs are counted as they arrive at the target, for the disks that live. **Bold** is an
exit 0 that is not true. {rounds}

A dead disk answers every command with HARDWARE ERROR. Of lost commands half never arrive and half
are executed and not answered; the kernel gives a command up after 30 s. In this table every session
passes a program that can make it ill, which costs everybody some time for each command. multipathd
runs on both nodes (`no_path_retry fail`, one key a node for fence_mpath), whichever program is at it.

{table}

| | measured | reached |
| --- | --- | --- |
{goals}
"""

TABLE = """\

## Latency {latency} ms

{note}

| | {programs} | times faster than fence_scsi | times the parallel floor |
| --- | {dashes} | --- | --- |
{rows}
"""
NOTES = {0: "Nothing is delayed.", 5: "The target sends every answer 5 ms later."}
TITLES = {SCSI: "fence_scsi", FLOORS[0]: "floor, serial", FLOORS[1]: "floor, parallel", BLKPR: "fence_blkpr"}


def ms(us):
    return f"{us / 1000:.1f} ms" if us < 1e4 else f"{us / 1000:.0f} ms" if us < 1e6 else f"{us / 1e6:.1f} s"


def plural(luns):
    return f"{luns} LUN" + "s" * (luns > 1)


def table(medians, latency, luns):
    rows = []
    for action in ACTIONS:
        for n in luns:
            times = [ms(medians(n, latency, action, program)) for program in TITLES]
            rows.append(f"| `{action}`, {plural(n)} | " + " | ".join(times)
                        + f" | {medians.ratio(n, latency, action, SCSI, BLKPR):.1f}"
                        + f" | {medians.ratio(n, latency, action, BLKPR, FLOORS[1]):.2f} |")
    return TABLE.format(latency=latency, note=NOTES[latency], programs=" | ".join(TITLES.values()),
                        dashes=" | ".join("---" for _ in TITLES), rows="\n".join(rows))


def costs(medians, luns):
    lines = ["| | " + " | ".join(TITLES.values()) + " |", "| --- " * (len(TITLES) + 1) + "|"]
    for action in ACTIONS:
        for n in luns:
            cells = [f"{ms(medians(n, 0, action, p, 'cpu_us'))}, {medians(n, 0, action, p, 'memory_kib') / 1024:.1f} MiB"
                     for p in TITLES]
            lines.append(f"| `{action}`, {plural(n)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goal_rows(goals):
    return "\n".join(f"| {what} | {measured} | {'yes' if good else '**no**'} |"
                     for what, measured, good in goals)


def truth_section(rows, rounds):
    """`Time to the truth`, of truth.measure()'s rows."""
    worst = f"Of {rounds} rounds the worst is shown, by what can be written to, then by time."
    return TRUTH.format(luns=truth.LUNS, give_up=truth.GIVE_UP, rounds=worst if rounds > 1 else "One round.",
                        table=truth.table(rows), goals=goal_rows(truth.goals(rows)))


def with_section(page, section):
    """The page with a section in the place of the one of that title, or before the last one."""
    title = section.splitlines()[0]
    begin = page.find(f"\n{title}\n") + 1 or page.rindex("\n## ") + 1
    end = page.index("\n## ", begin) + 1 if page.startswith(title, begin) else begin
    return page[:begin] + section.rstrip("\n") + "\n\n" + page[end:]


def page(medians, goals, memory, start, ill, true, found, seconds, luns, latencies, rounds):
    """The whole of doc/benchmark.md."""
    return PAGE.format(
        goals=goal_rows(goals),
        tables="".join(table(medians, latency, luns) for latency in latencies), costs=costs(medians, luns),
        longest=LONGEST, memory=memory[0] / 1024, processes=memory[1],
        scsi_start=start[SCSI][0] / 1000, scsi_memory=start[SCSI][1] / 1024,
        blkpr_start=start[BLKPR][0] / 1000, blkpr_memory=start[BLKPR][1] / 1024, first=start["first"] / 1000,
        ill_luns=ill[0], ill="\n".join(f"| {what} | {program} | {verdict} | "
                                       f"{'-' if verdict == 'none' else f'{took:.1f} s'} |"
                                       for what, program, verdict, took in ill[1]),
        truth=true,
        rounds=", ".join(f"{n} at {plural(k)}" for k, n in rounds.items()), minutes=seconds / 60, **found)


# ---------------------------------------------------------------- the plot

PLOT = """\
set terminal svg size 960,420 font 'sans-serif,13' background 'white'
set multiplot layout 1,2
set logscale xy
set xtics ({xtics})
set ytics ('1 ms' 0.001, '10 ms' 0.01, '100 ms' 0.1, '1 s' 1, '10 s' 10, '100 s' 100)
set yrange [0.001:200]
set xrange [0.8:320]
set grid
set xlabel 'disks'
set key top left noenhanced
"""


def block(program, latency):
    """The name of a data block of gnuplot's."""
    return f"{program.replace(' ', '_')}_{latency}"


def plot(latencies, programs, luns):
    """gnuplot's commands, after the data."""
    text = PLOT.format(xtics=", ".join(f"'{n}' {n}" for n in luns))
    for latency in latencies:
        lines = [f"${block(p, latency)} using 1:2 with linespoints lw 2 pt 7 ps 0.6 title '{TITLES[p]}'" for p in programs]
        text += f"set title 'off, latency {latency} ms'\nplot " + ", ".join(lines) + "\n"
    return text + "unset multiplot\n"
