# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest fixtures for tests that need kernels of their own, in QEMU.

    def test_something(vms):
        vm = vms(nodes=2, luns=3)       # vm_lab.up()'s arguments; started once a run, handed out as new (Vm.restore())
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]
import lab_pool             # noqa: E402
import vm_lab               # noqa: E402

# what hands a test its machines: tests of a file with the same one of these are a group of ./check
VM_FIXTURES = ("kernel", "machines", "impatient", "cluster_of_run")


@pytest.fixture(scope="session")
def vms():
    """A function that returns a Vm for (kernel, nodes, luns, paths, cluster, ...), as vm_lab.up() takes them."""
    yield from lab_pool.pool(vm_lab.up, "vm")


@pytest.hookimpl(tryfirst=True)        # before tests/check/events.py looks at them
def pytest_collection_modifyitems(items):
    lab_pool.set_groups([item for item in items if item.path.parent == HERE], VM_FIXTURES)


def pytest_configure(config):
    config.addinivalue_line("markers", "shapes(name, ...): of tests of tests/lab that run here, too; they have one shape here")
