# SPDX-License-Identifier: GPL-2.0-or-later
"""How long `off` takes to a verdict when one of 16 disks, the last, is ill."""

import statistics
import threading
import time

from side import BLKPR, SCSI

LUNS, LUN = 16, 15
GIVE_UP = 60                    # seconds; what Pacemaker gives an agent unless told otherwise
SECONDS = 1                     # for which the target is not ready


def measure(side):
    """[(what is ill, program, "exit 0" or "none in 60 s", seconds)]"""
    rows = []
    for what, ill, well in (("nothing", lambda _: None, lambda _: None),
                            ("it does not answer at all", hang, resume),
                            ("each of its answers takes 2 s longer", crawl, resume),
                            (f"its target is not ready for {SECONDS} s", unready, lambda _: None)):
        for program in (SCSI, BLKPR):
            verdicts, seconds = [], []
            for _ in range(1 if program == SCSI else 2):
                side.begin(LUNS)
                side.register(program, LUNS)
                verdict, took = once(side, program, ill, well)
                verdicts.append(verdict)
                seconds.append(took)
            rows.append((what, program, ", ".join(sorted(set(verdicts))), statistics.median(seconds)))
    return rows


def once(side, program, ill, well):
    ill(side.lab)
    began = time.monotonic()
    try:
        result = side.lab.exec("n1", side.command(program, "off", LUNS), timeout=GIVE_UP)
        took = time.monotonic() - began
    finally:
        well(side.lab)
    side.lab.exec("n1", "while pgrep '^(fence_|sg_persist)' >/dev/null; do sleep 0.1; done")
    return "none" if result.timed_out else f"exit {result.rc}", took


def hang(lab):
    lab.hang(LUN)


def crawl(lab):
    lab.crawl(LUN, 2000)


def resume(lab):
    lab.resume(LUN)


def unready(lab):
    threading.Thread(target=lab.unready(LUN, SECONDS * 1000).wait, daemon=True).start()
