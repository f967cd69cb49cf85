# SPDX-License-Identifier: GPL-2.0-or-later
"""What every lab boots: the node root and the kernels, made once from Debian packages and cached.

The cache holds one directory per recipe (a hash of this file, of guest/init and of xstate.c):

    <cache>/<hash>/root             Debian 12 made by mmdebstrap, with the modules of every kernel
    <cache>/<hash>/kernels/VERSION  a User Mode Linux kernel, an ordinary executable
    <cache>/<hash>/libc             a newer glibc, needed by the kernels of later Debian releases
    <cache>/<hash>/xstate.so        what older kernels need on processors with AMX (xstate.c)

A directory that exists under its final name is complete: it is built as <hash>.part and renamed.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import threading
import time

from lab_apt import (CACHE, ImageError, debian_sources, install_host_tools, main_mirror, private_apt, run, say,
                     version_key)

HERE = os.path.dirname(os.path.abspath(__file__))
XSTATE = os.path.join(HERE, "xstate.c")

ROOT_SUITE = "bookworm"
KERNEL_SUITES = ("bookworm", "trixie", "sid")
LIBC_SUITE = "trixie"                   # the kernels of trixie and sid need glibc 2.38

HOST_TOOLS = {"mmdebstrap": "mmdebstrap", "patchelf": "patchelf", "ip": "iproute2"}
ROOT_PACKAGES = """
    pacemaker pacemaker-cli-utils corosync pcs crmsh fence-agents resource-agents
    open-iscsi sg3-utils multipath-tools lvm2 dmsetup lsscsi e2fsprogs util-linux
    iproute2 iputils-ping tcpdump socat kmod busybox-static strace procps psmisc less
    python3 libxml2-utils
""".split()


def recipe_hash():
    """A name for the image that changes when the recipe does."""
    digest = hashlib.sha256()
    for path in (__file__, os.path.join(HERE, "guest", "init"), XSTATE):
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()[:12]


class Image:
    """A prepared image; `Image.find()` returns None when it has to be made first."""

    def __init__(self, path):
        self.path = path
        self.root = os.path.join(path, "root")

    @classmethod
    def find(cls):
        path = os.path.join(CACHE, recipe_hash())
        return cls(path) if os.path.isdir(path) else None

    def kernels(self):
        """{version: path of the executable}, oldest first."""
        files = glob.glob(os.path.join(self.path, "kernels", "*"))
        return {os.path.basename(f): f for f in sorted(files, key=lambda f: version_key(os.path.basename(f)))}

    def kernel(self, wanted):
        """The version that `wanted` ("6.1", "7", "7.2.7") means.

        A major version that is not there (sid without a UML package) falls back to the newest kernel.
        """
        versions = list(self.kernels())
        matching = [v for v in versions if (v + ".").startswith(wanted + ".")]
        if matching:
            return matching[-1]
        if wanted == "7":
            say(f"no kernel of Linux 7 in this image; using the newest, {versions[-1]}"
                " (it may lack the PR READ ioctls; `lab.py prepare --force` looks for a newer one)")
            return versions[-1]
        raise ImageError(f"no kernel '{wanted}'; there are: {', '.join(versions)}")


def prepare(force=False):
    """Make the image unless it is there; return it. Safe to call twice at once."""
    image = Image.find()
    if image and not force:
        return image
    if os.geteuid() != 0:
        raise ImageError("the lab needs root (network namespaces, mmdebstrap): run it as root")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = Image.find()
        if image and not force:
            return image            # somebody else made it while this call waited
        return build(os.path.join(CACHE, recipe_hash()))


def build(final):
    """Build the image as final.part and rename it."""
    start = time.monotonic()

    def progress(text):
        say(f"[{time.monotonic() - start:5.1f} s] {text}")

    part = final + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(os.path.join(part, "kernels"))
    progress(f"preparing the lab's image in {CACHE} (about a minute, once)")
    install_host_tools(HOST_TOOLS, progress)
    sources = debian_sources()

    failures = []
    jobs = [threading.Thread(target=guarded, args=(failures, job, part, sources, progress))
            for job in (make_root, download_kernels)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if failures:
        raise failures[0]

    install_kernels(part, final, progress)
    run(["cc", "-O2", "-shared", "-fPIC", "-o", os.path.join(part, "xstate.so"), XSTATE], os.path.join(part, "kernels.log"))
    shutil.copy(os.path.join(HERE, "guest", "init"), os.path.join(part, "root", "lab-init"))
    shutil.rmtree(os.path.join(part, "debs"))
    shutil.rmtree(final, ignore_errors=True)
    os.rename(part, final)
    remove_other_images(final)
    progress("image ready")
    return Image(final)


def guarded(failures, job, *args):
    """Run a job of a thread, keeping its exception for the caller."""
    try:
        job(*args)
    except (ImageError, OSError) as e:
        failures.append(e)


def make_root(part, sources, progress):
    """The nodes' root, by mmdebstrap."""
    wanted = [(uri, suite) for uri, suite in sources if suite.split("-")[0] == ROOT_SUITE]
    if ROOT_SUITE not in [suite for _, suite in wanted]:
        wanted.insert(0, (main_mirror(sources), ROOT_SUITE))
    lines = "".join(f"deb {uri} {suite} main\n" for uri, suite in wanted)
    listing = os.path.join(part, "sources.list")
    with open(listing, "w") as f:
        f.write(lines)
    skip = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("man", "locale", "doc")]
    progress("node root: mmdebstrap begins")
    with open(listing, "rb") as stdin:
        run(["mmdebstrap", "--variant=minbase", "--mode=root", '--aptopt=APT::Install-Recommends "false"',
             *skip, "--include=" + ",".join(ROOT_PACKAGES), ROOT_SUITE, os.path.join(part, "root"), "-"],
            os.path.join(part, "root.log"), stdin=stdin)
    progress("node root: done")


def download_kernels(part, sources, progress):
    """Fetch every release's user-mode-linux and the newer libc, with an apt that is all our own."""
    debs = os.path.join(part, "debs")
    apt = ["apt-get", *private_apt(debs, main_mirror(sources), KERNEL_SUITES)]
    log = os.path.join(part, "kernels.log")
    progress("kernels: download begins")
    with contextlib.suppress(ImageError):       # a release that is missing is said below, by name
        run([*apt, "update"], log)
    for suite in KERNEL_SUITES:
        try:
            run([*apt, "download", f"user-mode-linux/{suite}"], log, cwd=debs)
        except ImageError:
            say(f"kernels: {suite} has no user-mode-linux now; going on without it")
    with contextlib.suppress(ImageError):       # without it only the oldest kernel can run
        run([*apt, "download", f"libc6/{LIBC_SUITE}"], log, cwd=debs)
    if not glob.glob(debs + "/user-mode-linux_*.deb"):
        raise ImageError(f"no user-mode-linux package could be downloaded; see {log}")
    progress("kernels: downloaded")


def install_kernels(part, final, progress):
    """Unpack the kernels: executables to kernels/, modules into the node root."""
    log = os.path.join(part, "kernels.log")
    modules = os.path.join(part, "root/usr/lib/uml/modules")
    libc = unpack_libc(part, final, log)
    os.makedirs(modules)
    for deb in sorted(glob.glob(os.path.join(part, "debs", "user-mode-linux_*.deb"))):
        tree = os.path.join(part, "debs", "tree")
        shutil.rmtree(tree, ignore_errors=True)
        run(["dpkg-deb", "-x", deb, tree], log)
        (version,) = os.listdir(tree + "/usr/lib/uml/modules")
        kernel = os.path.join(part, "kernels", version)
        shutil.copy(tree + "/usr/bin/linux.uml", kernel)
        if version_key(version) > [6, 1, 9999]:
            if not libc:
                os.unlink(kernel)
                progress(f"kernels: {version} left out, it needs the libc6 of {LIBC_SUITE}")
                continue
            # UML executes /proc/self/exe again, so "ld.so linux.uml" would not do
            run(["patchelf", "--set-interpreter", libc + "/ld-linux-x86-64.so.2", "--set-rpath", libc, kernel], log)
        shutil.move(f"{tree}/usr/lib/uml/modules/{version}", modules)
    os.symlink("/usr/lib/uml/modules", os.path.join(part, "root/usr/lib/modules"))
    progress("kernels: " + ", ".join(sorted(os.listdir(os.path.join(part, "kernels")), key=version_key)))


def unpack_libc(part, final, log):
    """Unpack the newer libc; return the directory where it will be once the image has its final name."""
    debs = glob.glob(os.path.join(part, "debs", "libc6_*.deb"))
    if not debs:
        return None
    run(["dpkg-deb", "-x", debs[0], os.path.join(part, "libc")], log)
    return os.path.join(final, "libc/usr/lib/x86_64-linux-gnu")


def remove_other_images(keep):
    """Remove the images of older recipes, unless a running kernel comes from one. Others keep theirs in CACHE, too."""
    for path in glob.glob(os.path.join(CACHE, "*")):
        ours = re.fullmatch(r"[0-9a-f]{12}(\.part)?", os.path.basename(path))
        if ours and path != keep and not in_use(path):
            shutil.rmtree(path, ignore_errors=True)


def in_use(path):
    """Whether some process was started with something below path."""
    for cmdline in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(cmdline, "rb") as f:
            if f"{path}/".encode() in f.read():
                return True
    return False
