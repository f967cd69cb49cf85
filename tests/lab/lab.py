#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a SAN with real persistent reservations and cluster nodes, as processes of this machine.

Every machine is a User Mode Linux kernel in one network namespace: `stor` serves the LUNs (LIO, iSCSI),
`n1` to `nN` use them. README.md tells how it is built.

    lab.py up --nodes 2 --luns 3        start it (prepares itself the first time)
    lab.py exec n1 sg_persist -k /dev/lun0
    lab.py down                         leave nothing behind
"""

import argparse
import shlex
import signal
import sys
import time

import lab_image
from lab_core import Lab, up
from lab_exec import Result, Running                    # noqa: F401 (some are for those who import this)
from lab_host import LabError
from lab_image import ImageError, say
from lab_machines import RUN, all_labs, down            # noqa: F401


def lun_list(text):
    """'0,7' or 'none'."""
    return [] if text == "none" else [int(k) for k in text.split(",")]


def cmd_prepare(args):
    lab_image.prepare(force=args.force)


def cmd_kernels(args):
    for version in lab_image.prepare().kernels():
        print(version)


def cmd_up(args):
    began = time.monotonic()
    lab = up(args.name, args.nodes, args.luns, args.paths, args.kernel, args.stor_kernel, args.cluster,
             args.cluster_name, args.stage, args.hang_luns, args.shuffle, args.queue_if_no_path,
             args.lun_size, args.memory, args.slow_luns)
    say(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s: {' '.join(lab.machines)}")


def cmd_exec(args):
    stdin = None if sys.stdin.isatty() or args.no_stdin else sys.stdin.buffer.read()
    cmd = args.cmd[0] if len(args.cmd) == 1 else shlex.join(args.cmd)
    result = Lab(args.name).exec(args.node, cmd, timeout=args.timeout, stdin=stdin)
    sys.stdout.buffer.write(result.stdout.encode(errors="surrogateescape"))
    sys.stderr.buffer.write(result.stderr.encode(errors="surrogateescape"))
    sys.stdout.flush()
    sys.stderr.flush()
    if result.timed_out:
        say(f"lab.py: {args.node}: killed after {args.timeout} s")
    return result.rc


def cmd_keys(args):
    for key, registrant in Lab(args.name).keys(args.lun):
        print(key, registrant)


def cmd_holder(args):
    for key, value in Lab(args.name).holder(args.lun).items():
        print(f"{key}: {'-' if value is None else value}")


def cmd_status(args):
    names = [args.name] if args.name else all_labs()
    if not names:
        say("no lab is up (lab.py up)")
    for name in names:
        print(Lab(name).status())


def cmd_down(args):
    for name in all_labs() if args.all else [args.name]:
        down(name)


def parser():
    top = argparse.ArgumentParser(prog="lab.py", description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, handler, summary, named=True):
        p = sub.add_parser(name, help=summary, description=summary)
        p.set_defaults(handler=handler)
        if named:
            p.add_argument("--name", default="lab", help="which lab (default: lab)")
        return p

    def method(name, summary, *arguments, call=None):
        """A command that is a method of Lab and its arguments."""
        def handler(args):
            getattr(Lab(args.name), call or name)(*(getattr(args, a) for a in names))

        p = command(name, handler, summary)
        names = [a[0].strip("?") for a in arguments]
        for a, kind, text in arguments:
            p.add_argument(a.strip("?"), type=kind, help=text, metavar=a.strip("?").upper(),
                           **({"nargs": "?"} if a.endswith("?") else {}))

    p = command("prepare", cmd_prepare, "make what the labs boot (once; `up` does it when needed)", named=False)
    p.add_argument("--force", action="store_true", help="make it anew, with today's kernels")
    command("kernels", cmd_kernels, "list the kernels there are", named=False)

    p = command("up", cmd_up, "start a lab")
    p.add_argument("--nodes", type=int, default=2, metavar="N", help="cluster nodes n1..nN (default 2)")
    p.add_argument("--luns", type=int, default=1, metavar="M", help="LUNs 0..M-1 (default 1)")
    p.add_argument("--paths", type=int, default=1, help="1, or 2 with dm-multipath (default 1)")
    p.add_argument("--kernel", default="7", help="the nodes' kernel: 6.1, 7, or one that `kernels` lists (default 7)")
    p.add_argument("--stor-kernel", default="7", metavar="KERNEL", help="the storage's kernel (default 7)")
    p.add_argument("--cluster", default="corosync", help="none, corosync or pacemaker (default corosync)")
    p.add_argument("--cluster-name", default="mycluster", metavar="CLUSTER", help="(default mycluster)")
    p.add_argument("--stage", metavar="DIR", help="a `make install DESTDIR=DIR` tree to lay over the nodes' root")
    p.add_argument("--hang-luns", type=lun_list, metavar="K,K...",
                   help="the LUNs that `hang` works on, or 'none' (default: the first and the last of several)")
    p.add_argument("--slow-luns", type=lun_list, default=[], metavar="K,K...",
                   help="the LUNs that `write-delay` and `stall` work on (default: none)")
    p.add_argument("--shuffle", action="store_true", help="even nodes find the LUNs in reverse order (sda is the last)")
    p.add_argument("--queue-if-no-path", action="store_true", help="multipath maps queue when all paths are gone")
    p.add_argument("--lun-size", type=int, default=64, metavar="MB", help="(default 64)")
    p.add_argument("--memory", type=int, default=512, metavar="MB", help="of each machine (default 512)")

    p = command("exec", cmd_exec, "run a shell command on a machine; its output and exit status are yours")
    p.add_argument("--timeout", type=float, default=60, metavar="S", help="then it is killed, status 124 (default 60)")
    p.add_argument("-n", "--no-stdin", action="store_true", help="do not read standard input")
    p.add_argument("node", help="stor, n1, n2, ...")
    p.add_argument("cmd", nargs=argparse.REMAINDER, help="one argument is shell text; several are one command")

    node = ("node", str, "n1, n2, ... (or stor)")
    lun = ("lun", int, "0, 1, ...")
    method("cut", "unplug a node from a network", node, ("net", str, "ring, san, san-a or san-b"))
    method("heal", "plug a node in again", node, ("net?", str, "as for cut (default: all)"))
    method("hang", "let all commands on a LUN hang, on all nodes", lun)
    method("resume", "let a LUN that hangs go on", ("lun?", int, "0, 1, ... (default: all)"))
    method("write-delay", "let a write take that long in the target before it lands (a slow LUN)", lun,
           ("ms", int, "milliseconds, 0 for none"), call="write_delay")
    method("stall", "hold what comes to a slow LUN's medium back; PR commands are answered", lun)
    method("unstall", "let a stalled LUN go on", lun)
    method("kill", "switch a machine off, hard", node)
    method("start", "switch a machine on again, with a fresh system", node, call="boot")
    method("freeze", "stop a machine's time", node)
    method("thaw", "let a frozen machine go on", node)
    method("latency", "delay the target's answers", ("ms", float, "milliseconds, 0 for none"))
    method("reset", "machines on, networks whole, nothing hung, registered or reserved", call="restore")
    p = command("keys", cmd_keys, "the registrations of a LUN, as the target has them: key, registrant")
    p.add_argument("lun", type=int)
    p = command("holder", cmd_holder, "the reservation of a LUN, as the target has it")
    p.add_argument("lun", type=int)
    p = command("status", cmd_status, "show the labs", named=False)
    p.add_argument("--name", help="which lab (default: all)")
    p = command("down", cmd_down, "remove a lab: processes, network, files")
    p.add_argument("--all", action="store_true", help="every lab of this machine")
    return top


def main():
    args = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that a half-started lab is torn down
    try:
        return args.handler(args) or 0
    except (LabError, ImageError) as e:
        say(f"lab.py: {e}")
        return 125 if args.command == "exec" else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
