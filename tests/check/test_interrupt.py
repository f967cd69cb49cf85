# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C of ./check, at eleven moments of a run: nothing of it is left on the machine.

It runs in a copy of the tree, so that it has a build of its own; the lab's image is this machine's.
"""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "lab"))
import lab_machines                 # noqa: E402
from lab_host import patience   # noqa: E402

LABS, VMS = "tests/lab/test_lab.py", "tests/vm/test_nvme_core.py"
# what is run, and what is waited for (in what it prints, or there is a lab of it with that many machines) before Ctrl-C
MOMENTS = {
    "at once": (["build"], None),
    "while autoreconf runs": (["build"], "now: .*autoreconf"),
    "while gcc builds": (["build"], "now: .*gcc builds"),
    "while unit tests run": (["unit"], "now: .*unit tests"),
    "while clang-tidy runs": (["hygiene"], "now: .*clang-tidy"),
    "while distcheck runs": (["hygiene"], "now: .*distcheck"),
    "while the first lab boots": ([LABS], 1),
    "while tests run": ([LABS], r"now: .*test_lab 7 [1-9]\d*/"),
    "while several labs boot": ([LABS], 6),
    "when the first lab is up": ([LABS], "this machine: "),
    "while machines in QEMU run": ([VMS], r"now: .*test_nvme_core machines [1-9]\d*/"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tree as git has it, with what is changed, in a place of its own and in a repository of its own."""
    place = tmp_path_factory.mktemp("tree")
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP,
                           capture_output=True, check=True, text=True).stdout.split("\0")
    with tarfile.open(place / "tree.tar", "w") as tar:
        for name in filter(lambda name: name and (TOP / name).exists(), files):
            tar.add(TOP / name, name)
    with tarfile.open(place / "tree.tar") as tar:
        tar.extractall(place)
    (place / "tree.tar").unlink()
    subprocess.run("git init -q && git add -A", shell=True, cwd=place, check=True)
    return place


class Nested:
    """./check in the copy, with its standard output in a file. `mark` is in the environment of all that it starts."""

    def __init__(self, copy, arguments):
        self.mark = f"BLKPR_MARK={os.getpid()}-{time.monotonic_ns()}"
        self.output = copy / "output"
        name, _, value = self.mark.partition("=")
        environment = {key: v for key, v in os.environ.items() if not key.startswith("BLKPR_")}
        with open(self.output, "w") as f:
            self.process = subprocess.Popen([copy / "check", *arguments], stdout=f, stderr=f, start_new_session=True,
                                            env={**environment, name: value, "BLKPR_CHECK_QUIET": "0.1"})

    def labs(self):
        return [name for name in lab_machines.all_labs() if name.startswith(f"check-{self.process.pid}-")]

    def machines(self):
        """How many processes of its labs there are."""
        return sum(len(lab_machines.unrecorded_groups(os.path.join(lab_machines.RUN, name), f"blkpr-{name}")) for name in self.labs())

    def until(self, moment):
        deadline = time.monotonic() + patience(300)
        while moment and not (self.machines() >= moment if isinstance(moment, int)
                              else re.search(moment, self.output.read_text())):
            assert self.process.poll() is None, f"it has ended:\n{self.output.read_text()}"
            assert time.monotonic() < deadline, f"the moment does not come:\n{self.output.read_text()}"
            time.sleep(0.005)

    def ctrl_c(self):
        """As a terminal does it: to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(patience(60))

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if self.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    found.append((pid, Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")))
            except OSError:
                pass            # it has ended
        return found

    def traces(self, copy):
        """Processes, labs, namespaces and mounts of it."""
        mine = f"check-{self.process.pid}-"
        spaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        return (self.processes() + self.labs() + [n for n in spaces if mine in n]
                + [m for m in mounts if mine in m or str(copy) in m])


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_nothing(copy, moment):
    arguments, what = MOMENTS[moment]
    nested = Nested(copy, arguments)
    try:
        nested.until(what)
        status = nested.ctrl_c()
        assert nested.traces(copy) == []
        assert status in (130, -signal.SIGINT), nested.output.read_text()      # the latter of the shell that begins
    finally:
        for pid, _ in nested.processes():
            os.kill(int(pid), signal.SIGKILL)
