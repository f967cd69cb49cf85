# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 13's fence_scsi, to be run beside Debian 12's in the lab's nodes."""

import os
import re
import subprocess

import lab_image

SUITE = "trixie"
PACKAGES = ("fence-agents-scsi", "fence-agents-common")
INSIDE = "/opt/newer"               # where it is in the nodes


def install(stage, scratch):
    """Put fence_scsi and its library into a stage; its version, or None when it cannot be downloaded."""
    try:
        debs = download(scratch)
    except (lab_image.ImageError, subprocess.CalledProcessError, FileNotFoundError) as e:
        lab_image.say(f"fence_scsi of Debian {SUITE} is left out, it cannot be downloaded: {e}")
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
    for d in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(scratch, d))
    mirror = lab_image.main_mirror(lab_image.debian_sources())
    with open(os.path.join(scratch, "sources.list"), "w") as f:
        f.write(f"deb [signed-by={lab_image.KEYRING}] {mirror} {SUITE} main\n")
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={scratch}/sources.list",
           "-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={scratch}/lists",
           "-o", f"Dir::Cache={scratch}/cache", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none",
           "-o", "Acquire::Check-Valid-Until=false"]
    for words in (["update"], ["download", *(f"{p}/{SUITE}" for p in PACKAGES)]):
        subprocess.run([*apt, *words], cwd=scratch, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    debs = [os.path.join(scratch, f) for f in sorted(os.listdir(scratch)) if f.endswith(".deb")]
    return sorted(debs, key=lambda path: not os.path.basename(path).startswith(PACKAGES[0]))
