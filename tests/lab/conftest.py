# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest fixtures for tests that need the lab.

    def test_something(labs):
        lab = labs(kernel="7", nodes=2, luns=3)     # started once a run, reused by every test that asks for the same
        lab.exec("n1", "...")

A lab is handed out without registrations, reservations, hung LUNs or cuts, with all its machines on.
"""

import os
import re
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module    # noqa: E402

MOST_LABS = 3               # kept up at once; the one unused for longest is ended first


class Labs:
    """Labs of this pytest run, by what was asked for."""

    def __init__(self):
        self.up = {}
        self.made = 0

    def __call__(self, **wanted):
        wanted.setdefault("stage", os.environ.get("BLKPR_STAGE") or None)
        key = tuple(sorted((k, str(v)) for k, v in wanted.items()))
        found = self._restored(self.up.pop(key, None))
        if not found:
            while len(self.up) >= MOST_LABS:
                self.up.pop(next(iter(self.up))).down()
            self.made += 1
            found = lab_module.up(name=f"pytest-{os.getpid()}-{self.made}", **wanted)
        self.up[key] = found
        return found

    @staticmethod
    def _restored(found):
        """The lab as new, or None (and down) if a test has left it beyond that."""
        try:
            if found:
                found.restore()
            return found
        except lab_module.LabError:
            found.down()
            return None

    def down(self):
        while self.up:
            self.up.popitem()[1].down()


def remove_labs_of_dead_runs():
    """What a pytest that was killed could not take down."""
    for name in lab_module.all_labs():
        found = re.fullmatch(r"pytest-(\d+)-.*", name)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            try:
                lab_module.down(name)
            except lab_module.LabError:
                pass        # another run is at it, too


@pytest.fixture(scope="session")
def labs():
    """A function that returns a lab for (kernel, nodes, luns, paths, cluster, ...), as lab.up() takes them."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    if not shutil.which("apt-get"):
        pytest.skip("the lab's image is made from Debian packages; there is no apt-get here")
    remove_labs_of_dead_runs()
    found = Labs()
    yield found
    found.down()


def pytest_configure(config):
    config.addinivalue_line("markers", "every_shape: runs on both kernels, each with plain disks and multipath maps")
