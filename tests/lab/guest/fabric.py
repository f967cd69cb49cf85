# SPDX-License-Identifier: GPL-2.0-or-later
"""In the storage machine, between the nodes and the target: every iSCSI session passes here.

A rule makes the sessions that it names ill (a node's, a LUN's, a path's):
    {"fault": "hang"}       nothing goes either way but what keeps a session alive
    {"fault": "dead"}       the connections there are break; new ones get no answer, whatever comes.
                            (iscsid for ever forgets a connection that is accepted and closed at once.)
    {"fault": "answer", "status", "sense", "task"}
                            commands are answered so in the target's place, and are not executed;
                            task management functions are answered with `task` if it is given
    {"fault": "lose", "percent", "seed"}
                            commands are lost: half of them on the way to the target, half of them
                            after they were executed
with "nodes", "luns", "paths" (lists, or null for all) and "seconds" (null: until it is taken away).

tests/lab/fabric.py is the other end of the control connection: a line of JSON, answered by one.
The target must see every command's number. So one that it shall not execute reaches it as an
INQUIRY without data.
"""

import json
import os
import random
import selectors
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_common import FABRIC_PORT, PORT, TARGET_PORT, targets         # noqa: E402

# operation codes of RFC 7143
COMMAND, TASK, DATA_OUT = 0x01, 0x02, 0x05
RESPONSE, TASK_RESPONSE, DATA_IN = 0x21, 0x22, 0x25
KEEPS_ALIVE = (0x00, 0x03, 0x06, 0x20, 0x23, 0x26)      # NOP, login, logout and their answers
HEADER = 48
FINAL, UNDERFLOW = 0x80, 0x02
ABORT_TASK, LUN_RESET = 1, 5
COMPLETE = 0                                            # of a task management function
INQUIRY, REQUEST_SENSE, REPORT_LUNS = 0x12, 0x03, 0xa0
ALWAYS_ANSWERED = (INQUIRY, REQUEST_SENSE, REPORT_LUNS) # in any state of a logical unit
NOTHING = b"\xff\xff\xff\xff"


def take_pdu(buffer):
    """The first PDU of a buffer, removed from it; None if it is not whole."""
    if len(buffer) < HEADER:
        return None
    size = HEADER + 4 * buffer[4] + (int.from_bytes(buffer[5:8], "big") + 3 & ~3)
    if len(buffer) < size:
        return None
    pdu = bytearray(buffer[:size])
    del buffer[:size]
    return pdu


class Rule:
    def __init__(self, words):
        self.fault = words["fault"]
        self.words = words
        self.random = random.Random(words.get("seed"))
        self.hits = 0
        seconds = words.get("seconds")
        self.ends = None if seconds is None else time.monotonic() + seconds

    def is_for(self, node, lun, path):
        return all(self.words.get(kind) is None or value in self.words[kind]
                   for kind, value in (("nodes", node), ("luns", lun), ("paths", path)))

    def in_force(self):
        return self.ends is None or time.monotonic() < self.ends

    def holds(self, code):
        """Whether a PDU goes no further until this ends."""
        return self.fault == "dead" or self.fault == "hang" and code not in KEEPS_ALIVE


class Session:
    """A connection of a node, and the one to the target that belongs to it."""

    def __init__(self, fabric, client, portal, place):
        self.fabric = fabric
        self.place = place                      # (node, LUN, path)
        self.server = socket.create_connection((portal, TARGET_PORT))
        self.client = client
        self.come = {client: bytearray(), self.server: bytearray()}     # what came from there
        self.go = {client: bytearray(), self.server: bytearray()}       # what goes there
        self.held = []                          # [(PDU, whether it comes from the node)], in order
        self.answers = {}                       # task tag: (status, sense, length expected)
        self.task_answers = {}                  # the same of a task management function: answer
        self.dropped = set()                    # tags of commands whose data are not passed on
        self.lost = set()                       # tags of commands whose answers are not passed on
        for end in (client, self.server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fabric.selector.register(end, selectors.EVENT_READ, self)

    def rule(self):
        return self.fabric.rule(self.place)

    def close(self):
        for end in (self.client, self.server):
            self.fabric.selector.unregister(end)
            end.close()
        self.fabric.sessions.discard(self)

    def serve(self, end, events):
        try:
            if events & selectors.EVENT_READ:
                data = end.recv(1 << 18)
                if not data:
                    return self.close()
                self.come[end] += data
                while pdu := take_pdu(self.come[end]):
                    self.pass_on(pdu, end is self.client)
            self.flush()
        except OSError:
            self.close()

    def flush(self):
        for end, waiting in self.go.items():
            if waiting:
                try:
                    del waiting[:end.send(waiting)]
                except BlockingIOError:
                    pass
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
            self.fabric.selector.modify(end, events, self)

    def pass_on(self, pdu, from_node):
        if from_node and pdu[0] & 0x3f == TASK and pdu[1] & 0x7f == LUN_RESET:
            self.fabric.resets[self.place[1]] = self.fabric.resets.get(self.place[1], 0) + 1
        if not self.treat(pdu, from_node):
            self.rule().hits += from_node

    def treat(self, pdu, from_node):
        """Send it on, or hold it back: whether it went."""
        rule = self.rule()
        if rule and rule.holds(pdu[0] & 0x3f):
            self.held.append((pdu, from_node))
            return False
        pdu = self.request(pdu, rule) if from_node else self.response(pdu)
        if pdu:
            self.go[self.server if from_node else self.client] += pdu
        return True

    def release(self):
        """What was held back, if nothing holds it back any more."""
        held, self.held = self.held, []
        for pdu, from_node in held:
            self.treat(pdu, from_node)
        try:
            self.flush()
        except OSError:
            self.close()

    # -- from the node

    def request(self, pdu, rule):
        code, tag = pdu[0] & 0x3f, bytes(pdu[16:20])
        if code == COMMAND:
            for known in (self.dropped, self.lost):
                known.discard(tag)
            if rule and pdu[32] not in ALWAYS_ANSWERED:
                return self.ill_command(pdu, tag, rule)
        if code == DATA_OUT and tag in self.dropped:
            return None
        if code == TASK:
            return self.task(pdu, tag, rule)
        return pdu

    def ill_command(self, pdu, tag, rule):
        if rule.fault == "answer":
            rule.hits += 1
            sense = bytes(rule.words["sense"] or [])
            self.answers[tag] = rule.words["status"], sense, bytes(pdu[20:24])
            return self.instead_of(pdu, tag)
        if rule.fault == "lose" and rule.random.random() * 100 < rule.words["percent"]:
            rule.hits += 1
            self.lost.add(tag)
            return self.instead_of(pdu, tag) if rule.random.random() < 0.5 else pdu
        return pdu

    def instead_of(self, pdu, tag):
        """An INQUIRY without data, with the number of a command that is not to be executed."""
        self.dropped.add(tag)
        new = pdu[:HEADER]
        new[1] = FINAL | new[1] & 0x07
        new[4:8] = bytes(4)                     # no additional header, no data
        new[20:24] = bytes(4)                   # none expected
        new[32:48] = bytes([INQUIRY] + [0] * 15)
        return new

    def task(self, pdu, tag, rule):
        referenced = bytes(pdu[20:24])
        if rule and rule.fault == "answer" and rule.words.get("task") is not None:
            rule.hits += 1
            self.task_answers[tag] = rule.words["task"]
            pdu[1], pdu[20:24] = FINAL | ABORT_TASK, NOTHING
        elif pdu[1] & 0x7f == ABORT_TASK and referenced in self.lost:
            self.task_answers[tag] = COMPLETE
        return pdu

    # -- from the target

    def response(self, pdu):
        code, tag = pdu[0] & 0x3f, bytes(pdu[16:20])
        if code in (RESPONSE, DATA_IN) and tag in self.lost:
            return None
        if code == TASK_RESPONSE and tag in self.task_answers:
            pdu[2] = self.task_answers.pop(tag)
        if code == RESPONSE and tag in self.answers:
            return self.answer(pdu, *self.answers.pop(tag))
        return pdu

    @staticmethod
    def answer(pdu, status, sense, expected):
        new = pdu[:HEADER]
        data = len(sense).to_bytes(2, "big") + sense if sense else b""
        new[1] = FINAL | (UNDERFLOW if any(expected) else 0)
        new[2], new[3] = 0, status
        new[4:8] = len(data).to_bytes(4, "big")
        new[44:48] = expected                   # what is missing
        return new + data + bytes(-len(data) % 4)


class Fabric:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.rules = {}                         # name: Rule
        self.sessions = set()
        self.resets = {}                        # LUN: how many LUN RESETs were sent to it
        for target in targets():
            for path, portal in enumerate(target.portals):
                self.listen((portal, PORT), (portal, target.luns[0], path))
        self.listen(("", FABRIC_PORT), None)

    def listen(self, address, place):
        server = socket.create_server(address, backlog=64)
        self.selector.register(server, selectors.EVENT_READ, place)

    def rule(self, place):
        return next((r for r in self.rules.values() if r.is_for(*place) and r.in_force()), None)

    def run(self):
        while True:
            for key, events in self.selector.select():
                if isinstance(key.data, Session):
                    if key.data in self.sessions:       # not closed by what came before
                        key.data.serve(key.fileobj, events)
                elif key.data:
                    self.connect(key.fileobj, *key.data)
                else:
                    self.control(key.fileobj)

    def connect(self, server, portal, lun, path):
        client, (peer, _) = server.accept()
        place = "n" + peer.rpartition(".")[2], lun, path
        try:
            self.sessions.add(Session(self, client, portal, place))
        except OSError:
            client.close()

    def control(self, server):
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            request = json.loads(stream.readline())
            if request.get("end"):
                for name in list(self.rules) if request["end"] == "all" else [request["end"]]:
                    self.rules.pop(name, None)
            if request.get("begin"):
                self.begin(request["begin"], Rule(request["rule"]))
            if request.get("forget"):
                self.resets = {}
            self.release()
            hits = {name: rule.hits for name, rule in self.rules.items()}
            connection.sendall(json.dumps({"hits": hits, "resets": self.resets}).encode() + b"\n")

    def begin(self, name, rule):
        self.rules[name] = rule
        if rule.fault == "dead":
            for session in [s for s in self.sessions if self.rule(s.place) is rule]:
                session.close()

    def release(self):
        """What is held back in sessions that are well again."""
        for session in [s for s in self.sessions if s.held]:
            session.release()


if __name__ == "__main__":
    Fabric().run()
