# SPDX-License-Identifier: GPL-2.0-or-later
"""A pytest plugin: tells ./check what happens, one JSON object a line, at the moment when it happens.

BLKPR_EVENTS    the file that the lines are appended to
BLKPR_GROUP     run the tests of this group only (tests/lab/lab_pool.py makes groups)
BLKPR_TESTS     a file with the node ids of the tests to run, a JSON list; without it all

Events: {"collected": [[test, group], ...]}, {"begun": test}, {"test", "outcome", "seconds", "message"}, {"finished": status}.
Outcomes: passed, failed, skipped, or setup: what the test needs did not come up, and nothing was tested.
"""

import json
import os

import pytest

EVENTS = os.environ["BLKPR_EVENTS"]
GROUP = os.environ.get("BLKPR_GROUP")
TESTS = os.environ.get("BLKPR_TESTS")


def tell(**event):
    with open(EVENTS, "a") as f:
        f.write(json.dumps(event) + "\n")


def group_of(item):
    return getattr(item, "check_group", item.module.__name__)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    wanted = None
    if TESTS:
        with open(TESTS) as f:
            wanted = set(json.load(f))
    chosen = [i for i in items if (not GROUP or group_of(i) == GROUP) and (wanted is None or i.nodeid in wanted)]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = chosen
    tell(collected=[[item.nodeid, group_of(item)] for item in items])


def pytest_runtest_logstart(nodeid):
    tell(begun=nodeid)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    report.setup_failed = report.failed and (call.when == "setup" or call.excinfo.typename == "NotReadyError")


class Outcomes:
    """A test's phases (setup, call, teardown) become one outcome: the worst of them."""

    RANK = ("passed", "skipped", "setup", "failed")

    def __init__(self):
        self.outcome, self.seconds, self.message = "passed", 0.0, ""

    def add(self, report):
        outcome = "setup" if getattr(report, "setup_failed", False) else report.outcome
        self.seconds += report.duration
        if self.RANK.index(outcome) > self.RANK.index(self.outcome):
            self.outcome, self.message = outcome, message_of(report)


def message_of(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash:
        return crash.message
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")


now = Outcomes()


def pytest_runtest_logreport(report):
    global now
    now.add(report)
    if report.when == "teardown":
        tell(test=report.nodeid, outcome=now.outcome, seconds=round(now.seconds, 2), message=now.message[:2000])
        now = Outcomes()


def pytest_sessionfinish(exitstatus):
    tell(finished=int(exitstatus))
