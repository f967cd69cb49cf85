#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time to the truth: what `off` says of 16 disks of two paths, when, and what the disks say of it.

    truth.py --stage DIR        prints this table of doc/benchmark.md, which bench.py makes
                                (`ONLY=truth make bench`: this table alone)

In each of fabric.situations() n1 fences n2. n2 then tries to write to every disk that lives, by
every path.
"""

import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import fabric as fabrics        # noqa: E402
import lab as lab_module        # noqa: E402
from side import BLKPR, OPTIONS, PATIENCE, SCSI     # noqa: E402

LUNS = 16
GIVE_UP = 60                    # seconds; what Pacemaker gives an agent unless told otherwise
MORE = 2                        # seconds that a hung path may cost
MPATH = "fence_mpath"
PROGRAMS = (SCSI, MPATH, BLKPR)
DEVICES = [f"/dev/mapper/mp{k}" for k in range(LUNS)]

# fence_mpath needs multipathd, and that needs udevd; both run whichever program is measured
MPATH_KEYS = {"n1": "6c9d0001", "n2": "6c9d0002"}
MULTIPATHD = """cat >/etc/multipath.conf <<END
defaults {{
	user_friendly_names no
	find_multipaths no
	no_path_retry fail
	polling_interval 1
	max_polling_interval 2
	reservation_key 0x{key}
}}
multipaths {{
$(for k in $(seq 0 {last}); do
	uuid=$(dmsetup info -c --noheadings -o uuid mp$k)
	printf 'multipath {{\nwwid %s\nalias mp%s\n}}\n' ${{uuid#mpath-}} $k
done)
}}
END
/lib/systemd/systemd-udevd --daemon && udevadm trigger --subsystem-match=block && udevadm settle
multipathd"""
PATHS_KNOWN = ("active() { multipathd show paths raw format '%m %t %T' | "
               "grep -c '^mp[0-9]* active ready'; }; "
               f"until [ $(active) = {2 * LUNS} ]; do sleep 0.2; done")

TABLE = """\
| what n1 finds | program | `off` says | after | n2 can still write to | LUN RESETs |
| --- | --- | --- | --- | --- | --- |
{rows}"""


@dataclass
class Row:
    """What came of one `off`."""
    situation: str
    program: str
    status: int | None              # exit status, None: none in GIVE_UP seconds
    seconds: float
    writable: int                   # of the living disks, how many the victim can write to
    living: int
    resets: dict                    # LUN: LUN RESETs

    def is_untrue(self):
        """It says that the victim is off, and it is not."""
        return self.status == 0 and self.writable > 0

    def words(self):
        verdict = f"nothing in {GIVE_UP} s" if self.status is None else f"exit {self.status}"
        most = max(self.resets.values(), default=0)
        return (self.situation, self.program, f"**{verdict}**" if self.is_untrue() else verdict,
                f"{self.seconds:.1f} s", f"{self.writable or 'none'} of {self.living}",
                f"{sum(self.resets.values())}" + f", up to {most} a disk" * (most > 1))


def measure(stage, rounds=1, say=lambda text: None):
    """A Row for each round, situation and program, in a lab of their own."""
    lab = lab_module.up(name=f"truth-{os.getpid()}", nodes=2, luns=LUNS, paths=2, kernel="7",
                        stage=stage, fabric=True)
    try:
        for node in lab.nodes:
            lab.exec(node, MULTIPATHD.format(key=MPATH_KEYS[node], last=LUNS - 1), check=True)
        rows = []
        for _ in range(rounds):
            for situation in fabrics.situations(LUNS):
                for program in PROGRAMS:
                    rows.append(once(lab, situation, program))
                    say(": ".join(rows[-1].words()[:2]) + ": " + ", ".join(rows[-1].words()[2:]))
        return rows
    finally:
        lab.down()


def command(program, action, node):
    if program == MPATH:
        return f"{MPATH} -o {action} -k {MPATH_KEYS[node]} -d {','.join(DEVICES)}"
    return f"{program} -o {action} -n {node} -d {','.join(DEVICES)} {OPTIONS[program]}"


def register_both(lab, program):
    """As an administrator's cluster does it, whatever was there before."""
    lab.reset_reservations()
    for node in lab.nodes:
        lab.exec(node, f"rm -rf /run/fence_blkpr /var/lib/fence_blkpr; {PATHS_KNOWN}",
                 timeout=PATIENCE, check=True)
    for node in lab.nodes:
        lab.exec(node, command(program, "on", node), timeout=PATIENCE, check=True)


def once(lab, situation, program):
    register_both(lab, program)
    living = [k for k in range(LUNS) if k not in situation.dead]
    situation.begin(lab.fabric)
    lab.fabric.forget_resets()
    began = time.monotonic()
    result = lab.exec("n1", command(program, "off", "n2"), timeout=GIVE_UP)
    took = time.monotonic() - began
    resets = lab.fabric.resets()
    found = writable(lab, living)
    lab.fabric.well()
    lab.exec("n1", "while pgrep '^(fence_|sg_persist|mpathpersist)' >/dev/null; do sleep 0.1; done",
             timeout=PATIENCE, check=True)
    return Row(situation.name, program, None if result.timed_out else result.rc,
               min(took, GIVE_UP), len(found), len(living),
               {k: n for k, n in resets.items() if k in living})


def writable(lab, luns):
    """Of these LUNs those that n2 can write to, by either path."""
    paths = " ".join(f"{k}{end}" for k in luns for end in ("", "-b"))
    write = "dd if=/dev/zero of=/dev/lun$p bs=4k count=1 oflag=direct 2>/dev/null && echo ${p%-b}"
    return set(lab.exec("n2", f"for p in {paths}; do {write} & done; wait", timeout=PATIENCE,
                        check=True).stdout.split())


def worst(rows):
    """Of all rounds, a Row for each situation and program."""
    found = {}
    for row in rows:
        found.setdefault((row.situation, row.program), []).append(row)
    return [max(same, key=lambda row: (row.is_untrue(), row.writable, row.seconds))
            for same in found.values()]


def table(rows):
    lines = ["| " + " | ".join(row.words()) + " |" for row in worst(rows)]
    return TABLE.format(rows="\n".join(lines))


def goals(rows):
    """[(what is wanted, what was measured, whether it is reached)], after the issue's words."""
    mine = [row for row in rows if row.program == BLKPR]
    usual, hung = (next(row for row in worst(mine) if words in row.situation)
                   for words in ("nothing", "path of each map hangs"))
    most = max((n for row in mine for n in row.resets.values()), default=0)
    untrue = sorted({row.situation for row in mine if row.is_untrue()})
    return [(f"`off` with one path of each map hung: exit 0, within {MORE} s more than without",
             f"{hung.words()[2]}, {hung.seconds - usual.seconds:.1f} s more",
             hung.status == 0 and hung.seconds - usual.seconds <= MORE),
            ("at most one LUN RESET a disk that answers, whatever is ill", f"{most}", most <= 1),
            ("no exit 0 while the victim can write, whatever is ill",
             ", ".join(untrue) or "none", not untrue)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, help="a `make install DESTDIR=DIR` tree")
    parser.add_argument("--rounds", type=int, default=1, help="(default 1)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the lab is taken down
    rows = measure(args.stage, args.rounds, lambda text: print(text, file=sys.stderr, flush=True))
    print(table(rows))
    for what, measured, good in goals(rows):
        print(f"{'reached' if good else 'NOT REACHED'}: {what}: {measured}", file=sys.stderr)


if __name__ == "__main__":
    main()
