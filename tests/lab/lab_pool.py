# SPDX-License-Identifier: GPL-2.0-or-later
"""The labs of a pytest run: started once for what was asked for, kept, and handed out as new."""

import os
import re
import shutil

import pytest

from lab_host import LabError
from lab_machines import all_labs, down

MOST_LABS = 2               # kept up at once; the one unused for longest is ended first, one that runs Pacemaker at once
RUN = os.environ.get("BLKPR_LABS") or f"pytest-{os.getpid()}"       # what the names of this run's labs begin with


class Labs:
    """Labs of this pytest run, by what was asked for."""

    def __init__(self, up, kind=""):
        self.start, self.kind = up, kind
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
            found = self.start(name=f"{RUN}-{self.kind}{self.made}", **wanted)
        self.up[key] = found
        return found

    @staticmethod
    def _restored(found):
        """The lab as new, or None (and down) if a test has left it beyond that."""
        try:
            if found:
                found.restore()
            return found
        except LabError:
            found.down()
            return None

    def down(self):
        while self.up:
            self.up.popitem()[1].down()


def remove_labs_of_dead_runs():
    """What a pytest that was killed could not take down."""
    for name in all_labs():
        found = re.fullmatch(r"(?:pytest|check)-(\d+)-.*", name)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            try:
                down(name)
            except LabError:
                pass        # another run is at it, too


def pool(up, kind):
    """A generator for a fixture: yields Labs, whose labs `up` starts; kind is part of their names."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    if not shutil.which("apt-get"):
        pytest.skip("the lab's image is made from Debian packages; there is no apt-get here")
    remove_labs_of_dead_runs()
    found = Labs(up, kind)
    yield found
    found.down()


def set_groups(items, fixtures):
    """A test's group, as ./check shows it: its file, and which of the file's labs it uses (by fixtures and their parameters)."""
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params or {}
        shared = [f"{parameters[name]}" if name in parameters else name for name in fixtures
                  if name in item.fixturenames]
        item.check_group = " ".join([item.module.__name__, *shared])
