# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages for what the labs boot: programs of this machine, and an apt of our own for other releases."""

import os
import re
import shutil
import subprocess
import sys

CACHE = os.environ.get("BLKPR_LAB_CACHE", "/var/cache/fence-blkpr-lab")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class ImageError(Exception):
    """The image cannot be made; the text says why and what to do."""


def version_key(version):
    return [int(n) for n in re.findall(r"\d+", version)]


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(argv, log, **kwargs):
    """Run a command with its output in a log file; on failure raise with the log's last lines."""
    with open(log, "ab") as f:
        done = subprocess.run(argv, stdout=f, stderr=subprocess.STDOUT, stdin=kwargs.pop("stdin", subprocess.DEVNULL),
                              check=False, **kwargs)
    if done.returncode:
        with open(log, errors="replace") as f:
            tail = "".join(f.readlines()[-15:])
        raise ImageError(f"{argv[0]} failed (exit {done.returncode}); the end of {log}:\n{tail}")


def install_host_tools(tools, progress):
    """Install the few programs that this machine must have, when they are missing. tools: {program: package}."""
    missing = sorted({package for tool, package in tools.items() if not shutil.which(tool)})
    if not missing:
        return
    progress(f"installing {' '.join(missing)} on this machine")
    log = os.path.join(CACHE, "apt-host.log")
    argv = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        run(argv, log, env=env)
    except ImageError:              # an old package list is the usual reason
        run(["apt-get", "update"], log)
        run(argv, log, env=env)


def debian_sources():
    """[(uri, suite)] of the Debian repositories that this machine's apt is set up to use."""
    form = "$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)"
    text = subprocess.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
                          capture_output=True, text=True, check=False).stdout
    sources = []
    for line in text.splitlines():
        uri, suite, origin, component = (line.split() + [""] * 4)[:4]
        if origin == "Debian" and component == "main" and (uri, suite) not in sources:
            sources.append((uri, suite))
    if not sources:
        raise ImageError("this machine's apt knows no Debian repository; "
                         "add one to /etc/apt/sources.list and run apt-get update")
    return sources


def main_mirror(sources):
    """The mirror that holds whole releases (not -updates, not -security)."""
    plain = [uri for uri, suite in sources if "-" not in suite]
    return (plain or [sources[0][0]])[0]


def private_apt(directory, mirror, suites):
    """The beginning of an apt command line, for an apt-get or apt-cache whose sources, lists and cache are all in a directory.

    Its packages are downloaded into the current directory. Suites are those of main at the mirror.
    """
    for d in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(directory, d), exist_ok=True)
    with open(os.path.join(directory, "sources.list"), "w") as f:
        for suite in suites:
            f.write(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    return ["-o", f"Dir::Etc::sourcelist={directory}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::lists={directory}/lists", "-o", f"Dir::Cache={directory}/cache",
            "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none",
            "-o", "Acquire::Check-Valid-Until=false"]       # a mirror may be a snapshot: its lists are old, not false
