# SPDX-License-Identifier: GPL-2.0-or-later
"""Ending what was started: whatever a job leaves becomes a child of ./check, which leaves none."""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on, what our descendants leave behind becomes our child, whatever session it made for itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def parents():
    """{pid: parent's pid} of every process."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    found[int(name)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass            # it has ended
    return found


def descendants(root):
    parent, found, level = parents(), [], [root]
    while level:
        level = [pid for pid, its in parent.items() if its in level]
        found += level
    return found


def orphans(jobs):
    """Our children that are none of these jobs."""
    us = os.getpid()
    return [pid for pid, parent in parents().items() if parent == us and pid not in jobs]


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def reap():
    """Collect every child that has ended; {pid: (exit status, negative for a signal; seconds of processor time)}. The time
    is that of what it has waited for, too."""
    ended = {}
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = (os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)


def end_orphans(jobs=()):
    """Until we have no children but these jobs; the seconds of processor time that those had used. SIGKILL: whoever is left
    has nobody to tell how it went."""
    used = 0
    while left := orphans(jobs):
        for pid in left:
            kill([pid, *descendants(pid)])
            _, _, its = os.wait4(pid, os.WNOHANG)       # not reap(): a job that ends meanwhile would be lost
            used += its.ru_utime + its.ru_stime
        time.sleep(0.01)
    return used
