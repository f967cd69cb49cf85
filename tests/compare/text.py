# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of doc/comparison.md; all figures come from the run."""

import os

SECTIONS = {
    "plain": ("Nothing is wrong", """\
Exit status and output, each run once. `status` says OFF with exit status 2."""),
    "races_same": ("Both halves of a split cluster fence each other", """\
`off` is started on both nodes at the same time, each for the other one; all disks answer. Both name them in the same
order."""),
    "races_opposite": ("The same, with the second node naming the disks in the opposite order", """\
As happens where `/dev/sda` is not the same disk everywhere."""),
    "evicted": ("A node that has been evicted fences the winner", """\
n1 has fenced n2, with success. Then n2 runs `off` for n1."""),
    "renamed": ("The cluster was renamed", """\
On the survivor alone: it is unfenced again, and derives another key for the victim than the one that the victim has
registered. The victim runs on. Neither agent fences it; the question is what they say."""),
    "forgotten": ("The storage has forgotten all registrations", """\
As after a restart, if it had not been asked to save them (APTPL: fence_scsi asks for it only with `aptpl`, fence_blkpr
always). Neither agent fences the victim; the question is again what they say."""),
    "stranger": ("An unknown machine is registered, too", """\
A key that belongs to no node of the cluster (a node that was removed, a backup server) is on one of the disks. The
victim has its own key everywhere."""),
    "added": ("A disk was added", """\
The victim is registered on it, the fencing node is not: it has not run `on` since."""),
    "hung_last": ("The last disk does not answer", """\
Every command to it hangs in the kernel. Given up after 60 s, which is what Pacemaker gives an agent by default."""),
    "hung_first": ("The first disk does not answer", """\
As before. For fence_blkpr this is the disk that decides races."""),
    "in_flight_both": ("Writes that the target has accepted", """\
One disk, with a backend that takes 1 s a write; the victim writes without pause. `off`, then a look at the medium, then
another one when all that was in flight has landed."""),
    "survivor": ("A third node that goes on writing", """\
What a node that is not fenced notices while another one is. fence_blkpr ends all commands in flight by a LUN RESET,
those of other nodes as well, whose drivers repeat them."""),
    "costs": ("Time, processes", """\
Medians, as the caller sees it, with nothing else of this run going on (what else the machine did, its load tells: see
the end). Nodes are User Mode Linux, where starting a process is slower than on hardware: the ratio is exaggerated."""),
}

PAGE = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# fence_scsi and fence_blkpr, side by side

Written by `make compare` (tests/compare), not by hand: all counts and times are of one run. The agents ran in the
same labs, on the same {luns} disks, with the same keys (`key_value=hash`) and defaults otherwise, one after the
other, with the same faults. "3 of 10": in three of ten experiments. fence_scsi is Debian's, unchanged, in two
versions; the column of Debian 13 is missing when its packages could not be downloaded.

## Whether success is true

After every `off` of the experiments below that exited 0 (but for those that are timed), the victim tried to write to
each disk at once.

{summary}
{sections}
## What no experiment here shows

- fence_scsi has a script for the watchdog daemon (`fence_scsi_check`) that reboots a node whose key is gone from its
  disks. blkpr-watch does the same, and was not compared.
- fence_scsi has been in use for many years, on arrays of many makers. fence_blkpr has run against LIO only.
- fence_blkpr fails more often, on purpose: on unknown keys, and where this node is not registered. A fencing that
  fails keeps Pacemaker from recovering the victim's services until somebody acts, or has set `unknown_keys=allow`
  before.
- Multipath maps, and nodes on Linux 6.1: fence_blkpr's own tests run there, this comparison does not.

## Why they differ, from the source

- **fence_scsi {older}.** `off` reads every disk first, by programs that hang with the disk; at `power_timeout` it
  kills the program, and waits for it to end. If the victim's key is on no disk, that is `Already OFF`, without a look
  at own key, other keys or the reservation. Otherwise it goes from disk to disk, in the order in which they are
  named. That a PREEMPT AND ABORT was refused is not noticed at once: the next disk is tried, and all are read again
  at the end. So a race goes on disk by disk, and a node that has lost some may win others. `monitor` looks at its
  programs and its own files, not at a disk.
- **fence_scsi since 4.13**, and so Debian 13's: the same, but `off` registers its own key on every disk before it
  looks for the victim's there, whether it was registered or not.
- **fence_blkpr.** [safety.md](safety.md): one disk decides (S3), nothing but `on` registers (S2), success is
  concluded from a fresh read of all keys and the reservation (S4), a worker a disk and one deadline (S5), a
  LUN RESET before success (S1).

## How it was made

| | |
| --- | --- |
| nodes' kernel | Linux {kernel} (User Mode Linux) |
| storage | LIO over iSCSI, on a machine of its own, same kernel |
| agents | {agents} |
| in the nodes | {rest} |
| machine | {processors} processors, load average {load:.1f} at the end |
| experiments, how often | {counts} |
| took | {minutes:.0f} minutes |

To repeat it, as root on a Debian machine, in a build directory:

    make compare                # or make compare COUNT=30
"""


def page(tables, summary, how_often, versions, agents, seconds, luns):
    """The whole of doc/comparison.md."""
    sections = "".join(f"\n## {SECTIONS[name][0]}\n\n{SECTIONS[name][1]}\n\n{tables[name]}\n" for name in how_often)
    return PAGE.format(
        sections=sections, summary=summary, minutes=seconds / 60, luns=luns, kernel=versions["kernel"],
        rest=versions["rest"], agents=", ".join([*(a.title for a in agents[:-1]), versions["blkpr"]]),
        older=agents[0].title.split()[1], processors=os.cpu_count(), load=os.getloadavg()[0],
        counts=", ".join(f"{name.replace('_', ' ')} {count}" for name, count in how_often.items()))
