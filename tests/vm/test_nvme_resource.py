# SPDX-License-Identifier: GPL-2.0-or-later
"""The resource agent on NVMe: tests/lab/test_reservation.py's tests, where they are not about SCSI, and all six types."""

import pytest

from nvme_agent import TYPES, NvmeResource, assert_type_works
from test_reservation import (LUNS, test_actions_may_be_repeated, test_clone_registers_and_its_promoted_instance_holds,
                              test_explicit_key_without_a_cluster, test_fence_agent_finds_the_resource_agents_keys_unknown,
                              test_killed_at_any_point_and_repeated, test_lost_promotion_is_told_from_a_lost_registration,
                              test_monitor_writes_nothing, test_promotion_takes_from_a_holder_that_was_fenced,
                              test_promotion_that_must_fail_takes_from_nobody, test_rebooted_holder_starts_again,
                              test_rogue_registration_is_noticed, test_start_evicts_who_was_there,
                              test_start_holds_and_stop_gives_back, test_start_may_refuse_to_evict)       # noqa: F401

@pytest.fixture
def machines(vms):
    return vms(nodes=2, luns=LUNS)


@pytest.fixture
def resource(machines):
    found = NvmeResource(machines)
    found.agent.forget()
    return found


@pytest.fixture
def plain(resource):
    return resource


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_holds_is_taken_and_given_back(resource, kind):
    assert_type_works(resource, kind)
