#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long one lab takes to start on this machine, with nothing else on it: prints seconds, the quicker of two."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab_core         # noqa: E402



def seconds_to_start():
    began = time.monotonic()
    lab = lab_core.up(name=f"{os.environ['BLKPR_LABS']}-first", nodes=2, luns=3)
    took = time.monotonic() - began
    try:
        lab.exec("n1", "test -b /dev/lun0", check=True)
    finally:
        lab.down()
    return took


print(f"{min(seconds_to_start(), seconds_to_start()):.2f}")
