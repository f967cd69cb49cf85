# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line that lab.py and vm have in common: their machines, by name of a lab."""

import argparse
import shlex
import signal
import sys

from lab_apt import ImageError, say
from lab_host import LabError
from lab_machines import Machines, all_labs, down


def lun_list(text):
    """'0,7' or 'none'."""
    return [] if text == "none" else [int(k) for k in text.split(",")]


class Cli:
    """kind: the class that a name of a lab is opened as."""

    def __init__(self, description, kind, name):
        self.kind, self.name = kind, name
        self.top = argparse.ArgumentParser(prog=kind.TOOL, description=description,
                                           formatter_class=argparse.RawDescriptionHelpFormatter)
        self.sub = self.top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(self, name, handler, summary, named=True):
        p = self.sub.add_parser(name, help=summary, description=summary)
        p.set_defaults(handler=handler)
        if named:
            p.add_argument("--name", default=self.name, help=f"which lab (default: {self.name})")
        return p

    def method(self, name, summary, *arguments, call=None):
        """A command that is a method of the lab and its arguments."""
        def handler(args):
            getattr(self.kind(args.name), call or name)(*(getattr(args, a) for a in names))

        p = self.command(name, handler, summary)
        names = [a[0].strip("?") for a in arguments]
        for a, kind, text in arguments:
            p.add_argument(a.strip("?"), type=kind, help=text, metavar=a.strip("?").upper(),
                           **({"nargs": "?"} if a.endswith("?") else {}))

    # -- what every lab has

    def add_up(self, handler, kernels, kernel):
        p = self.command("up", handler, "start a lab")
        p.add_argument("--nodes", type=int, default=2, metavar="N", help="cluster nodes n1..nN (default 2)")
        p.add_argument("--luns", type=int, default=1, metavar="M", help="LUNs 0..M-1 (default 1)")
        p.add_argument("--kernel", default=kernel, help=f"the nodes' kernel: {kernels} (default {kernel})")
        p.add_argument("--stor-kernel", default=kernel, metavar="KERNEL", help=f"the storage's kernel (default {kernel})")
        p.add_argument("--cluster", default="corosync", help="none, corosync or pacemaker (default corosync)")
        p.add_argument("--cluster-name", default="mycluster", metavar="CLUSTER", help="(default mycluster)")
        p.add_argument("--stage", metavar="DIR", help="a `make install DESTDIR=DIR` tree to lay over the nodes' root")
        p.add_argument("--slow-luns", type=lun_list, default=[], metavar="K,K...",
                       help="the LUNs that `write-delay` and `stall` work on (default: none)")
        return p

    def add_exec(self):
        p = self.command("exec", self.exec, "run a shell command on a machine; its output and exit status are yours")
        p.add_argument("--timeout", type=float, default=60, metavar="S", help="then it is killed, status 124 (default 60)")
        p.add_argument("-n", "--no-stdin", action="store_true", help="do not read standard input")
        p.add_argument("node", help="stor, n1, n2, ...")
        p.add_argument("cmd", nargs=argparse.REMAINDER, help="one argument is shell text; several are one command")

    def add_machines(self):
        node = ("node", str, "n1, n2, ... (or stor)")
        lun = ("lun", int, "0, 1, ...")
        self.method("cut", "unplug a node from a network", node, ("net", str, "ring, san, san-a or san-b"))
        self.method("heal", "plug a node in again", node, ("net?", str, "as for cut (default: all)"))
        self.method("write-delay", "let a write take that long in the target before it lands (a slow LUN)", lun,
                    ("ms", int, "milliseconds, 0 for none"), call="write_delay")
        self.method("stall", "hold what comes to a slow LUN's medium back; PR commands are answered", lun)
        self.method("unstall", "let a stalled LUN go on", lun)
        self.method("kill", "switch a machine off, hard", node)
        self.method("start", "switch a machine on again, with a fresh system", node, call="boot")
        self.method("freeze", "stop a machine's time", node)
        self.method("thaw", "let a frozen machine go on", node)
        self.method("latency", "delay the target's answers", ("ms", float, "milliseconds, 0 for none"))
        self.method("reset", "machines on, networks whole, nothing hung, registered or reserved", call="restore")
        p = self.command("keys", self.keys, "the registrations of a LUN, as the target has them: key, registrant")
        p.add_argument("lun", type=int)
        p = self.command("holder", self.holder, "the reservation of a LUN, as the target has it")
        p.add_argument("lun", type=int)
        p = self.command("status", self.status, "show the labs", named=False)
        p.add_argument("--name", help="which lab (default: all)")
        p = self.command("down", self.down, "remove a lab: processes, network, files")
        p.add_argument("--all", action="store_true", help="every lab of this machine")

    def exec(self, args):
        stdin = None if sys.stdin.isatty() or args.no_stdin else sys.stdin.buffer.read()
        cmd = args.cmd[0] if len(args.cmd) == 1 else shlex.join(args.cmd)
        result = self.kind(args.name).exec(args.node, cmd, timeout=args.timeout, stdin=stdin)
        sys.stdout.buffer.write(result.stdout.encode(errors="surrogateescape"))
        sys.stderr.buffer.write(result.stderr.encode(errors="surrogateescape"))
        sys.stdout.flush()
        sys.stderr.flush()
        if result.timed_out:
            say(f"{self.kind.TOOL}: {args.node}: killed after {args.timeout} s")
        return result.rc

    def keys(self, args):
        for key, registrant in self.kind(args.name).keys(args.lun):
            print(key, registrant)

    def holder(self, args):
        for key, value in self.kind(args.name).holder(args.lun).items():
            print(f"{key}: {'-' if value is None else value}")

    def status(self, args):
        names = [args.name] if args.name else all_labs()
        if not names:
            say(f"no lab is up ({self.kind.TOOL} up)")
        for name in names:
            print(Machines(name).status())

    @staticmethod
    def down(args):
        for name in all_labs() if args.all else [args.name]:
            down(name)

    def main(self):
        args = self.top.parse_args()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that a half-started lab is torn down
        try:
            return args.handler(args) or 0
        except (LabError, ImageError) as e:
            say(f"{self.kind.TOOL}: {e}")
            return 125 if args.command == "exec" else 1
        except KeyboardInterrupt:
            return 130
