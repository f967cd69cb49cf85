# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of doc/comparison-sg_persist.md; all figures and answers come from the run."""

import os

ALL, CLOSEST, MAPS, NEXUS = (0, 2, 3), (0, 1, 2, 3), (0, 1, 2), (0, 2, 3)      # columns, by their place in KINDS

SECTIONS = {        # in the order of the page: title, text, columns
    "plain": ("Nothing is wrong", """\
Two disks; the other node runs nothing.""", ALL),
    "other_registered": ("A stale key of the other node is registered", """\
Left on both disks, without a reservation: the other node went away without `stop`.""", ALL),
    "other_holds": ("The other node still holds", """\
As if its machine had hung, was taken for dead, and goes on.""", ALL),
    "own_other_key": ("This node is registered with another key", """\
By the same path: its key was derived otherwise in an earlier session (other node id, other cluster name).""", ALL),
    "own_other_nexus": ("This node's key is registered by another path", """\
Its own key, left by an earlier session of another initiator port (here: another iSCSI session); no multipath map.""",
                        NEXUS),
    "stranger": ("A stranger registers while the service runs", """\
The other machine, with an unknown key, on one of the disks. With the types 1 and 3 a registration alone does not let it
write; with 5 it does.""", CLOSEST),
    "taken_one": ("Another machine takes the reservation of one disk", """\
It registers, and removes this node's key with PREEMPT AND ABORT, on the second disk. The first
command that this node sends after that is told so by a unit attention, instead of being executed.""", ALL),
    "taken_all": ("… of both disks", """\
As before.""", ALL),
    "forgotten": ("All registrations are gone", """\
The storage has forgotten them, or somebody has cleared them.""", ALL),
    "hung": ("A disk does not answer", """\
Every command to the second disk hangs in the kernel. An action is told 8 s (`OCF_RESKEY_CRM_meta_timeout`), and killed
after them, as Pacemaker does.""", ALL),
    "gone": ("A disk is gone", """\
The second disk is taken from the node while the service runs.""", CLOSEST),
    "unreadable_one": ("A read of keys fails, on one disk", """\
Every command to the second disk fails at once on this node, reads of keys as well.""", CLOSEST),
    "unreadable_all": ("A read of keys fails, on both disks", """\
As before.""", ALL),
    "map_plain": ("Multipath maps: nothing is wrong", """\
Two disks, each with two paths, by turns (`round-robin 0`).""", MAPS),
    "map_dies": ("Multipath maps: a path dies while the service runs", """\
The second path of each disk.""", MAPS),
    "map_dead_at_start": ("Multipath maps: a path is dead at start, and comes back", """\
The second path of each disk.""", MAPS),
    "map_tool": ("Multipath maps: sg_persist with `binary=mpathpersist`", """\
multipath-tools' program for maps, in sg_persist's place.""", (0,)),
}
ON_MAPS = [name for name in SECTIONS if name.startswith("map_")]
COSTS = """\
`start` is start and promote, `stop` is demote and stop where there are two roles; `monitor` is that of the holder.
Medians of {often}, as the caller sees it, nothing else of this run going on (what else the machine did, its load tells:
see the end). Nodes are User Mode Linux, where starting a process is slower than on hardware: the ratio is exaggerated."""

PAGE = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# ocf:heartbeat:sg_persist and ocf:blkpr:reservation, side by side

Written by `make compare-resource` (tests/compare), not by hand: all answers and times are of one run. The agents ran in
the same labs, on the same disks, one after the other, with the same faults, driven by their environment as Pacemaker's
executor drives them. sg_persist is Debian 12's (resource-agents {heartbeat}), unchanged. The columns:

- **sg_persist**: as it comes, `reservation_type=1` (Write Exclusive), `required_devs_nof=1`; promoted. By that setting
  one working disk of two is enough for it, which some of its answers below follow; hence
- **sg_persist, type 5, all disks**: as near as it can be set to reservation's defaults: `reservation_type=5`
  (registrants only), `required_devs_nof=2`;
- **reservation**: as it comes, a primitive: type 5, all disks are required;
- **reservation, promotable**: the same as a promotable clone, promoted, with `reservation_type=WRITE_EXCLUSIVE`, which is
  sg_persist's type 1.

After each exit code of an action it says whether it was true of the disks, as the target has it, and as writes of both
nodes show. "Held" is true if this node has the reservation of every disk, can write to each, and the other node to none.
"Failed" and "not held" are true if that is not so. "Cleanly not here" and "stopped" are true if this node is registered
on no disk; that `stop` failed is true if it is. `monitor` exits 0 or (promoted) 8 for held, 7 for cleanly not here.

## Whether exit codes are true

Of all actions of the experiments below that came to a verdict; those that are timed are not counted.

{summary}

## Time, processes

{costs_text}

{costs}
{sections}
## What no experiment here shows

- sg_persist has been in use for many years, on arrays of many makers. reservation has run against LIO only.
- reservation fails where sg_persist goes on, on purpose: a `stop` that fails means that the node is fenced, and on a
  cluster without fencing that the resource is blocked. By default it wants all of its disks.
- Writes in flight: sg_persist takes a reservation with PREEMPT, reservation with PREEMPT AND ABORT and a LUN RESET, which
  other users of the disk notice as well; see [comparison.md](comparison.md) and [safety.md](safety.md).
- Disks that fence_blkpr manages; nodes on Linux 6.1; resources that Pacemaker itself starts and recovers: reservation's
  own tests run there, this comparison does not.

## Why they differ, from the source

- **sg_persist** starts `crm_node` and `crm_attribute`, and for each disk `sg_persist` and `grep`, one after the other. A
  disk whose keys cannot be read counts as "not working", and is left out of everything after: of the comparison that
  makes `monitor`, and of what `stop` unregisters. `stop` returns success whatever its commands returned. It is
  registered where its key is in the list of keys, by whatever path that was made. It asks for 1 working disk by
  default, and `required_devs_nof` of all disks that exist fails every action, `stop` as well, before anything is done.
- **reservation** reads each disk in a process of its own, within one deadline; `stop` is a success only after a read
  that shows the key gone, of every disk that it remembers. [safety.md](safety.md) has the rest.

## How it was made

| | |
| --- | --- |
| nodes' kernel | Linux {kernel} (User Mode Linux) |
| storage | LIO over iSCSI, on a machine of its own, same kernel |
| agents | resource-agents {heartbeat}, ocf:blkpr:reservation of {blkpr} |
| in the nodes | {rest} |
| machine | {processors} processors, load average {load:.1f} at the end |
| experiments, how often | {count} |
| took | {minutes:.0f} minutes |

To repeat it, as root on a Debian machine, in a build directory:

    make compare-resource               # or make compare-resource COUNT=3
"""


def page(tables, summary, costs, often, versions, seconds, count):
    """The whole of doc/comparison-sg_persist.md; tables: {section: table}."""
    sections = "".join(f"\n## {SECTIONS[name][0]}\n\n{SECTIONS[name][1]}\n\n{table}\n" for name, table in tables.items())
    return PAGE.format(sections=sections, summary=summary, costs=costs, costs_text=COSTS.format(often=often),
                       processors=os.cpu_count(), load=os.getloadavg()[0], minutes=seconds / 60, count=count, **versions)
