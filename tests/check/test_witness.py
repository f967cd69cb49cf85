# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgements of the soak (tests/soak): what must not happen is seen in what is told."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))
import witness      # noqa: E402

ALL = {"n1", "n2", "n3"}
FENCED = [(0.0, ALL), (12.0, {"n1", "n3"}), (30.0, ALL)]           # n2, and back


@pytest.fixture
def n2_was_off():
    absences = witness.Absences()
    absences.begin("n2", 10.0)
    absences.end("n2", 40.0)
    return absences


def test_switching_off_is_counted(n2_was_off):
    n2_was_off.begin("n2", 50.0)
    assert (n2_was_off.count("n2"), n2_was_off.count("n1")) == (2, 0)


def test_registrants_are_read():
    assert witness.registrants("1.500 n1 n2\n2.250 n1\n3.000\n") == [
        (1.5, {"n1", "n2"}), (2.25, {"n1"}), (3.0, set())]


def test_eviction_of_who_was_switched_off_is_right(n2_was_off):
    assert witness.evictions(FENCED) == [(12.0, "n2")]
    assert witness.wrong_evictions(FENCED, n2_was_off) == []


@pytest.mark.parametrize("changes", [
    [(0.0, ALL), (12.0, {"n1", "n2"})],                             # somebody else
    [(0.0, ALL), (9.0, {"n1", "n3"})],                              # before
    [*FENCED, (41.0, {"n1", "n3"})],                                # after
    [*FENCED, (35.0, {"n1", "n3"})],                                # again, when it came back
    [(0.0, ALL), (12.0, {"n1"})],                                   # together with somebody else
])
def test_eviction_of_who_was_there_is_wrong(changes, n2_was_off):
    assert len(witness.wrong_evictions(changes, n2_was_off)) == 1


def test_takeover_is_right_after_the_eviction(n2_was_off):
    acks = [("n2", 9.9), ("n3", 12.1)]
    assert witness.unfenced_takeovers(FENCED, n2_was_off, acks) == []


@pytest.mark.parametrize("changes,acks", [
    (FENCED, [("n2", 9.9), ("n3", 11.9)]),                          # too early
    ([(0.0, ALL)], [("n2", 9.9), ("n3", 12.1)]),                    # never fenced
    ([(0.0, ALL), (50.0, {"n1", "n3"})], [("n3", 12.1)]),           # fenced another time
])
def test_takeover_before_the_eviction_is_wrong(changes, acks, n2_was_off):
    assert witness.unfenced_takeovers(changes, n2_was_off, acks) == [
        "n2 still had its key when another node wrote"]


def event(target, status, when=None, action="reboot"):
    return {"target": target, "action": action, "status": status, "client": "pacemaker-controld.9",
            **({"completed": f"1970-01-01 00:00:{when:06.3f}Z"} if when else {})}


@pytest.mark.parametrize("status", ["success", "failed"])
def test_fencing_of_who_was_switched_off_is_right(status, n2_was_off):
    assert witness.History(n2_was_off).wrong([event("n2", status, 12)]) == []


@pytest.mark.parametrize("wrong", [
    event("n1", "success", 12), event("n2", "success", 50), event("n2", "failed", 5),
    event("n2", "pending"), event("n3", "pending"), event("n3", "success", 12, action="off"),
], ids=str)
def test_fencing_of_who_was_there_is_wrong_even_if_it_is_only_tried(wrong, n2_was_off):
    assert len(witness.History(n2_was_off).wrong([wrong])) == 1


def test_unfencing_is_no_fencing(n2_was_off):
    assert witness.History(n2_was_off).wrong([event("n1", "success", 12, action="on")]) == []


def test_pending_fencing_of_who_is_off_is_remembered():
    """A fencer that died leaves it pending for ever."""
    absences = witness.Absences()
    absences.begin("n2", 10.0)
    history = witness.History(absences)
    assert history.wrong([event("n2", "pending")]) == []
    absences.end("n2", 40.0)
    assert history.wrong([event("n2", "pending")]) == []
    assert len(history.wrong([event("n1", "pending")])) == 1


@pytest.mark.parametrize("text", ["2026-11-25 14:35:01.500000Z", "2026-11-25T14:35:01.5Z",
                                  "2026-11-25 15:35:01.5 +01:00", "2026-11-25 14:35:01.500000"])
def test_pacemakers_times_are_understood(text):
    assert witness.seconds(text) == 1795617301.5


def test_pause_is_measured_to_both_ends():
    assert witness.longest_pause([4.0, 1.0], 0.0, 5.0) == (3.0, 1.0)
    assert witness.longest_pause([4.0], 0.0, 5.0) == (4.0, 0.0)
    assert witness.longest_pause([1.0], 0.0, 5.0) == (4.0, 1.0)
    assert witness.longest_pause([], 0.0, 5.0) == (5.0, 0.0)


def test_failed_write_is_read():
    messages = witness.told("1.5 n1 started\n2.5 n1 refused 7: [Errno 5] Input/output error\n")
    assert messages[0] == (1.5, "n1", "started")
    assert witness.failed_writes(messages) == [
        "n1: a write failed: 7: [Errno 5] Input/output error"]


@pytest.mark.parametrize("line", [
    "I/O error, dev dm-1, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2",
    "critical target error, dev dm-1, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1",
    "reservation conflict error, dev dm-1, sector 0 op 0x1:(WRITE) flags 0x800 phys_seg 1",
    "EXT4-fs error (device dm-1): ext4_journal_check_start:83: Detected aborted journal",
    "EXT4-fs (dm-1): Remounting filesystem read-only",
    "Aborting journal on device dm-1-8.",
    "Buffer I/O error on dev dm-1, logical block 1, lost sync page write",
])
def test_kernels_word_for_a_failed_write_is_known(line):
    assert witness.kernel_errors("n1", f"[ 1.5] {line}\n") == [f"n1: its kernel: [ 1.5] {line}"]


@pytest.mark.parametrize("line", [
    "I/O error, dev sda, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2",
    "device-mapper: multipath: 253:1: Failing path 8:16.",
    "EXT4-fs (dm-1): mounted filesystem with ordered data mode",
    "EXT4-fs (dm-1): recovery complete",
])
def test_path_that_fails_is_no_failed_write(line):
    assert witness.kernel_errors("n1", line) == []


def test_kind_that_never_came_is_told():
    assert witness.unseen(["a", "b"], {"a": 3}) == ["nothing was seen of: b"]
