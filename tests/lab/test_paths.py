# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths and disks that are ill (lab.fabric) when a node is fenced or a service started.

What the disks allow has to succeed, and soon; what they do not allow has to be told by name.
"""

import itertools
import time

import pytest

import fabric as fabrics
from agent import Agent, wait_for
from kinds import kinds
from lab_host import SLOWNESS
from resource_agent import KEYS, Resource

LUNS = 16
SHAPES = ["7-multipath"]
MORE = 2                                # seconds that a path which does not answer may cost
HALF, OTHER_HALF = range(LUNS // 2), range(LUNS // 2, LUNS)
SOON = 3                                # seconds after which the living half is fenced
PATHS = {"the-first": 0, "the-last": 1}
FAULTS = {
    "hung": lambda fabric, path: fabric.hang(nodes=["n1"], paths=[path]),
    "dead": lambda fabric, path: fabric.kill(nodes=["n1"], paths=[path]),
    "unmapped": lambda fabric, path: fabric.unmap(nodes=["n1"], paths=[path]),
}
DEATHS = {
    "failing": lambda fabric: fabric.refuse(luns=HALF),
    "unreachable": lambda fabric: fabric.kill(luns=HALF),
    "hung": lambda fabric: fabric.hang(luns=HALF),
}
SITUATIONS = fabrics.situations(LUNS)

# whichever path hangs or is away; what it answers is the same whichever it is
ill_path = pytest.mark.parametrize("fault,path", kinds(
    list(itertools.product(FAULTS, PATHS)),
    [("hung", "the-first"), ("dead", "the-last"), ("unmapped", "the-first")]))


@pytest.fixture
def lab(labs, shape):
    found = labs(**shape, nodes=2, luns=LUNS, fabric=True)
    forget_records(found)
    return found


@pytest.fixture
def agent(lab):
    return Agent(lab)


def forget_records(lab):
    for node in lab.nodes:
        lab.exec(node, "rm -rf /run/fence_blkpr /var/lib/fence_blkpr", check=True)


def writable(lab, node, luns=range(LUNS)):
    """The paths of these LUNs by which a node can write, found out by trying."""
    paths = " ".join(f"/dev/lun{k}{end}" for k in luns for end in ("", "-b"))
    write = "timeout 5 dd if=/dev/zero of=$d bs=4k count=1 oflag=direct 2>/dev/null && echo $d"
    return lab.exec(node, f"for d in {paths}; do {write} & done; wait").stdout.split()


# ---------------------------------------------------------------- one path of each map

def fencing(action, plug=None, unfenced=True):
    """What the fence agent's actions begin with, and their call."""
    def prepare(lab):
        agent = Agent(lab)
        if unfenced:
            agent.unfence()
        return lambda: agent("n1", action, **({"plug": plug} if plug else {}))
    return prepare


def resource(action):
    """The same of the resource agent's."""
    def prepare(lab):
        agent = Resource(lab)
        if action != "start":
            agent.must("n1", "start")
        return lambda: agent("n1", action)
    return prepare


ACTIONS = {
    "on": fencing("on", "n1"),
    "on-of-a-new-node": fencing("on", "n1", unfenced=False),
    "off": fencing("off", "n2"),
    "status": fencing("status", "n2"),
    "monitor": fencing("monitor"),
    **{f"resource-{action}": resource(action) for action in ("start", "monitor", "stop")},
}


@pytest.fixture(scope="module")
def usual_seconds():
    """A function: how long an action takes when all is well, the longer of two times."""
    known = {}

    def once(lab, action):
        result = ACTIONS[action](lab)()
        assert result.rc == 0, result
        lab.reset_reservations()
        forget_records(lab)
        return result.seconds

    def seconds(lab, action):
        if action not in known:
            known[action] = max(once(lab, action), once(lab, action))
        return known[action]
    return seconds


@ill_path
@pytest.mark.parametrize("action", ACTIONS)
def test_one_path_of_each_map_costs_little(lab, usual_seconds, action, fault, path):
    """Every action succeeds by the other path, within 2 s more than by both."""
    limit = usual_seconds(lab, action) + MORE
    act = ACTIONS[action](lab)
    FAULTS[fault](lab.fabric, PATHS[path])
    result = act()
    assert result.rc == 0, result
    assert result.seconds <= limit, result
    if action == "off":
        assert writable(lab, "n2") == []


@pytest.mark.parametrize("path", PATHS)
def test_stop_that_was_killed_is_repeated_by_the_path_that_lives(lab, path):
    """The path that lives is not registered any more; LIO answers its RELEASE with 02/08/00."""
    service = Resource(lab)
    service.must("n1", "start")
    for k in range(LUNS):
        lives = f"/dev/lun{k}" + ("" if PATHS[path] else "-b")
        lab.pr_out("n1", f"--register --param-rk={KEYS['n1']:#x} --param-sark=0", lives)
    lab.fabric.hang(nodes=["n1"], paths=[PATHS[path]])
    service.must("n1", "stop")
    assert service.free()


# ---------------------------------------------------------------- the first half of the disks

def evicted(agent, node):
    """The LUNs on which a node is not registered."""
    return [k for k, nodes in enumerate(agent.registered()) if node not in nodes]


def named(agent, result):
    """The LUNs whose devices are named at the beginning of an error."""
    return [k for k in range(LUNS) if f"fence_blkpr: {agent.device(k)}: " in result.stderr]


@pytest.mark.parametrize("death", DEATHS)
def test_living_half_is_fenced_soon_and_the_dead_half_is_named(agent, death):
    """The dead ones come first in the order, so that none of them can decide."""
    agent.unfence()
    DEATHS[death](agent.lab.fabric)
    off = agent.start("n1", "off", plug="n2")
    wait_for(lambda: off.done() or set(OTHER_HALF) <= set(evicted(agent, "n2")))
    seconds = time.monotonic() - off.began
    assert set(OTHER_HALF) <= set(evicted(agent, "n2")), off.wait()
    assert seconds <= SOON, off.wait()
    result = off.wait()
    assert result.rc == 1, result
    assert named(agent, result) == list(HALF), result
    assert writable(agent.lab, "n2", OTHER_HALF) == []


# ---------------------------------------------------------------- LUN RESETs

@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.name.replace(" ", "-"))
def test_no_disk_is_sent_more_than_one_lun_reset(agent, situation):
    """As they arrive at the target; and who says that n2 is off has sent one to every disk."""
    agent.unfence()
    fabric = agent.lab.fabric
    situation.begin(fabric)
    fabric.forget_resets()
    result = agent("n1", "off", plug="n2")
    resets = fabric.resets()
    assert {k: n for k, n in resets.items() if n > 1 and k not in situation.dead} == {}, result
    if result.rc == 0:
        assert resets == dict.fromkeys(range(LUNS), 1), result
        assert writable(agent.lab, "n2") == []


# ------------------------------------------------ the faults are what they are called

ENOUGH = 2 * SLOWNESS           # seconds that no answer takes


def answer(lab, device, node="n1"):
    """What a device answers to TEST UNIT READY: good, none, or the words of sg_turs."""
    result = lab.exec(node, f"sg_turs -v {device} 2>&1", timeout=ENOUGH)
    if result.rc == 0 or result.timed_out:
        return "none" if result.timed_out else "good"
    said = ("Logical unit not supported", "Internal target failure")
    return next((words for words in said if words in result.stdout), result.stdout)


@pytest.mark.parametrize("begin,expected", [
    (lambda fabric: fabric.unmap(nodes=["n1"], luns=[3], paths=[1]), "Logical unit not supported"),
    (lambda fabric: fabric.hang(nodes=["n1"], luns=[3], paths=[1]), "none"),
    (lambda fabric: fabric.refuse(nodes=["n1"], luns=[3], paths=[1]), "Internal target failure"),
    (lambda fabric: fabric.lose(100, None, nodes=["n1"], luns=[3], paths=[1]), "none"),
], ids=["unmap", "hang", "refuse", "lose"])
def test_fault_is_where_it_was_put_and_ends(lab, begin, expected):
    begin(lab.fabric)
    assert answer(lab, "/dev/lun3-b") == expected
    assert [answer(lab, d) for d in ("/dev/lun3", "/dev/lun2-b", "/dev/lun4-b")] == ["good"] * 3
    assert answer(lab, "/dev/lun3-b", "n2") == "good"
    assert lab.fabric.hits() > 0
    lab.fabric.well()
    assert answer(lab, "/dev/lun3-b") == "good"


def test_dead_path_fails_and_comes_back(lab):
    read = "dd if={} of=/dev/null bs=4k count=1 iflag=direct"
    lab.fabric.kill(nodes=["n1"], luns=[3], paths=[1])
    assert lab.exec("n1", read.format("/dev/lun3-b")).rc
    assert lab.exec("n1", read.format("/dev/lun2-b")).rc == 0
    assert lab.exec("n2", read.format("/dev/lun3-b")).rc == 0
    assert [lab.exec("n1", read.format("/dev/mapper/mp3")).rc for _ in range(3)] == [0] * 3
    lab.fabric.well()
    assert lab.exec("n1", read.format("/dev/lun3-b")).rc == 0
    assert " F " not in lab.exec("n1", "dmsetup status mp3").stdout


def test_paths_that_die_again_and_again_come_back(lab):
    """iscsid gave up for ever a connection that was accepted and then closed."""
    for _ in range(3):
        lab.fabric.kill(nodes=["n1"], luns=[3], paths=[1])
        lab.fabric.well()
    assert [answer(lab, f"/dev/lun{k}-b") for k in range(LUNS)] == ["good"] * LUNS


@pytest.mark.parametrize("fault", ["busy", "transition"])
def test_disk_that_is_not_ready_is_so_for_a_while(lab, fault):
    """The kernel asks again by itself, so it is the time that tells. How soon it asks is its affair: 25 s were seen once."""
    getattr(lab.fabric, fault)(1, luns=[3])
    result = lab.exec("n1", "until sg_turs /dev/lun3; do :; done")
    assert result.rc == 0 and result.seconds > 0.5, result
    assert lab.fabric.hits() > 0
    assert lab.exec("n1", "sg_turs /dev/lun4").seconds < 0.5


def test_lun_resets_are_counted(lab):
    lab.fabric.forget_resets()
    lab.exec("n1", "sg_reset -N -d /dev/lun3; sg_reset -N -d /dev/lun3-b; sg_reset -N -d /dev/lun5")
    assert lab.fabric.resets() == {3: 2, 5: 1}
