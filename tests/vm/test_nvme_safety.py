# SPDX-License-Identifier: GPL-2.0-or-later
"""The safety properties on NVMe (nvmet over TCP, kernels of their own): tests/lab/test_safety.py's tests, where they are not about
SCSI, and those that only NVMe has."""

import os

import pytest

from nvme_agent import NvmeAgent
from test_safety import (LUNS, fence_a_writer, test_actions_repeat, test_device_where_this_node_is_not_registered_fails_after_the_others,
                         test_evicted_from_the_arbiter_only_touches_nothing, test_evicted_node_is_refused_and_registers_nothing,
                         test_evicted_node_is_refused_with_ebade, test_evicted_node_lists_and_registers_nothing,
                         test_frozen_corosync_is_bounded, test_missing_reservation_is_restored_before_success,
                         test_no_write_in_flight_lands_after_success,
                         test_node_that_was_never_unfenced_cannot_evict, test_off_killed_at_any_point_and_repeated_converges,
                         test_off_leaves_others_registered, test_on_killed_at_any_point_and_repeated_converges,
                         test_other_key_value_is_named, test_races_have_one_winner_everywhere,
                         test_renamed_cluster_is_not_taken_for_off, test_reservation_of_another_type_is_left_alone,
                         test_status_without_reservation_is_not_off, test_unfenced_node_can_write_again,
                         test_unknown_key_is_allowed_on_request,
                         test_victim_that_was_switched_off_is_fenced_and_comes_back)       # noqa: F401


@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS, slow_luns=[0, LUNS - 1])


@pytest.fixture
def agent(machines):
    found = NvmeAgent(machines)
    found.forget()
    yield found
    for node in found.lab.nodes:
        if found.lab.state(node) == "running":
            found.stop_writing(node)


def test_no_write_lands_after_success(agent):
    fence_a_writer(agent, int(os.environ.get("BLKPR_FENCINGS", "100")))
