# SPDX-License-Identifier: GPL-2.0-or-later
"""NVMe's columns of doc/pr-operations.md, as tests/lab/test_pr_table.py has those of SCSI."""

import pytest

import vm_image
from test_pr_table import LUNS, assert_column, pr_table


@pytest.mark.parametrize("title", pr_table.NVME_COLUMNS)
def test_documented_column_is_what_the_kernel_does(vms, title):
    missing = set(pr_table.NVME_COLUMNS[title]) - set(vm_image.prepare(*pr_table.NVME_COLUMNS[title]).kernels())
    if missing:
        pytest.skip(f"no suite of Debian has a kernel {' or '.join(missing)} now")
    assert_column(vms(**pr_table.wanted(title, LUNS)[1]), title)
