# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of doc/pr-operations.md: what is done to a LUN, from which start state.

A step is "WHO OPERATION NUMBER...": A is node n1, B is node n2 (somebody else), the rest is pr_probe's command line;
"A:part ..." goes to the device `part` of EXTRA_DEVICES in place of the LUN itself. Keys (hex): A has a1 (then a2),
B has b1, c1 is nobody's. Types are the kernel's: 1 WE, 2 EA, 3 WE-RO, 4 EA-RO, 5 WE-AR, 6 EA-AR.
"""

import dataclasses

A, B = "A register 0 a1", "B register 0 b1"
A_HOLDS, B_HOLDS = [A, B, "A reserve a1 3"], [A, B, "B reserve b1 3"]

# Made on node n1 before the row and removed after it: (shell text to make it, to remove it), by disks. In it $D is
# the LUN's device, $K its number, $N the name to give to what is made.
DM = ('export DM_DISABLE_UDEV=1; modprobe dm-mod; dmsetup create "pr$K" {uuid} --table "{table}"; '
      'ln -s /dev/mapper/pr$K "$N"')
DM_REMOVE = "DM_DISABLE_UDEV=1 dmsetup remove pr$K"
LINEAR = DM.format(uuid="", table="0 2048 linear $D 2048"), DM_REMOVE
EXTRA_DEVICES = {
    "part": {
        "plain": ('addpart "$D" 1 2048 2048; P=$(readlink -f "$D"); [[ $P != *[0-9] ]] || P+=p; ln -s "${P}1" "$N"; '
                  'for i in {1..100}; do test -b "$N" && break; sleep 0.02; done', 'delpart "$D" 1'),
        "multipath": (DM.format(uuid="--uuid part1-mpath-pr$K", table="0 2048 linear $D 2048"), DM_REMOVE),
    },
    "linear": {"plain": LINEAR, "multipath": LINEAR},
    "two": dict.fromkeys(("plain", "multipath"), (
        DM.format(uuid="", table="0 1024 linear $D 2048\n1024 1024 linear $D 4096"), DM_REMOVE)),
    "loop": dict.fromkeys(("plain", "multipath"), (
        'modprobe loop; truncate -s 1M "/run/pr_table/file$K"; '
        'ln -s "$(losetup --show -f "/run/pr_table/file$K")" "$N"', 'losetup -d "$(readlink "$N")"')),
    "nobody": dict.fromkeys(("plain", "multipath"), (
        'mknod -m 666 "$N" b $(stat -Lc "0x%t 0x%T" "$D")', ":")),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: START is done first and must succeed, then STEPS, whose answers are shown."""
    section: str
    name: str
    start: list
    steps: list
    generation: bool = False    # whether it is about the PR generation


def section(title, *rows):
    return [Row(title, *row) for row in rows]


ROWS = [
    *section(
        "Registering",
        ("register (0, a1)", [], ["A register 0 a1"]),
        ("register (0, a1); A is registered with a1", [A], ["A register 0 a1"]),
        ("register (0, a1); A holds with a1", A_HOLDS, ["A register 0 a1"]),
        ("register (0, a2); A is registered with a1", [A], ["A register 0 a2"]),
        ("register (0, a2); A holds with a1", A_HOLDS, ["A register 0 a2"]),
        ("register (c1, a2), wrong old key; A is registered with a1", [A], ["A register c1 a2"]),
        ("register (c1, a2), wrong old key; A is not registered", [], ["A register c1 a2"]),
        ("register (a1, a2); A is registered with a1", [A], ["A register a1 a2"]),
        ("register (a1, a2); A holds with a1", A_HOLDS, ["A register a1 a2"]),
        ("register (0, a1, IGNORE); A is not registered", [], ["A register 0 a1 1"]),
        ("register (0, a1, IGNORE); A is registered with a1", [A], ["A register 0 a1 1"]),
        ("register (0, a2, IGNORE); A is registered with a1", [A], ["A register 0 a2 1"]),
        ("register (0, a2, IGNORE); A holds with a1", A_HOLDS, ["A register 0 a2 1"]),
        ("register (c1, a2, IGNORE); A is registered with a1", [A], ["A register c1 a2 1"]),
        ("register (a1, 0); A is registered, B holds", B_HOLDS, ["A register a1 0"]),
        ("register (a1, 0); A holds, B is registered", A_HOLDS, ["A register a1 0"]),
        ("register (a1, 0); A and B hold type 5", [A, B, "A reserve a1 5"], ["A register a1 0"]),
        ("the library's end of a registration (a1); A is registered, B holds", B_HOLDS, ["A unregister a1"]),
        ("register (c1, 0), wrong old key; A is registered", [A], ["A register c1 0"]),
        ("register (0, 0); A is not registered", [], ["A register 0 0"]),
        ("register (0, 0); A is registered", [A], ["A register 0 0"]),
        ("register (0, 0, IGNORE); A is not registered", [], ["A register 0 0 1"]),
        ("register (0, 0, IGNORE); A is registered", [A], ["A register 0 0 1"]),
        ("register (0, a1) with unknown flag 2", [], ["A register 0 a1 2"]),
    ),
    *section(
        "Reserving",
        ("reserve (a1, 3); A is not registered, nothing reserved", [], ["A reserve a1 3"]),
        ("reserve (a1, 3); A is not registered, B holds", [B, "B reserve b1 3"], ["A reserve a1 3"]),
        ("reserve (a1, 3); A is registered", [A], ["A reserve a1 3"]),
        ("reserve (c1, 3), wrong key; A is registered", [A], ["A reserve c1 3"]),
        ("reserve (a1, 3) again; A holds type 3", A_HOLDS, ["A reserve a1 3"]),
        ("reserve (a1, 1), other type; A holds type 3", A_HOLDS, ["A reserve a1 1"]),
        ("reserve (a1, 3), same type; B holds type 3", B_HOLDS, ["A reserve a1 3"]),
        ("reserve (a1, 1), other type; B holds type 3", B_HOLDS, ["A reserve a1 1"]),
        ("reserve (a1, 5); B has reserved type 5", [A, B, "B reserve b1 5"], ["A reserve a1 5"]),
        ("reserve (a1, 6), other type; B has reserved type 5", [A, B, "B reserve b1 5"], ["A reserve a1 6"]),
        *((f"reserve (a1, {t:d}), no such type; A is registered", [A], [f"A reserve a1 {t:x}"]) for t in (0, 7, 99)),
        ("reserve (a1, 3, IGNORE); A is registered", [A], ["A reserve a1 3 1"]),
        ("reserve (a1, 3) with unknown flag 2; A is registered", [A], ["A reserve a1 3 2"]),
    ),
    *section(
        "Releasing",
        ("release (a1, 3); A is not registered, nothing reserved", [], ["A release a1 3"]),
        ("release (a1, 3); A is not registered, B holds", [B, "B reserve b1 3"], ["A release a1 3"]),
        ("release (a1, 3); A is registered, nothing reserved", [A], ["A release a1 3"]),
        ("release (a1, 3); A is registered, B holds", B_HOLDS, ["A release a1 3"]),
        ("release (c1, 3), wrong key; A is registered, B holds", B_HOLDS, ["A release c1 3"]),
        ("release (a1, 3); A holds type 3", A_HOLDS, ["A release a1 3"]),
        ("release (a1, 1), wrong type; A holds type 3", A_HOLDS, ["A release a1 1"]),
        ("release (c1, 3), wrong key; A holds type 3", A_HOLDS, ["A release c1 3"]),
        ("release (a1, 5); B has reserved type 5", [A, B, "B reserve b1 5"], ["A release a1 5"]),
        ("release (a1, 3) with flag IGNORE; A holds type 3", A_HOLDS, ["A release a1 3 1"]),
    ),
    *section(
        "Preempting",
        ("preempt (own a1, victim b1, 3); A is not registered, B holds", [B, "B reserve b1 3"], ["A preempt a1 b1 3"]),
        ("preempt (own a1, victim b1, 3); A is not registered, nothing reserved", [B], ["A preempt a1 b1 3"]),
        ("preempt-abort (own a1, victim b1, 3); A is not registered, B holds", [B, "B reserve b1 3"],
         ["A preempt-abort a1 b1 3"]),
        ("preempt (own b1, victim a1, 3), keys exchanged (trap 0); B holds", B_HOLDS, ["A preempt b1 a1 3"]),
        ("preempt (own c1, victim b1, 3), own key wrong; B holds", B_HOLDS, ["A preempt c1 b1 3"]),
        ("preempt (own c1, victim b1, 3), own key wrong; A holds", A_HOLDS, ["A preempt c1 b1 3"]),
        ("preempt (own a1, victim c1, 3), no such victim; nothing reserved", [A, B], ["A preempt a1 c1 3"]),
        ("preempt (own a1, victim c1, 3), no such victim; B holds", B_HOLDS, ["A preempt a1 c1 3"]),
        ("preempt (own a1, victim c1, 3), no such victim; A holds", A_HOLDS, ["A preempt a1 c1 3"]),
        ("preempt (own a1, victim b1, 3); B holds type 3", B_HOLDS, ["A preempt a1 b1 3"]),
        ("preempt (own a1, victim b1, 1), other type; B holds type 3", B_HOLDS, ["A preempt a1 b1 1"]),
        ("preempt-abort (own a1, victim b1, 3); B holds type 3", B_HOLDS, ["A preempt-abort a1 b1 3"]),
        ("preempt (own a1, victim b1, 3); A holds", A_HOLDS, ["A preempt a1 b1 3"]),
        ("preempt (own a1, victim b1, 1), other type; A holds type 3", A_HOLDS, ["A preempt a1 b1 1"]),
        ("preempt-abort (own a1, victim b1, 3); A holds", A_HOLDS, ["A preempt-abort a1 b1 3"]),
        ("preempt-abort (own a1, victim b1, 5), twice, other type; A holds type 3", A_HOLDS, ["A preempt-abort a1 b1 5"] * 2),
        ("preempt (own a1, victim b1, 3); nothing reserved", [A, B], ["A preempt a1 b1 3"]),
        ("preempt-abort (own a1, victim b1, 3); nothing reserved", [A, B], ["A preempt-abort a1 b1 3"]),
        ("preempt (own a1, victim b1, 5); type 5 reserved", [A, B, "B reserve b1 5"], ["A preempt a1 b1 5"]),
        *((f"preempt (own a1, victim 0, {t}); B holds type {t}", [A, B, f"B reserve b1 {t}"], [f"A preempt a1 0 {t}"])
          for t in (1, 2, 3, 4)),
        ("preempt (own a1, victim 0, 3); nothing reserved", [A, B], ["A preempt a1 0 3"]),
        ("preempt (own a1, victim 0, 5); B has reserved type 5", [A, B, "B reserve b1 5"], ["A preempt a1 0 5"]),
        ("preempt (own a1, victim a1, 3), itself; A holds", A_HOLDS, ["A preempt a1 a1 3"]),
        ("preempt (own a1, victim a1, 5), itself, other type; A holds type 3", A_HOLDS, ["A preempt a1 a1 5"]),
        ("preempt (own a1, victim a1, 5), itself; type 5 reserved", [A, B, "A reserve a1 5"], ["A preempt a1 a1 5"]),
        ("preempt (own a1, victim a1, 3), itself; B holds", B_HOLDS, ["A preempt a1 a1 3"]),
        ("preempt (own a1, victim a1, 3), itself; nothing reserved", [A, B], ["A preempt a1 a1 3"]),
        ("preempt (own a1, victim a1, 3), the key of both; A holds", [A, "B register 0 a1", "A reserve a1 3"],
         ["A preempt a1 a1 3"]),
        ("preempt (own a1, victim a1, 3), the key of both; nothing reserved", [A, "B register 0 a1"],
         ["A preempt a1 a1 3"]),
        *((f"preempt (own a1, victim b1, {t:d}), no such type; B holds", B_HOLDS, [f"A preempt a1 b1 {t:x}"])
          for t in (0, 7, 99)),
        ("preempt (own a1, victim b1, 3) with flag IGNORE; B holds", B_HOLDS, ["A preempt a1 b1 3 1"]),
        ("preempt-abort (own a1, victim b1, 3) with flag IGNORE; B holds", B_HOLDS, ["A preempt-abort a1 b1 3 1"]),
    ),
    *section(
        "Clearing",
        ("clear (a1); A is not registered, nothing reserved", [], ["A clear a1"]),
        ("clear (a1); A is not registered, B holds", [B, "B reserve b1 3"], ["A clear a1"]),
        ("clear (a1); A is registered, B holds", B_HOLDS, ["A clear a1"]),
        ("clear (c1), wrong key; A is registered, B holds", B_HOLDS, ["A clear c1"]),
        ("clear (0); A is registered, B holds", B_HOLDS, ["A clear 0"]),
        ("clear (a1) with flag IGNORE; A is registered", [A], ["A clear a1 1"]),
    ),
    *section(
        "Reading",
        ("READ_KEYS, room for 4 keys; A holds, B is registered", A_HOLDS, ["A read-keys 4"]),
        ("READ_KEYS, room for 1 key; A holds, B is registered", A_HOLDS, ["A read-keys 1"]),
        ("READ_KEYS, room for 0 keys; A holds, B is registered", A_HOLDS, ["A read-keys 0"]),
        ("READ_KEYS; nothing registered", [], ["A read-keys 4"]),
        ("READ_RESERVATION; A holds type 3", A_HOLDS, ["A read-reservation"]),
        ("READ_RESERVATION; A has reserved type 5 (trap 11)", [A, B, "A reserve a1 5"], ["A read-reservation"]),
        ("READ_RESERVATION; nothing reserved", [A, B], ["A read-reservation"]),
        ("SG_IO, keys; A holds, B is registered", A_HOLDS, ["A prin-keys"]),
        ("SG_IO, reservation; A holds type 3", A_HOLDS, ["A prin-reservation"]),
        ("SG_IO, reservation; A has reserved type 5 (trap 11)", [A, B, "A reserve a1 5"], ["A prin-reservation"]),
        ("SG_IO, reservation; nothing reserved", [A, B], ["A prin-reservation"]),
        ("SG_IO, reservation; A not registered, B holds type 2 (exclusive access)", [B, "B reserve b1 2"],
         ["A prin-reservation"]),
        ("SG_IO, capabilities", [], ["A prin-capabilities"]),
        ("NVMe Reservation Report; A is registered", [A], ["A nvme-report"]),
        ("generation by READ_KEYS, then READ_RESERVATION; A holds", A_HOLDS,
         ["A read-keys 4", "A read-reservation"], True),
        ("generation by READ_KEYS, then READ_RESERVATION; nothing reserved", [A, B],
         ["A read-keys 4", "A read-reservation"], True),
        ("generation by SG_IO, keys, then reservation; nothing reserved", [A, B],
         ["A prin-keys", "A prin-reservation"], True),
        ("generation before and after RESERVE", [A, B], ["A generation", "A reserve a1 3", "A generation"], True),
        ("generation before and after REGISTER by B", [A], ["A generation", "B register 0 b1", "A generation"], True),
        ("generation before and after PREEMPT of B", A_HOLDS,
         ["A generation", "A preempt a1 b1 3", "A generation"], True),
        ("generation before and after a PREEMPT that conflicts", A_HOLDS,
         ["A generation", "A preempt a1 c1 3", "A generation"], True),
    ),
    *section(
        "After a preempt, a clear, a release: what the other node meets (traps 6, 12, 13)",
        ("B is preempted by A, then reserves, three times", [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B reserve b1 3"] * 3),
        ("B is preempted by A, then registers (0, b1), twice", [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B register 0 b1"] * 2),
        ("B is preempted by A, then registers (0, b1, IGNORE), twice", [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B register 0 b1 1"] * 2),
        ("both hosts PREEMPT_ABORT each other, A first: B, three times", [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B preempt-abort b1 a1 3"] * 3),
        ("B is preempted by A, then READ_KEYS, twice", [*A_HOLDS, "A preempt a1 b1 3"], ["B read-keys 4"] * 2),
        ("B, the holder, is preempted by A, then SG_IO keys, three times", [*B_HOLDS, "A preempt a1 b1 3"],
         ["B prin-keys"] * 3),
        ("B, a registrant, is preempted by A, the holder, then SG_IO keys, three times",
         [*A_HOLDS, "A preempt a1 b1 3"], ["B prin-keys"] * 3),
        ("A clears, then B by SG_IO keys, three times", [*B_HOLDS, "A clear a1"], ["B prin-keys"] * 3),
        ("A releases, then B by SG_IO keys, three times", A_HOLDS, ["A release a1 3", *["B prin-keys"] * 3]),
        ("A releases, then B reserves, twice", A_HOLDS, ["A release a1 3", *["B reserve b1 3"] * 2]),
        ("B is preempted by A, then writes with O_DIRECT, three times", [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B write-direct"] * 3),
        ("B is preempted by A, meets the unit attention, then writes through the page cache",
         [*A_HOLDS, "A preempt-abort a1 b1 3"], ["B prin-keys", "B prin-keys", "B write-buffered"]),
        ("B was never registered, A holds type 3: B writes with O_DIRECT", [A, "A reserve a1 3"], ["B write-direct"]),
        ("B is preempted by A, meets the unit attention, registers again and writes (trap 12)",
         [*A_HOLDS, "A preempt-abort a1 b1 3"],
         ["B prin-keys", "B prin-keys", "B register 0 b1 1", "B write-direct"]),
    ),
    *section(
        "Partitions, loop devices and device-mapper (traps 4, 9, 10)",
        ("partition (of a map: a part1- dm-linear, as kpartx makes it): register (0, a1), reserve (a1, 3)", [],
         ["A:part register 0 a1", "A:part reserve a1 3"]),
        ("partition (of a map: the same): READ_KEYS, SG_IO keys; A holds", A_HOLDS,
         ["A:part read-keys 4", "A:part prin-keys"]),
        ("partition (of a map: the same): the library", [], ["A:part resolve"]),
        ("loop: register, reserve, clear", [],
         ["A:loop register 0 a1", "A:loop reserve a1 3", "A:loop clear a1"]),
        ("loop: READ_KEYS, READ_RESERVATION, SG_IO keys", [],
         ["A:loop read-keys 4", "A:loop read-reservation", "A:loop prin-keys"]),
        ("loop: the library", [], ["A:loop resolve"]),
        ("dm-linear, one segment: register (0, a1), reserve (a1, 3)", [],
         ["A:linear register 0 a1", "A:linear reserve a1 3"]),
        ("dm-linear, one segment: register (0, a1); A is registered with a1", [A], ["A:linear register 0 a1"]),
        ("dm-linear, one segment: READ_KEYS, READ_RESERVATION, SG_IO keys; A holds", A_HOLDS,
         ["A:linear read-keys 4", "A:linear read-reservation", "A:linear prin-keys"]),
        ("dm-linear: the library", [], ["A:linear resolve"]),
        ("dm-linear, two segments: register, reserve, clear", [],
         ["A:two register 0 a1", "A:two reserve a1 3", "A:two clear a1"]),
        ("dm-linear, two segments: READ_KEYS, READ_RESERVATION, SG_IO keys", [],
         ["A:two read-keys 4", "A:two read-reservation", "A:two prin-keys"]),
    ),
    *section(
        "Without privilege (trap 14; every other row is by root with O_RDONLY)",
        ("O_RDWR as nobody: register (0, a1), reserve (a1, 3), clear (a1)", [],
         ["A:nobody register 0 a1", "A:nobody reserve a1 3", "A:nobody clear a1"]),
        ("O_RDWR as nobody: READ_KEYS, SG_IO keys; A holds", A_HOLDS, ["A:nobody read-keys 4", "A:nobody prin-keys"]),
    ),
]
