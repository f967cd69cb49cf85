# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that machines in QEMU boot, made once from Debian packages and cached beside the lab's image, whose root they use.

    <cache>/vm-<hash of the recipe>/VERSION/vmlinux     the kernel, unpacked: QEMU starts it by PVH, which saves 1.5 s
    <cache>/vm-<hash of the recipe>/VERSION/initramfs   busybox, guest/init, what it takes to mount the root
    <cache>/vm-<hash of the recipe>/VERSION/modules     to be laid over the root: MODULES with what they need, unpacked

A directory that exists under its final name is complete; it is empty where no suite has that kernel. Each is made when it is
asked for the first time, and what the suites have is looked up then.
"""

import contextlib
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

import lab_apt          # noqa: E402
import lab_image        # noqa: E402
from lab_apt import CACHE, ImageError, run, say, version_key    # noqa: E402

SUITES = ("trixie", "trixie-backports", "sid", "experimental")
RELEASES = ("6.12", "6.18", "7.2", "7.3")       # of each the newest that the suites have; nvmet has reservations from 6.13 on
HOST_TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "depmod": "kmod", "zstd": "zstd"}
FOR_ROOT = ("virtio_net", "9p", "9pnet_virtio", "overlay")
MODULES = ("nvme-tcp", "nvmet-tcp", "nvme-loop", "dm-multipath", "dm-round-robin", "dm-delay", "loop", "sch_netem", "sch_plug")


class Image:
    """What has been prepared."""

    def __init__(self, path):
        self.path = path

    def kernels(self):
        """The releases that are there, oldest first."""
        return [release for release in RELEASES if self.is_there(release)]

    def is_there(self, release):
        return os.path.exists(os.path.join(self.path, release, "version"))

    def version(self, release):
        """Of the Debian package."""
        with open(os.path.join(self.path, release, "version")) as f:
            return f.read()

    def kernel(self, wanted):
        """The release that `wanted` ("7.3") means; "newest" is the newest."""
        releases = self.kernels()
        if wanted != "newest" and wanted not in releases:
            raise ImageError(f"no kernel '{wanted}'; there are: {', '.join(releases)} (`vm prepare --force` looks for newer ones)")
        return releases[-1] if wanted == "newest" else wanted

    def unknown(self, wanted):
        """The release to look for next, until kernel(wanted) can tell; None: it can."""
        for release in reversed(RELEASES) if wanted == "newest" else {wanted} & set(RELEASES):
            if not os.path.isdir(os.path.join(self.path, release)):
                return release
            if self.is_there(release):
                return None
        return None


def recipe_hash():
    digest = hashlib.sha256()
    for path in (__file__, os.path.join(HERE, "guest", "init")):
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()[:12]


def prepare(*wanted, force=False):
    """Make kernels ("7.3", "newest"; none: all there are) unless they are there; return the image. Safe to call twice at once."""
    root = lab_image.prepare().root
    image = Image(os.path.join(CACHE, "vm-" + recipe_hash()))
    wanted = wanted or RELEASES
    if force or any(map(image.unknown, wanted)):
        with open(os.path.join(CACHE, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if force:
                shutil.rmtree(image.path, ignore_errors=True)
            if any(map(image.unknown, wanted)):     # else somebody else made it while this call waited
                build(image, wanted, os.path.join(root, "bin/busybox"))
    return image


def build(image, wanted, busybox):
    start = time.monotonic()

    def progress(text):
        say(f"[{time.monotonic() - start:5.1f} s] {text}")

    part = image.path + ".part"
    shutil.rmtree(part, ignore_errors=True)
    debs = os.path.join(part, "debs")
    os.makedirs(debs)
    progress(f"preparing kernels for QEMU in {CACHE} (up to half a minute each, once)")
    lab_apt.install_host_tools(HOST_TOOLS, progress)
    log = os.path.join(part, "log")
    options = lab_apt.private_apt(debs, lab_apt.main_mirror(lab_apt.debian_sources()), SUITES)
    with contextlib.suppress(ImageError):       # a release that is missing is said below
        run(["apt-get", *options, "update"], log)
    available = subprocess.run(["apt-cache", *options, "dumpavail"], capture_output=True, text=True, check=True).stdout
    os.makedirs(image.path, exist_ok=True)
    for name in wanted:
        while release := image.unknown(name):
            version, packages = newest(release, available)
            target = os.path.join(part, release)
            os.makedirs(target)
            if version:
                run(["apt-get", *options, "download", *packages], log, cwd=debs)
                make_kernel(version, glob.glob(debs + "/*.deb"), target, busybox, log)
            progress(f"kernel {release}: {version or 'none of ' + ', '.join(SUITES) + ' has one now; going on without it'}")
            os.rename(target, os.path.join(image.path, release))
    if not image.kernels():
        raise ImageError(f"no kernel could be made; see {log}")
    shutil.rmtree(part)
    remove_other_images(image.path)


def newest(release, available):
    """(version, packages to download) of a release's newest kernel, by apt's list of packages; (None, []) if there is none."""
    found = {}
    for name, version in re.findall(r"^Package: (linux-(?:image|binary|modules)-\S+)\n(?:.+\n)*?Version: (\S+)", available,
                                    re.M):
        match = re.fullmatch(rf"linux-(image|binary|modules)-({re.escape(release)}(?:\.\d+)?(?:\+deb\d+(?:\.\d+)?)?)-amd64", name)
        if match:
            found.setdefault((tuple(version_key(version.replace("~rc", ".0."))), version), {})[match[1]] = f"{name}={version}"
    for (_, version), packages in sorted(found.items(), reverse=True):
        if "modules" in packages and "binary" in packages:      # as since 7.2
            return version, [packages["modules"], packages["binary"]]
        if "image" in packages and "modules" not in packages:
            return version, [packages["image"]]
    return None, []


def make_kernel(version, debs, target, busybox, log):
    """Everything of one kernel, in directory TARGET, from its packages, which are removed."""
    tree, mods = target + ".tree", os.path.join(target, "modules")
    for deb in debs:
        run(["dpkg-deb", "-x", deb, tree], log)
        os.unlink(deb)
    if os.path.isdir(tree + "/lib/modules"):
        os.makedirs(tree + "/usr/lib", exist_ok=True)
        os.rename(tree + "/lib/modules", tree + "/usr/lib/modules")
    (name,) = os.listdir(tree + "/usr/lib/modules")
    files = {module_name(path): path for path in glob.glob(f"{tree}/usr/lib/modules/{name}/kernel/**/*.ko*", recursive=True)}
    unpack_kernel(glob.glob(f"{tree}/boot/vmlinuz-*") + glob.glob(f"{tree}/usr/lib/modules/{name}/vmlinuz"), target)
    make_initramfs(with_what_they_need(FOR_ROOT, files), target, busybox, log)
    os.makedirs(f"{mods}/usr/lib/modules/{name}")
    for path in with_what_they_need(MODULES, files):
        unpack_module(path, f"{mods}/usr/lib/modules/{name}")
    run(["depmod", "-b", mods + "/usr", name], log)
    shutil.rmtree(tree)
    with open(os.path.join(target, "version"), "w") as f:
        f.write(version)


def module_name(path):
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")


def with_what_they_need(names, files):
    """The files of modules and of what they need, in the order of loading. files: {module's name: its file}; what is not among
    them is built in. (depmod would read all three thousand of them.)"""
    ordered = []
    for name in names:
        path = files.get(module_name(name))
        if path and path not in ordered:
            text = subprocess.run(["modinfo", "-F", "depends", path], capture_output=True, text=True, check=True).stdout
            softly = subprocess.run(["modinfo", "-F", "softdep", path], capture_output=True, text=True, check=True).stdout
            before = [word for word in softly.partition("post:")[0].split() if word != "pre:"]
            needed = with_what_they_need([*text.strip().split(","), *before], files)
            ordered += [p for p in [*needed, path] if p not in ordered]
    return ordered


def unpack_module(path, directory):
    """Write a module unpacked, which saves the machine the time; its file's name."""
    name = os.path.basename(path)
    with open(path, "rb") as f:
        data = f.read()
    if name.endswith(".xz"):
        name, data = name[:-3], lzma.decompress(data)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)
    return name


def unpack_kernel(paths, target):
    """The ELF file in a bzImage (Documentation/arch/x86/boot.rst: payload_offset, payload_length)."""
    with open(paths[0], "rb") as f:
        image = f.read()
    start = (image[0x1f1] + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset:start + offset + length]
    with open(os.path.join(target, "vmlinux"), "wb") as f:
        if payload.startswith(b"\xfd7zXZ"):
            f.write(lzma.LZMADecompressor().decompress(payload))
        elif payload.startswith(b"\x28\xb5\x2f\xfd"):
            # behind it is its unpacked size, which zstd takes for rubbish
            subprocess.run(["zstd", "-qdc"], input=payload[:-4], stdout=f, check=True)
        else:
            raise ImageError(f"{paths[0]} is packed in an unknown way: {payload[:6].hex()}")


def make_initramfs(modules, target, busybox, log):
    tree = os.path.join(target, "initramfs.tree")
    for d in ("bin", "dev", "modules", "proc", "sys"):
        os.makedirs(os.path.join(tree, d))
    shutil.copy(busybox, os.path.join(tree, "bin/busybox"))
    shutil.copy(os.path.join(HERE, "guest", "init"), os.path.join(tree, "init"))
    with open(os.path.join(tree, "modules/order"), "w") as f:
        f.write("".join(unpack_module(m, os.path.join(tree, "modules")) + "\n" for m in modules))
    run(["/bin/sh", "-c", f"find . | {busybox} cpio -o -H newc >../initramfs"], log, cwd=tree)
    shutil.rmtree(tree)


def remove_other_images(keep):
    """Remove those of older recipes that no machine runs."""
    for path in glob.glob(os.path.join(CACHE, "vm-*")):
        if path != keep and not lab_image.in_use(path):
            shutil.rmtree(path, ignore_errors=True)
