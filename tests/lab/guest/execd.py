# SPDX-License-Identifier: GPL-2.0-or-later
"""The command server of every machine of the lab, on the management network.

One connection is one command. Request: a line of JSON {"cmd", "timeout", "stdin": bytes that follow}.
Reply: a line of JSON {"rc", "out", "err", "seconds", "timed_out"}, then that many bytes of stdout and of stderr.
Output goes to memory files, so a command ends when its shell does, whatever it left in the background.
"""

import _thread
import json
import os
import select
import signal
import socket
import subprocess
import time

PORT = 7000
TIMED_OUT = 124                 # as timeout(1)
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}


def memory_file(content=b""):
    fd = os.memfd_create("exec")
    if content:
        with os.fdopen(os.dup(fd), "wb") as f:
            f.write(content)
        os.lseek(fd, 0, os.SEEK_SET)
    return fd


def content(fd):
    """What was written so far; background processes may share the offset, hence pread."""
    chunks, offset = [], 0
    while chunk := os.pread(fd, 1 << 20, offset):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks)


def wait(process, connection, timeout):
    """Wait for the shell; True if it has to be killed (out of time, or nobody listens any more)."""
    pidfd = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(connection, select.POLLIN | select.POLLHUP)
    events = poll.poll(timeout * 1000)
    ended = any(fd == pidfd for fd, _ in events)
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
        ended = bool(select.select([pidfd], [], [], 0.3)[0])    # not if it hangs in the kernel
        if ended:
            process.wait()
        os.close(pidfd)
        return True
    process.wait()
    os.close(pidfd)
    return False


def serve(connection):
    with connection, connection.makefile("rb") as stream:
        line = stream.readline()
        if not line:
            return
        request = json.loads(line)
        stdin = memory_file(stream.read(request["stdin"]))
        out, err = memory_file(), memory_file()
        began = time.monotonic()
        try:
            process = subprocess.Popen(["/bin/bash", "-c", request["cmd"]], stdin=stdin, stdout=out, stderr=err,
                                       env=ENVIRONMENT, cwd="/root", start_new_session=True)
            killed = wait(process, connection, request["timeout"])
            seconds = time.monotonic() - began
            rc = TIMED_OUT if killed else process.returncode
            if rc < 0:
                rc = 128 - rc           # as a shell says it
            stdout, stderr = content(out), content(err)
        finally:
            for fd in (stdin, out, err):
                os.close(fd)
        head = {"rc": rc, "out": len(stdout), "err": len(stderr), "seconds": seconds, "timed_out": killed}
        connection.sendall(json.dumps(head).encode() + b"\n" + stdout + stderr)


def guarded(connection):
    try:
        serve(connection)
    except OSError:
        pass                            # the caller has gone


def main():
    server = socket.create_server(("", PORT), backlog=128)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _thread.start_new_thread(guarded, (connection,))


main()
