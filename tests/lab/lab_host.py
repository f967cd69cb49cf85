# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab does on this machine: processes and network namespaces, and the error that everything raises."""

import contextlib
import ctypes
import os
import subprocess
import time

CLONE_NEWNET = 0x40000000
SLOWNESS = max(1.0, float(os.environ.get("BLKPR_SLOWNESS") or 1))
GENEROSITY = 4          # so that a limit which no test is about is ten times what it takes, and more


def patience(seconds):
    """A limit that no test is about, only there so that nothing is waited for without an end.

    `seconds` is ample on a quick machine. ./check measures how many times slower this one is (BLKPR_SLOWNESS).
    """
    return seconds * GENEROSITY * SLOWNESS


class LabError(Exception):
    """What was asked for did not work; the text names the thing and the remedy."""


class NotReadyError(LabError):
    """A machine or a cluster did not come up: a set-up that failed, wherever a test asked for it."""


@contextlib.contextmanager
def network_namespace(name):
    """Run the body in a network namespace (this thread only); sockets made there stay there."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with open("/proc/thread-self/ns/net") as home:
        try:
            there = open(f"/run/netns/{name}")      # noqa: SIM115
        except OSError as e:
            raise LabError(f"network namespace {name} is gone: run `lab.py down` and `lab.py up`") from e
        with there:
            if setns(there.fileno(), CLONE_NEWNET):
                raise LabError(f"cannot enter network namespace {name}: {os.strerror(ctypes.get_errno())} (be root)")
        try:
            yield
        finally:
            setns(home.fileno(), CLONE_NEWNET)


@contextlib.contextmanager
def one_processor(turn):
    """What the body starts (from this thread) runs on one processor only, the turn-th of those that we may use.

    A machine of the lab is a kernel and a process for each of its programs, and they wait for each other all the time.
    On two processors that takes twice to three times as long (measured: crm_mon 83 and 28 ms).
    """
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {usable[turn % len(usable)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def tail(path, lines=25):
    try:
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError as e:
        return str(e)


def call(*argv, stdin=None):
    """Run a program of this machine; its stdout, or a LabError with what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def wait_until(condition, seconds, complaint, pause=0.01, error=LabError):
    """Wait for a condition; an error with the complaint if it does not come true within patience(seconds)."""
    deadline = time.monotonic() + patience(seconds)
    while not condition():
        if time.monotonic() > deadline:
            raise error(f"{complaint} within {patience(seconds):.0f} s")
        time.sleep(pause)


def reap(pid):
    """Collect a child of ours that has ended; not an error if it is no child."""
    with contextlib.suppress(ChildProcessError):
        if pid:
            os.waitpid(pid, os.WNOHANG)


def process_stat(pid):
    """(state letter, process group) of a process; ("X", 0) if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return fields[0], int(fields[2])
    except (OSError, IndexError):
        return "X", 0


def namespace_id(netns):
    with contextlib.suppress(OSError):
        return os.stat(f"/run/netns/{netns}").st_ino
    return None


def namespace_of(pid):
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    return 0


def namespace_members(netns):
    """The processes in a network namespace."""
    wanted = namespace_id(netns)
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and wanted and namespace_of(p) == wanted]


def group_members(pgid, netns):
    """The living processes of a group that are in a network namespace: certainly not somebody else's."""
    if not pgid:
        return []
    return [pid for pid in namespace_members(netns)
            if process_stat(pid)[1] == pgid and process_stat(pid)[0] not in "XZ"]
