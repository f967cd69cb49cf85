# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo needs before it can begin: the build, staged for the nodes, and the lab's image."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import lab_image
from lab_host import tail

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build", "demo")
STAGE = os.path.join(BUILD, "stage")
LOG = os.path.join(BUILD, "build.log")
CONFIGURED = os.path.join(BUILD, "configured")     # `configure` went through to its end


class PrepareError(Exception):
    """The demo cannot begin; the text says why and where to look."""


def shown(path):
    return os.path.relpath(path, TOP)


def build():
    """Build, and stage for the nodes; the seconds that took. A tree that is configured in place is built there, as
    automake then builds nowhere else."""
    began = time.monotonic()
    os.makedirs(BUILD, exist_ok=True)
    shutil.rmtree(STAGE, ignore_errors=True)
    with open(LOG, "w"):
        pass
    directory = TOP if os.path.exists(os.path.join(TOP, "config.status")) else BUILD
    if directory == BUILD and not os.path.exists(CONFIGURED):
        configure()
    run(["make", f"-j{os.cpu_count()}"], directory)
    run(["make", "install", f"DESTDIR={STAGE}"], directory)
    run(["install", "-D", "tests/lab/seqio", os.path.join(STAGE, "usr/bin/seqio")], directory)
    return time.monotonic() - began


def stage_with_service():
    """The same stage with the service of the second act in it."""
    directory = os.path.join(STAGE, "usr/lib/ocf/resource.d/lab")
    os.makedirs(directory, exist_ok=True)
    shutil.copy(os.path.join(TOP, "tests", "lab", "guest", "ledger"), directory)
    return STAGE


def configure():
    run(["autoreconf", "-fi"], TOP)
    run([os.path.join(os.path.relpath(TOP, BUILD), "configure"), "--prefix=/usr", "--sysconfdir=/etc",
         "--localstatedir=/var"], BUILD)
    with open(CONFIGURED, "w"):
        pass


def run(argv, directory):
    """One step of the build, its output in the log."""
    with open(LOG, "a") as log:
        print("+", *argv, file=log, flush=True)
        rc = run_group(argv, cwd=directory, stdout=log, stderr=log)
    if rc:
        raise PrepareError(f"`{os.path.basename(argv[0])} {' '.join(argv[1:])}` failed; "
                           f"the end of {shown(LOG)}:\n{tail(LOG, 20)}")


def image():
    """Make the lab's image if there is none; the seconds that took, 0 if it is there."""
    began = time.monotonic()
    if lab_image.Image.find():
        return 0
    if run_group([sys.executable, os.path.join(TOP, "tests/lab/lab.py"), "prepare"]):
        raise PrepareError("the lab's image could not be made, see above")
    return time.monotonic() - began


def run_group(argv, **options):
    """Run a program in a process group of its own; on an interrupt all of that is ended."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    try:
        return process.wait()
    except BaseException:
        end_group(process)
        raise


def end_group(process):
    """End a process group and wait for the last of it: what its leader started may outlive the leader."""
    deadline = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        while True:
            process.poll()
            os.killpg(process.pid, 0 if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(0.05)
