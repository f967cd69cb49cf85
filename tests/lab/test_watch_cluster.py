# SPDX-License-Identifier: GPL-2.0-or-later
"""blkpr-watch in a cluster of Pacemaker's: a node that it fences is gone, and its service is where it
belongs; a node that leaves in order is left alone."""

import os

import pytest

from pacemaker import Cluster, stage_with_service, until

LUNS = 2
START = ("PATH=$PATH:/usr/local/sbin blkpr-watch -v -f /tmp/blkpr-watch.log "
         "</dev/null >/dev/null 2>&1 & echo $! >/tmp/blkpr-watch.pid")
LOG = "cat /tmp/blkpr-watch.log 2>/dev/null || :"


@pytest.fixture(scope="module")
def watched_of_run(labs, tmp_path_factory):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    stage = stage_with_service(os.environ["BLKPR_STAGE"], tmp_path_factory.mktemp("stage") / "root")
    cluster = Cluster(labs(kernel="7", nodes=3, luns=LUNS, cluster="pacemaker", stage=stage))
    cluster.create_service()
    cluster.create_fencing(power_timeout=20)
    cluster.until_well()
    return cluster


@pytest.fixture
def cluster(watched_of_run):
    """Whole, and watched on every node."""
    watched_of_run.make_whole()
    for node in watched_of_run.lab.nodes:
        watched_of_run.lab.exec(node, "kill -KILL $(cat /tmp/blkpr-watch.pid); rm -f /tmp/blkpr-watch.log")
        watched_of_run.lab.exec(node, START, check=True)
        until_told(watched_of_run, node, "this node is registered")
    return watched_of_run


def until_told(cluster, node, text):
    def log():
        return cluster.lab.exec(node, LOG).stdout

    until(lambda: text in log(), log)


def until_off(cluster, node):
    until(lambda: cluster.lab.state(node) == "off", lambda: cluster.lab.exec(node, LOG).stdout)


def until_served_by_others(cluster, victim):
    other = cluster.other(victim)
    until(lambda: [n for n in cluster.where("service", other) if n != victim],
          lambda: f"no service: {cluster.tail(other)}")


def test_member_that_is_fenced_by_hand_goes_down(cluster):
    [victim] = cluster.where("service", "n1")
    other = cluster.other(victim)
    cluster.admin(f"stonith_admin --fence {victim}", other)
    until_off(cluster, victim)
    assert cluster.evicted(victim)
    until_served_by_others(cluster, victim)


def test_node_that_is_cut_off_goes_down(cluster):
    [victim] = cluster.where("service", "n1")
    cluster.lab.cut(victim, "ring")
    cluster.until_fenced(victim, cluster.other(victim))
    until_off(cluster, victim)
    until_served_by_others(cluster, victim)


def test_cluster_that_is_stopped_resets_nothing(cluster):
    """On one node, and everywhere: nobody is evicted, and the daemons stay."""
    cluster.admin("pcs property set maintenance-mode=true")
    for node in reversed(cluster.lab.nodes):
        cluster.lab.exec(node, "pkill -TERM -x pacemakerd; while pgrep -x pacemakerd; do sleep 0.2; done; "
                               "pkill -TERM -x corosync; while pgrep -x corosync; do sleep 0.2; done",
                         check=False, timeout=120)
    for node in cluster.lab.nodes:
        for _ in range(4):
            cluster.lab.exec(node, "kill -HUP $(cat /tmp/blkpr-watch.pid); sleep 1.1", check=True)
        assert "evicted" not in cluster.lab.exec(node, LOG).stdout
        assert cluster.lab.state(node) == "running"
