#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a SAN with real persistent reservations and cluster nodes, as processes of this machine.

Every machine is a User Mode Linux kernel in one network namespace: `stor` serves the LUNs (LIO, iSCSI),
`n1` to `nN` use them. README.md tells how it is built.

    lab.py up --nodes 2 --luns 3        start it (prepares itself the first time)
    lab.py exec n1 sg_persist -k /dev/lun0
    lab.py down                         leave nothing behind
"""

import sys
import time

import lab_image
from lab_cli import Cli, lun_list
from lab_core import Lab, up
from lab_exec import Result, Running                    # noqa: F401 (some are for those who import this)
from lab_host import LabError                           # noqa: F401
from lab_image import say
from lab_machines import RUN, all_labs, down            # noqa: F401


def cmd_prepare(args):
    lab_image.prepare(force=args.force)


def cmd_kernels(_args):
    for version in lab_image.prepare().kernels():
        print(version)


def cmd_up(args):
    began = time.monotonic()
    lab = up(args.name, args.nodes, args.luns, args.paths, args.kernel, args.stor_kernel, args.cluster,
             args.cluster_name, args.stage, args.hang_luns, args.shuffle, args.queue_if_no_path,
             args.lun_size, args.memory, args.slow_luns)
    say(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s: {' '.join(lab.machines)}")


def main():
    cli = Cli(__doc__, Lab, "lab")
    p = cli.command("prepare", cmd_prepare, "make what the labs boot (once; `up` does it when needed)", named=False)
    p.add_argument("--force", action="store_true", help="make it anew, with today's kernels")
    cli.command("kernels", cmd_kernels, "list the kernels there are", named=False)

    p = cli.add_up(cmd_up, "6.1, 7, or one that `kernels` lists", "7")
    p.add_argument("--paths", type=int, default=1, help="1, or 2 with dm-multipath (default 1)")
    p.add_argument("--hang-luns", type=lun_list, metavar="K,K...",
                   help="the LUNs that `hang` works on, or 'none' (default: the first and the last of several)")
    p.add_argument("--shuffle", action="store_true", help="even nodes find the LUNs in reverse order (sda is the last)")
    p.add_argument("--queue-if-no-path", action="store_true", help="multipath maps queue when all paths are gone")
    p.add_argument("--lun-size", type=int, default=64, metavar="MB", help="(default 64)")
    p.add_argument("--memory", type=int, default=512, metavar="MB", help="of each machine (default 512)")

    cli.add_exec()
    cli.method("hang", "let all commands on a LUN hang, on all nodes", ("lun", int, "0, 1, ..."))
    cli.method("resume", "let a LUN that hangs go on", ("lun?", int, "0, 1, ... (default: all)"))
    cli.add_machines()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
