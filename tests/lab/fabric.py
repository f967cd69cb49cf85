# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths and disks that are ill, in a lab with a fabric: lab.up(fabric=True).

guest/fabric.py is what makes them so.

    fabric = lab.fabric
    fabric.hang(nodes=["n1"], paths=[0])        # the first path of every map, for n1
    fabric.refuse(luns=range(8))                # the first eight disks, for all nodes
    fabric.resets()                             # {LUN: LUN RESETs sent so far}
    fabric.well()

One function a fault. `nodes`, `luns`, `paths` are whose sessions are ill, None for all of them;
path 0 is by SAN A, the first of a map, 1 by SAN B. A fault lasts until well(), or so many seconds.
There may be several, each with a `name`; of two for one session the older is in force.
"""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass

import lab_settings
from lab_host import LabError, network_namespace, patience

STUCK = 75              # exit status of guest/node.py mend
PORT = 7002
GOOD, CHECK_CONDITION, BUSY = 0x00, 0x02, 0x08
ILLEGAL_REQUEST, HARDWARE_ERROR, NOT_READY = 0x05, 0x04, 0x02
NO_SUCH_LUN, REJECTED = 2, 255              # answers to a task management function


def fixed_sense(key, asc, ascq):
    """Sense data in fixed format (SPC-4 4.5.3)."""
    return [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0]


class Fabric:
    def __init__(self, lab):
        self.lab = lab

    # -- the faults

    def hang(self, **whose):
        """No command gets there, no LUN RESET either, no answer comes back; the session lives."""
        self._begin("hang", **whose)

    def kill(self, nodes=None, **whose):
        """No connection any more, no answer to a new one; returns when the nodes' kernels fail commands at once."""
        self._begin("dead", nodes=nodes, **whose)
        for node in nodes or self.lab.nodes:
            disks = " ".join(f"/dev/lun{lun}{'-b' if path else ''}"
                             for lun in self._luns(whose) for path in self._paths(whose))
            self.lab.exec(node, f"for d in {disks}; do "
                                "state=/sys/block/$(basename $(readlink -f $d))/device/state; "
                                "until grep -qx transport-offline $state; do sleep 0.05; done; "
                                "done",
                          timeout=patience(30), check=True)

    def refuse(self, **whose):
        """HARDWARE ERROR, INTERNAL TARGET FAILURE (04/44/00); a LUN RESET is rejected."""
        self._answer(CHECK_CONDITION, fixed_sense(HARDWARE_ERROR, 0x44, 0), REJECTED, **whose)

    def unmap(self, **whose):
        """ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED (05/25/00): the LUN is not mapped there."""
        self._answer(CHECK_CONDITION, fixed_sense(ILLEGAL_REQUEST, 0x25, 0), NO_SUCH_LUN, **whose)

    def busy(self, seconds, **whose):
        """BUSY to every command."""
        self._answer(BUSY, None, None, seconds=seconds, **whose)

    def transition(self, seconds, **whose):
        """NOT READY, ASYMMETRIC ACCESS STATE TRANSITION (02/04/0A) to every command."""
        sense = fixed_sense(NOT_READY, 0x04, 0x0a)
        self._answer(CHECK_CONDITION, sense, None, seconds=seconds, **whose)

    def lose(self, percent, seconds, seed=0, **whose):
        """So many per cent of the commands get no answer; half of these are executed."""
        self._begin("lose", percent=percent, seconds=seconds, seed=seed, **whose)

    def well(self, name=None, nodes=None):
        """The end of a fault, or of all of them.

        Returns when every disk of these nodes (None: all that run) works again.
        """
        self.end(name)
        alive = [n for n in nodes or self.lab.nodes if self.lab.state(n) == "running"]
        for node, path in self._mend(alive):
            self.kill(name="mend", nodes=[node], paths=[path])
            self.end("mend")
            if self._mend([node]):
                raise LabError(f"{node}: a disk runs, and answers nothing")

    def _mend(self, nodes):
        """Nodes and paths of disks that are stuck: where the error handler gives a disk up while its session is away, the
        kernel does not start its queue again when the session comes back. When it comes back once more, it does."""
        stuck = []
        for running in [self.lab.start_node_script(n, "mend", timeout=patience(120)) for n in nodes]:
            result = running.wait()
            if result.rc == STUCK:
                stuck.append((running.node, int(result.stdout)))
            elif result.rc:
                raise LabError(f"{running.node}: its paths do not come back: {result}")
        return stuck

    def end(self, name=None):
        """The same, at once: a kernel may not have noticed yet."""
        self._ask(end=name or "all")

    # -- what came

    def resets(self):
        """{LUN: how many LUN RESETs were sent to it}, by all, since forget_resets()."""
        return {int(lun): count for lun, count in self._ask()["resets"].items()}

    def forget_resets(self):
        self._ask(forget=True)

    def hits(self, name=None):
        """How many commands (and task management functions) a fault, or all there are, has struck."""
        hits = self._ask()["hits"]
        return sum(hits.values()) if name is None else hits.get(name, 0)

    # -- inside

    def _answer(self, status, sense, task, **whose):
        self._begin("answer", status=status, sense=sense, task=task, **whose)

    def _begin(self, fault, name="fault", **words):
        given = {key: list(value) if isinstance(value, range) else value
                 for key, value in words.items()}
        self._ask(begin=name, rule={"fault": fault, **given})

    def _luns(self, whose):
        return range(self.lab.luns) if whose.get("luns") is None else whose["luns"]

    def _paths(self, whose):
        return range(self.lab.config["paths"]) if whose.get("paths") is None else whose["paths"]

    def _ask(self, **request):
        with network_namespace(self.lab.netns):
            address = lab_settings.address(lab_settings.MGMT, "stor")
            connection = socket.create_connection((address, PORT), timeout=patience(5))
        with connection, connection.makefile("rwb") as stream:
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            answer = stream.readline()
        if not answer:
            raise LabError("the fabric does not answer: see /run/fabric.log in stor")
        return json.loads(answer)


# ------------------------------------------------ what may be ill when a node is fenced

@dataclass
class Situation:
    """What n1 finds when it fences n2. dead: the LUNs that do not answer it."""
    name: str
    begin: Callable[[Fabric], None]
    dead: range = range(0)


def situations(luns):
    """Those of bench.py's `time to the truth`, which test_paths.py goes through, too."""
    half, first = range(luns // 2), range(1)
    here = {"nodes": ["n1"], "paths": [0]}
    return [
        Situation("nothing", lambda fabric: None),
        Situation("the first path of each map hangs", lambda fabric: fabric.hang(**here)),
        Situation("the first path of each map is dead", lambda fabric: fabric.kill(**here)),
        Situation("the first disk hangs", lambda fabric: fabric.hang(luns=first), first),
        Situation("the first half of the disks is dead",
                  lambda fabric: fabric.refuse(luns=half), half),
        Situation("every disk is BUSY for 1 s", lambda fabric: fabric.busy(1)),
        Situation("every disk is in ALUA transition for 1 s",
                  lambda fabric: fabric.transition(1)),
        Situation("the first path of each map answers 05/25/00",
                  lambda fabric: fabric.unmap(**here)),
        Situation("5 % of n1's commands are lost for 3 s",
                  lambda fabric: fabric.lose(5, 3, nodes=["n1"])),
    ]
