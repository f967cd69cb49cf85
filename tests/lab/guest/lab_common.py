# SPDX-License-Identifier: GPL-2.0-or-later
"""What the storage machine and the nodes must agree on; from the environment, set by boot."""

import os

LUNS = int(os.environ["LUNS"])
PATHS = int(os.environ["PATHS"])
NODES = os.environ["NODES"].split()
HANG_LUNS = [int(k) for k in os.environ["HANG_LUNS"].split()]
SLOW_LUNS = [int(k) for k in os.environ["SLOW_LUNS"].split()]
MUTE_LUNS = [int(k) for k in os.environ["MUTE_LUNS"].split()]
PORT = 3260
FABRIC = os.environ["FABRIC"] == "1"
TARGET_PORT = PORT + FABRIC             # the nodes' port, or the one that fabric.py connects to
FABRIC_PORT = 7002                      # of fabric.py's control connections
SANS = (2, 3)[:PATHS]                   # network numbers: SAN A, SAN B

IQN = "iqn.2026-01.lab:"


def initiator(node):
    return IQN + node


class Target:
    """One iSCSI target: the LUNs behind it and its portals, one a SAN."""

    def __init__(self, name, host, luns):
        self.iqn = IQN + name
        self.luns = luns
        self.portals = [f"10.99.{san}.{host}" for san in SANS]


def targets():
    """The target of the ordinary LUNs, then one for each LUN that can hang, as lab.py's hang_address()."""
    ordinary = [k for k in range(LUNS) if k not in HANG_LUNS]
    found = [Target("stor", 200, ordinary)] if ordinary else []
    return found + [Target(f"lun{k}", 201 + i, [k]) for i, k in enumerate(HANG_LUNS)]


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def read(path):
    with open(path) as f:
        return f.read().strip()
