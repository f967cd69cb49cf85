# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest fixtures for tests that need the lab.

    def test_something(labs):
        lab = labs(kernel="7", nodes=2, luns=3)     # started once a run, reused by every test that asks for the same
        lab.exec("n1", "...")

A lab is handed out without registrations, reservations, hung LUNs or cuts, with all its machines on.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import lab as lab_module    # noqa: E402
import lab_pool             # noqa: E402
from kinds import kinds     # noqa: E402

ALL_SHAPES = ("7-plain", "7-multipath", "6.1-plain", "6.1-multipath")       # a process takes 4 times as long on 6.1
# what hands a test its lab: tests of a file with the same one of these are a group, and ./check runs a group at a time
LAB_FIXTURES = ("kernel", "shape", "plain", "started", "pair_of_run", "trio_of_run", "cluster_of_run", "scene_of_run",
                "title")


@pytest.fixture(scope="session")
def labs():
    """A function that returns a lab for (kernel, nodes, luns, paths, cluster, ...), as lab.up() takes them."""
    yield from lab_pool.pool(lab_module.up, "")


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
    lab_pool.set_groups([item for item in items if item.path.parent == HERE], LAB_FIXTURES)


def pytest_configure(config):
    config.addinivalue_line("markers", "shapes(name, ..., every=ALL_SHAPES): the shapes of the test; `every` if BLKPR_SHAPES=all")
