# SPDX-License-Identifier: GPL-2.0-or-later
"""Of many kinds of the same, ./check tries a few; all of them run in the soak (BLKPR_SHAPES=all)."""

import os

ALL = os.environ.get("BLKPR_SHAPES") == "all"


def kinds(every, few):
    return every if ALL else few
