# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/virtual-machines.md says what guests of QEMU have of a disk: `guests_table.py --check`, column by column."""

import difflib

import pytest

import guests_lab
import guests_table
import lab_pool


@pytest.fixture(scope="module")
def guests():
    yield from lab_pool.pool(guests_lab.up, "guests")


@pytest.mark.parametrize("way", guests_lab.WAYS)
def test_documented_column_is_what_guests_have(guests, way):
    with open(guests_table.DOCUMENT) as f:
        documented = guests_table.columns_of(f.read())[way]
    measured = guests_table.measure(guests(way=way))
    changes = "\n".join(difflib.unified_diff(*([f"{name}: {cell}" for name, cell in column.items()]
                                               for column in (documented, measured)),
                                             "doc/virtual-machines.md", "measured", n=0, lineterm=""))
    assert not changes, "\n" + changes
