# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/pr-operations.md says what the kernels do: `tests/pr/pr_table.py --check`, column by column, on shared labs."""

import difflib
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pr"))
import pr_table             # noqa: E402
from pr_rows import ROWS    # noqa: E402

LUNS = 48                   # rows at a time


# the slowest only in the long run
COLUMNS = [title for title in pr_table.COLUMNS if title != "6.1 multipath" or os.environ.get("BLKPR_SHAPES") == "all"]


@pytest.mark.parametrize("title", COLUMNS)
def test_documented_column_is_what_the_kernel_does(labs, title):
    kernel = pr_table.COLUMNS[title][0]
    lab = labs(**pr_table.wanted(title, LUNS)[1])
    if not lab.config["kernel"].startswith(kernel + "."):
        pytest.skip(f"no kernel {kernel} in the lab's image")
    assert_column(lab, title)


def assert_column(lab, title):
    if lab.exec("n1", "command -v pr_probe").rc:
        pytest.skip("no pr_probe on the nodes: copy tests/pr/pr_probe to $BLKPR_STAGE/usr/bin")
    with open(pr_table.DOCUMENT) as f:
        documented = pr_table.columns_of(f.read())[title]
    measured = dict(zip((row.name for row in ROWS), pr_table.measure(lab)))
    changes = "\n".join(difflib.unified_diff(*([f"{name}: {cell}" for name, cell in column.items()]
                                               for column in (documented, measured)),
                                             "doc/pr-operations.md", "measured", n=0, lineterm=""))
    assert not changes, "\n" + changes
