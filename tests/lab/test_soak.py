# SPDX-License-Identifier: GPL-2.0-or-later
"""The soak goes red when what must not happen happens; each run ends soon after."""

import os
import re
import subprocess

import pytest

import lab as lab_module
from lab_host import patience

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOAK = os.path.join(TOP, "tests", "soak", "soak.py")
LAB = os.environ.get("BLKPR_LABS", f"pytest-{os.getpid()}") + "-soak"


def soak(break_it, minutes, logs):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    command = ["/usr/bin/python3", "-B", SOAK, "--stage", os.environ["BLKPR_STAGE"], "--name", LAB,
               "--minutes", str(minutes), "--break", break_it, "--logs", str(logs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120),
                              check=False)
    finally:
        if LAB in lab_module.all_labs():
            lab_module.down(LAB)
    print(done.stdout + done.stderr)
    return done.returncode, done.stdout


SEEN = {
    "write": r"n\d: a write failed: .*Input/output error|n\d: its kernel: .*error, dev dm-\d",
    "fencing": r"n\d has lost its key|fencing of n\d, which was not switched off",
    "key": r"n\d has lost its key, and was not switched off",
    "restart": r"the service was started 1 times more often than was asked for",
    "node": r"pacemakerd is not what it was",
    "loss": r"AssertionError",
}


@pytest.mark.parametrize("break_it", SEEN)
def test_soak_that_must_be_red_is_red(labs, tmp_path, break_it):
    """labs: only so that the lab's needs are looked at."""
    status, said = soak(break_it, 0.3 if break_it == "loss" else 3, tmp_path)
    assert status == 1
    assert re.search(f"MUST NOT HAPPEN: .*({SEEN[break_it]})", said)
    assert re.search(r"^[1-9]\d* violations$", said, re.M)
