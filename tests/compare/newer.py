# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 13's fence_scsi, to be run beside Debian 12's in the lab's nodes."""

import os
import re
import subprocess

import lab_apt

SUITE = "trixie"
PACKAGES = ("fence-agents-scsi", "fence-agents-common")
INSIDE = "/opt/newer"               # where it is in the nodes


def install(stage, scratch):
    """Put fence_scsi and its library into a stage; its version, or None when it cannot be downloaded."""
    try:
        debs = download(scratch)
    except (lab_apt.ImageError, subprocess.CalledProcessError, FileNotFoundError) as e:
        lab_apt.say(f"fence_scsi of Debian {SUITE} is left out, it cannot be downloaded: {e}")
        return None
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", deb, scratch], check=True)
    os.makedirs(stage + INSIDE)
    for path in ("usr/sbin/fence_scsi", "usr/share/fence/fencing.py"):
        with open(os.path.join(scratch, path)) as f:
            text = f.read().replace('"/usr/share/fence"', f'"{INSIDE}"')
        target = f"{stage}{INSIDE}/{os.path.basename(path)}"
        with open(target, "w") as f:
            f.write(text)
        os.chmod(target, 0o755)
    return re.search(r"_([^_]+)_", os.path.basename(debs[0])).group(1)


def download(scratch):
    """The packages' files, fetched with an apt that is all our own."""
    apt = ["apt-get", "-q", *lab_apt.private_apt(scratch, lab_apt.main_mirror(lab_apt.debian_sources()), [SUITE])]
    for words in (["update"], ["download", *(f"{p}/{SUITE}" for p in PACKAGES)]):
        subprocess.run([*apt, *words], cwd=scratch, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    debs = [os.path.join(scratch, f) for f in sorted(os.listdir(scratch)) if f.endswith(".deb")]
    return sorted(debs, key=lambda path: not os.path.basename(path).startswith(PACKAGES[0]))
