# SPDX-License-Identifier: GPL-2.0-or-later
"""A command that runs on a machine of the lab, and its result; guest/execd.py is the other end."""

import json
import socket
import time

from lab_host import LabError, patience

PORT = 7000
GRACE = patience(5)     # seconds the other end may take beyond a command's own timeout


class Result:
    """What a command did: rc (124: timed out), stdout, stderr (text), seconds (by its machine's clock)."""

    def __init__(self, rc, stdout, stderr, seconds, timed_out=False):
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr
        self.seconds = seconds
        self.timed_out = timed_out

    def __repr__(self):
        return f"Result(rc={self.rc}, stdout={self.stdout!r}, stderr={self.stderr!r}, seconds={self.seconds:.3f})"


class Running:
    """A command begun by Lab.start(); it runs already."""

    def __init__(self, node, cmd, connection, timeout):
        self.node = node
        self.cmd = cmd
        self.connection = connection
        self.timeout = timeout
        self.began = time.monotonic()
        self.result = None

    def done(self):
        """Whether wait() would return at once."""
        if self.result:
            return True
        self.connection.settimeout(0)
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def wait(self):
        """The command's Result, once it has ended or its timeout has passed."""
        if not self.result:
            self.connection.settimeout(max(0.1, self.began + self.timeout + GRACE - time.monotonic()))
            try:
                with self.connection, self.connection.makefile("rb") as stream:
                    self.result = self._read(stream)
            except (OSError, ValueError) as e:
                raise LabError(f"{self.node}: no answer to '{self.cmd}' ({e}): was the node killed or frozen? "
                               "see `lab.py status`") from e
        return self.result

    def _read(self, stream):
        line = stream.readline()
        if not line:
            raise ValueError("connection closed")
        head = json.loads(line)
        out, err = stream.read(head["out"]), stream.read(head["err"])
        return Result(head["rc"], out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape"),
                      head["seconds"], head["timed_out"])

    def abandon(self):
        """Stop caring; the command is killed."""
        self.connection.close()
