# SPDX-License-Identifier: GPL-2.0-or-later
"""Log a node out and in again: `login.py again` by new sessions, `login.py as NODE` with another node's identity.

open-iscsi makes the ISID of the order of logins since iscsid was started. So a node that logs in again is another nexus
than before; one that starts iscsid anew with another node's initiator name is that node's.
"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
arguments, sys.argv = sys.argv[1:], ["node.py", "detach", "0"]      # what importing node.py does
import node                                                         # noqa: E402
from lab_common import LUNS, initiator, targets, write              # noqa: E402


def logout():
    for lun in range(1, LUNS):
        node.detach(lun)
    subprocess.run(["iscsiadm", "-m", "node", "--logoutall=all"], check=True, stdout=subprocess.DEVNULL)


def restart_iscsid(name):
    subprocess.run(["pkill", "-x", "iscsid"], check=True)
    while subprocess.run(["pgrep", "-x", "iscsid"], stdout=subprocess.DEVNULL).returncode == 0:
        time.sleep(0.02)
    write("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={name}\n")
    subprocess.run(["iscsid"], check=True)


logout()
if arguments[0] == "as":
    restart_iscsid(initiator(arguments[1]))
for target in targets():
    for address in target.portals:
        node.login_to(target, address)
for lun in range(LUNS):
    node.attach(lun)
