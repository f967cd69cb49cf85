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
from kinds import kinds     # noqa: E402

MOST_LABS = 2               # kept up at once; the one unused for longest is ended first, one that runs Pacemaker at once
ALL_SHAPES = ("7-plain", "7-multipath", "6.1-plain", "6.1-multipath")       # a process takes 4 times as long on 6.1
# what hands a test its lab: tests of a file with the same one of these are a group, and ./check runs a group at a time
LAB_FIXTURES = ("kernel", "shape", "plain", "started", "pair_of_run", "trio_of_run", "cluster_of_run", "scene_of_run",
                "title")
RUN = os.environ.get("BLKPR_LABS") or f"pytest-{os.getpid()}"       # what the names of this run's labs begin with


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
            busy = [k for k, lab in self.up.items() if lab.config["cluster"] == "pacemaker"]
            for old in busy or list(self.up)[:len(self.up) + 1 - MOST_LABS]:
                self.up.pop(old).down()
            self.made += 1
            found = lab_module.up(name=f"{RUN}-{self.made}", **wanted)
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
        found = re.fullmatch(r"(?:pytest|check)-(\d+)-.*", name)
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


def pytest_generate_tests(metafunc):
    """A test that takes `shape` runs on the shapes of its marker, or else of its module; on all if BLKPR_SHAPES=all."""
    if "shape" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("shapes")
        few = marker.args if marker else metafunc.module.SHAPES
        every = marker.kwargs.get("every", ALL_SHAPES) if marker else ALL_SHAPES
        wanted = kinds(every, few)
        metafunc.parametrize("shape", wanted, indirect=True, scope="module")


@pytest.fixture(scope="module")
def shape(request):
    """A kernel, and plain disks or multipath maps, as arguments of labs()."""
    kernel, _, disks = request.param.partition("-")
    return {"kernel": kernel, "paths": 2 if disks == "multipath" else 1}


@pytest.hookimpl(tryfirst=True)        # before tests/check/events.py looks at them
def pytest_collection_modifyitems(items):
    """A test's group, as ./check shows it: its file, and which of the file's labs it uses."""
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params or {}
        shared = [f"{parameters[name]}" if name in parameters else name for name in LAB_FIXTURES
                  if name in item.fixturenames]
        item.check_group = " ".join([item.module.__name__, *shared])


def pytest_configure(config):
    config.addinivalue_line("markers", "shapes(name, ..., every=ALL_SHAPES): the shapes of the test; `every` if BLKPR_SHAPES=all")
