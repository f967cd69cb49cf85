# SPDX-License-Identifier: GPL-2.0-or-later
"""The clocks of two machines of a lab, compared through this machine's, with a bound for the error.

A question is sent at this machine's time A, the node answers with its time T, the answer is here at B. The
node looked at its clock between A and B, so that (node's clock - this clock) lies between T - B and T - A.
Every answer narrows that down; no assumption about the network is made.
"""

import socket
import time

from lab_host import LabError, network_namespace
from lab_settings import MGMT, address

PORT = 7001
SERVER = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", {PORT}))
while True:
    question, caller = s.recvfrom(8)
    s.sendto(question + time.time_ns().to_bytes(8, "big"), caller)
"""


class NodeClock:
    """A node's CLOCK_REALTIME against this machine's CLOCK_MONOTONIC: low <= node - here <= high, nanoseconds."""

    def __init__(self, lab, node):
        self.node = node
        self.low, self.high = -2**63, 2**63
        self.server = lab.start(node, "exec python3 -I -S -", timeout=600, stdin=SERVER)
        with network_namespace(lab.netns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address(MGMT, node), PORT))
        self._wait_answer()

    def compare(self, answers=60):
        """Narrow the bounds down. Bounds that exclude each other (a clock was set) widen to hold all."""
        low, high = -2**63, 2**63
        for _ in range(answers):
            here, there, back = self._ask(1)
            low, high = max(low, there - back), min(high, there - here)
        if low <= self.high and self.low <= high:
            self.low, self.high = max(self.low, low), min(self.high, high)
        else:
            self.low, self.high = min(self.low, low), max(self.high, high)

    def close(self):
        self.socket.close()
        self.server.abandon()

    def _ask(self, timeout):
        """(this clock, the node's, this clock)"""
        self.socket.settimeout(timeout)
        here = time.monotonic_ns()
        question = here.to_bytes(8, "big")
        self.socket.send(question)
        while True:
            answer = self.socket.recv(16)
            back = time.monotonic_ns()
            if answer[:8] == question:      # not a late answer to an earlier question
                return here, int.from_bytes(answer[8:], "big"), back

    def _wait_answer(self):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                self._ask(0.1)
                return
            except OSError:                 # not up yet
                time.sleep(0.02)
        raise LabError(f"{self.node} does not tell its time")


def difference(a, b):
    """(nanoseconds that b's clock is ahead of a's, bound of the error)."""
    low, high = b.low - a.high, b.high - a.low
    return (low + high) // 2, (high - low + 1) // 2
