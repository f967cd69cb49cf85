# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes of a lab that change the nexus by which the target knows them (guest/login.py)."""


def log_in_again(lab, node):
    """New sessions: another nexus than before, of the same name."""
    login(lab, node, "again")


def log_in_as(lab, node, other):
    """Another node's initiator name."""
    login(lab, node, f"as {other}")


def login(lab, node, how):
    lab.exec(node, f"set -a; . /run/lab/config; /usr/bin/python3 -I -S /run/lab-guest/login.py {how}", check=True)


def hide_name(lab, node):
    """Nobody on the node can tell by which name the target knows it, as in a virtual machine with a virtual HBA."""
    lab.exec(node, "for name in /sys/class/iscsi_session/*/initiatorname; do mount --bind /dev/null $name; done", check=True)


def reboot(lab, node):
    """The node as it was at first."""
    lab.kill(node)
    lab.boot(node)
