# SPDX-License-Identifier: GPL-2.0-or-later
"""A job of ./check: a command in a session of its own, its log, and what becomes of its tests."""

import glob
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass

import plan

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, "build", "check")
LOG = os.path.join(OUT, "log")
LABS = f"check-{os.getpid()}"           # what the names of our labs begin with


@dataclass
class Outcome:
    test: str
    outcome: str            # passed, failed, skipped; setup: what it needs did not come up
    message: str = ""


class Job:
    """A planned job. left: its tests without an outcome; fresh: outcomes that nobody has taken yet."""

    made = 0

    def __init__(self, planned, left, alone=False):
        Job.made += 1
        self.plan, self.left, self.alone = planned, list(left), alone
        self.name = planned.name + (" (again, alone)" if alone else "")
        self.labs = f"{LABS}-{Job.made}"
        self.base = os.path.join(LOG, re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-"))
        self.log = self.base + ".log"
        self.process = self.ended = None
        self.processor = 0              # seconds of processor time, when it has ended of itself
        self.fresh, self.passed = [], 0
        self.failed_setups = []

    def command(self):
        return [os.path.join(HERE, "steps.sh"), self.plan.function]

    def environment(self):
        return {}

    def start(self, environment):
        self.began = self.heard = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command(), cwd=TOP, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True,
                                            env={**environment, "BLKPR_LABS": self.labs, **self.environment()})

    @property
    def pid(self):
        return self.process.pid

    @property
    def took(self):
        return (self.ended or time.monotonic()) - self.began

    @property
    def good(self):
        return self.process.returncode == 0

    def look(self):
        """Take notice of what has happened since the last look."""

    def end(self, status):
        """Its process has ended with this status (negative: by a signal), of itself."""
        self.stop(status)
        self.tell(Outcome(self.name, "passed" if self.good else "failed", "" if self.good else self.fault()))

    def stop(self, status):
        """Its process has ended, and what has no outcome has none."""
        self.ended = time.monotonic()
        self.process.returncode = status

    def tell(self, outcome):
        self.fresh.append(outcome)
        if outcome.test in self.left:
            self.left.remove(outcome.test)

    def said(self, lines=40):
        return "".join(read(self.log).splitlines(keepends=True)[-lines:])

    def fault(self):
        """The end of what it said, from the first sign of a fault on: that line stands for it in the sum."""
        lines = self.said().splitlines(keepends=True)
        signs = [i for i, line in enumerate(lines) if re.search("FAIL|error|warning:", line)]
        return "".join(lines[signs[0] if signs else 0:])

    def now(self):
        """What a person may read of it while it runs."""
        return self.name


class Step(Job):
    """A function of steps.sh that is one test."""

    def __init__(self, planned):
        super().__init__(planned, [planned.name])


class UnitTests(Step):
    """A `make check`: every test of cmocka is one."""

    def end(self, status):
        """A failure that cmocka does not tell of is one of the whole."""
        self.stop(status)
        logs = glob.glob(os.path.join(OUT, self.plan.function.removeprefix("unit_"), "tests", "unit", "*.log"))
        text = "".join(map(read, logs))
        good = re.findall(r"^\[       OK \] (\S+)", text, re.M)
        bad = sorted(set(re.findall(r"^\[  FAILED  \] ([a-z]\S+)", text, re.M)))
        if not bad and (status or not good):
            bad = [self.name]
        self.left = []
        self.fresh += [Outcome(t, "passed") for t in good] + [Outcome(t, "failed", self.fault()) for t in bad]


class FirstLab(Job):
    """One lab's start with nothing else on the machine. It is no test, but timed."""

    def __init__(self, planned, alone=False):
        super().__init__(planned, [], alone)

    def command(self):
        return [os.path.join(HERE, "one_lab.py")]

    def end(self, status):
        self.stop(status)
        if status:
            self.fresh.append(Outcome(self.name, "setup", self.said()))

    def seconds(self):
        return float(self.said(1))

    def once_more(self):
        return FirstLab(self.plan, alone=True)


class Group(Job):
    """Tests of pytest that share their labs."""

    def __init__(self, planned, tests, alone=False):
        super().__init__(planned, tests, alone)
        self.all = len(self.left)
        self.events, self.tests = self.base + ".events", self.base + ".tests"
        self.position, self.begun = 0, ""

    def command(self):
        files = sorted({test.partition("::")[0] for test in self.left})
        return ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider", "-p", "events",
                f"--basetemp={OUT}/tmp/{self.labs}", *files]

    def environment(self):
        with open(self.tests, "w") as f:
            json.dump(self.left, f)
        open(self.events, "w").close()
        return {"PYTHONPATH": HERE, "PYTHONUNBUFFERED": "1", "BLKPR_EVENTS": self.events, "BLKPR_TESTS": self.tests}

    def look(self):
        for event in self.news():
            self.heard = time.monotonic()
            if "begun" in event:
                self.begun = event["begun"]
            elif "test" in event:
                self.begun = ""
                self.tell(Outcome(event["test"], event["outcome"], event["message"]))

    def news(self):
        with open(self.events, "rb") as f:
            f.seek(self.position)
            data = f.read()
        whole = data[:data.rfind(b"\n") + 1]            # the last line may be half written
        self.position += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def stop(self, status):
        super().stop(status)
        self.look()

    def end(self, status):
        """Of itself: what it has not told of has failed."""
        self.stop(status)
        for test in list(self.left):
            self.tell(Outcome(test, "failed", f"its run ended before it came to an end:\n{self.said(15)}"))

    def now(self):
        return f"{self.name} {self.all - len(self.left)}/{self.all}"

    def once_more(self):
        return Group(self.plan, self.failed_setups, alone=True)


def make(planned, tests):
    """The job of a plan; None if it is a group without tests."""
    if planned.function == plan.FIRST_LAB:
        return FirstLab(planned)
    if planned.function.startswith("unit_"):
        return UnitTests(planned)
    if planned.function:
        return Step(planned)
    return Group(planned, tests) if tests else None


def read(path):
    with open(path, errors="replace") as f:
        return f.read()
