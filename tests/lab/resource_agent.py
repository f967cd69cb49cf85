# SPDX-License-Identifier: GPL-2.0-or-later
"""ocf:blkpr:reservation in a lab, driven as Pacemaker's executor drives it."""

import shlex

from agent import Agent
from lab_host import patience

OCF = "/usr/lib/ocf/resource.d/blkpr/reservation"
SUCCESS, GENERIC, ARGS, UNIMPLEMENTED, PERM, INSTALLED, CONFIGURED, NOT_RUNNING, PROMOTED, FAILED_PROMOTED = range(10)
KEYS = {"n1": 0x3e9d58dec82561ec, "n2": 0x3e9d58dea6bbc91a, "n3": 0x3e9d58de4443aee1}     # name64, first byte ^ 0x52
CLONE = {"CRM_meta_promoted_max": 1, "reservation_type": "WRITE_EXCLUSIVE"}


class Resource:
    """An instance on the nodes of a lab; devices are all LUNs unless told otherwise."""

    def __init__(self, lab, **parameters):
        self.lab = lab
        self.agent = Agent(lab)
        self.parameters = parameters

    def command(self, action, level=0, timeout=20, **parameters):
        words = {"devices": self.agent.devices(), **self.parameters, **parameters, "CRM_meta_timeout": timeout * 1000}
        environment = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "disk", "OCF_CHECK_LEVEL": level,
                       **{f"OCF_RESKEY_{name}": value for name, value in words.items() if value is not None}}
        return shlex.join(["env", *(f"{name}={value}" for name, value in environment.items()), OCF, action])

    def __call__(self, node, action, level=0, timeout=20, **parameters):
        return self.lab.exec(node, self.command(action, level, timeout, **parameters), timeout=timeout + patience(20))

    def must(self, node, action, code=SUCCESS, **parameters):
        result = self(node, action, **parameters)
        assert result.rc == code, result
        return result

    # -- what the target says

    def held(self, luns=None):
        """[(nodes registered with their resource key, node that holds, type)] of every LUN."""
        found = []
        for lun in range(self.lab.luns) if luns is None else luns:
            keys = {int(key, 16) for key, _ in self.lab.keys(lun)}
            holder = self.lab.holder(lun)
            node = holder["holder"] and holder["holder"].partition(",")[0].rpartition(":")[2]
            found.append(({n for n, key in KEYS.items() if key in keys}, node, holder["type"]))
        return found

    def only(self, node, kind="Write Exclusive Access, Registrants Only"):
        """What held() is when this node holds everywhere, and nobody else is registered."""
        return [({node}, node, kind)] * self.lab.luns

    def free(self):
        return all(self.lab.keys(k) == [] and not self.lab.holder(k)["holder"] for k in range(self.lab.luns))

    def can_write(self, node, lun=0):
        return self.lab.exec(node, f"dd if=/dev/zero of={self.agent.device(lun)} bs=4k count=1 oflag=direct").rc == 0


def reason(result):
    """The last line on stderr, as the API has it."""
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ocf-exit-reason:"), result
    return last.removeprefix("ocf-exit-reason:")
