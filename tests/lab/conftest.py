# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest fixtures for tests that need the lab.

    def test_something(labs):
        lab = labs(kernel="7", nodes=2, luns=3)     # started once a run, reused by every test that asks for the same
        lab.exec("n1", "...")

A lab is handed out without registrations, reservations, hung LUNs or cuts, with all its machines on.
"""

import os
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

    def __call__(self, **wanted):
        wanted.setdefault("stage", os.environ.get("BLKPR_STAGE") or None)
        key = tuple(sorted((k, str(v)) for k, v in wanted.items()))
        found = self.up.pop(key, None)
        if found:
            found = self._refresh(found)
        if not found:
            while len(self.up) >= MOST_LABS:
                self.up.pop(next(iter(self.up))).down()
            found = lab_module.up(name=f"pytest-{os.getpid()}-{abs(hash(key)) % 10000:04}", **wanted)
        self.up[key] = found
        return found

    @staticmethod
    def _refresh(found):
        """The lab as new, or None (and down) if a test has left it beyond that."""
        try:
            for machine in found.machines:
                if found.state(machine) == "frozen":
                    found.thaw(machine)
            if found.state("stor") == "running":
                for node in found.nodes:
                    found.heal(node)
                    if found.state(node) == "off":
                        found.boot(node)
                found.reset_reservations()
                return found
        except lab_module.LabError:
            pass
        found.down()
        return None

    def down(self):
        while self.up:
            self.up.popitem()[1].down()


@pytest.fixture(scope="session")
def labs():
    """A function that returns a lab for (kernel, nodes, luns, paths, cluster, ...), as lab.up() takes them."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    if not shutil.which("apt-get"):
        pytest.skip("the lab's image is made from Debian packages; there is no apt-get here")
    found = Labs()
    yield found
    found.down()
