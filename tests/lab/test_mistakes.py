# SPDX-License-Identifier: GPL-2.0-or-later
"""The ten most likely mistakes, made with the commands that a user types: what is seen where, and that no disk changes.

Whatever words are asserted here stand in doc/troubleshooting.md, too: says() looks there as well.
"""

import os
import re
import time

import pytest

from kinds import kinds
from lab_host import patience
from pacemaker import GIVEN_UP_FOR_NOW, PACEMAKER_LOG, REFRESH, UNFENCE, Cluster, until

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PCS = "pcs stonith create fence-disks fence_blkpr"
CRM = "crm configure primitive fence-disks stonith:fence_blkpr"
PROVIDES = "meta provides=unfencing "
UNFENCING_FAILED = ("Failed Fencing Actions", "unfencing of n")      # crm_mon
NOT_REGISTERED = ("is not registered", "stonith_admin --unfence NODE", "provides=unfencing")
NO_NODE = ("no such node in the cluster", "use one of its names, a fence device needs no pcmk_host_list")

# what is typed, what the message names, and the message
BAD_PARAMETERS = {
    # `on` waits for a disk that is not there, most of power_timeout
    "wrong device": ("devices=/dev/nothing power_timeout=5", "/dev/nothing",
                     "no such device; check the name and that the disk is connected (lsblk)"),
    "partition": ("devices=/dev/disk/by-id/shared-part1", "/dev/disk/by-id/shared-part1",
                  "a partition; reservations belong to the whole disk: name the disk"),
    "loop device": ("devices=/dev/loop0", "/dev/loop0",
                    "not a SCSI, NVMe or multipath disk, so it has no persistent reservations; name a shared disk that "
                    "has (loop devices, RAM disks and plain virtio disks do not)"),
    "key 0": ("devices=/dev/mapper/mp0 key=0", "key=0", "0 is no key; use 1 to 16 hexadecimal digits"),
    "wrong type": ("devices=/dev/mapper/mp0 reservation_type=WRITE_EXCLUSIVE", "reservation_type=WRITE_EXCLUSIVE",
                   "not one of WRITE_EXCLUSIVE_REG_ONLY, EXCLUSIVE_ACCESS_REG_ONLY, WRITE_EXCLUSIVE_ALL_REGS, "
                   "EXCLUSIVE_ACCESS_ALL_REGS"),
}
OTHERS = ["one path of a multipath map", "unknown node", "device on one node only", "no unfencing", "forgot provides"]


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def plain(text):
    return re.sub(r"[\s`]+", " ", text)


ATTEMPTS = 3            # after which Pacemaker gives up here, to save time; by default 10
REMEMBERED = "#node-unfenced|#digests|fail-count|last-failure"      # of a fence device, in nodes' attributes
GUIDE = plain(read("doc", "troubleshooting.md"))
README = read("README.md")


def says(text, *words):
    """The text has all these words, and so has doc/troubleshooting.md, with NODE for a node's name."""
    for wanted in words:
        assert wanted in text
    recommended(*(re.sub(r"\bn\d?\b", "NODE", wanted) for wanted in words))


def recommended(*words):
    for wanted in words:
        assert plain(wanted) in GUIDE, f"not in doc/troubleshooting.md: {wanted}"


def from_readme(start, devices):
    """The command in README.md that starts so, its two disks replaced."""
    command = re.search(rf"^    ({re.escape(start)}(?:.*\\\n)*.*)$", README, re.M).group(1)
    examples = re.findall(r"/dev/disk/by-id/wwn-0x[0-9a-f]+", command)
    assert len(examples) == len(devices)
    for example, device in zip(examples, devices):
        command = command.replace(example, device)
    return command


class Scene(Cluster):
    """A cluster without a fence device, in which somebody is about to type something."""

    created = None      # the resources in the CIB when the fence device was made as README.md says

    def prepare(self, node):
        """A loop device, and a partition of a shared disk; no table is written to the disk."""
        self.admin("""modprobe loop; disk=$(readlink -f /dev/lun0); addpart $disk 1 2048 4096
            until [ -b ${disk}1 ]; do sleep 0.01; done; ln -s ${disk}1 /dev/disk/by-id/shared-part1""", node)

    def begin(self, *registered):
        """No fence device, nothing remembered of one; these nodes, and no others, are registered on the disks."""
        if self.members("n1") == ["n1"]:        # the other one has been fenced
            self.lab.kill("n2")
            self.lab.boot("n2")
            self.prepare("n2")
            until(lambda: all(self.members(n) == self.lab.nodes for n in self.lab.nodes), "n2 does not come back")
        cib = self.admin("cibadmin -Q")
        if '<primitive id="fence-disks"' in cib:
            self.remove_fencing()
        if re.search(r'name="stonith-enabled" value="false"', cib):
            self.admin("crm_attribute -t crm_config -n stonith-enabled -v true")
        if re.search(rf'name="({REMEMBERED})', cib):
            self.admin("; ".join(f"crm_attribute -N {n} -l reboot -D -P '^({REMEMBERED})'" for n in self.lab.nodes))
        for node in self.lab.nodes:
            self.admin("rm -rf /run/fence_blkpr /var/lib/fence_blkpr", node)
        if registered or self.registered() != self.agent.everywhere():
            self.lab.reset_reservations()
            if registered:
                self.agent.unfence(*registered)
        self.mark()

    def restart_all(self, edit):
        """The whole cluster, empty, with corosync's configuration edited by sed."""
        def on_all(command):
            for wait in [self.start(command, node) for node in self.lab.nodes]:
                rc, text = wait()
                assert rc == 0, text
        on_all("pkill -x pacemakerd; while pgrep -x pacemakerd; do sleep 0.1; done; "
               "pkill -x corosync; while pgrep -x corosync; do sleep 0.1; done")
        on_all(f"sed '{edit}' /run/lab/corosync.conf >/etc/corosync/corosync.conf; corosync; "
               "until corosync-cmapctl -g totem.cluster_name; do sleep 0.1; done; "
               "bash -c 'log() { :; }; . /run/lab-guest/cluster; start_pacemaker'")
        until(lambda: all(self.members(n) == self.lab.nodes for n in self.lab.nodes), "the cluster does not come up again")
        self.limit_attempts()

    def limit_attempts(self):
        self.admin(f"crm_attribute -t crm_config -n stonith-max-attempts -v {ATTEMPTS}")

    def remove_fencing(self):
        """Until no fencer has the device, or does anything; and that it has failed is forgotten."""
        until(self.idle, "the cluster does not come to rest")       # else the fencer would owe an answer for a minute
        self.admin("cibadmin --delete --xml-text '<primitive id=\"fence-disks\"/>'")

        def gone():
            asked = [self.start("stonith_admin --list-registered", n) for n in self.lab.nodes]
            return not any("fence-disks" in text for _, text in [wait() for wait in asked]) and self.idle()
        until(gone, "the fencers keep the fence device")
        self.admin("stonith_admin --history '*' --cleanup")
        until(lambda: not re.search("fence-disks|Fencing Actions", self.crm_mon()), lambda: self.crm_mon())

    def idle(self):
        return "S_IDLE" in self.run("crmadmin -S n1; crmadmin -S n2")[1]

    def mark(self):
        """What is asserted of the log and of the disks is about what happens from now on."""
        self.since = {n: int(self.admin(f"stat -c %s {PACEMAKER_LOG}", n)) for n in self.lab.nodes}
        self.before = self.disks()

    def disks(self):
        """What the target has on each LUN: registrations, reservation, PR generation."""
        text = self.admin("cd /sys/kernel/config/target/core && grep -H . *_0/lun*/pr/res_pr_registered_i_pts "
                          "*_0/lun*/pr/res_holder *_0/lun*/pr/res_pr_type *_0/lun*/pr/res_pr_generation", "stor")
        return [sorted(re.findall(rf"^\w+/lun{k}/pr/.*", text, re.M)) for k in range(self.lab.luns)]

    def assert_unchanged(self, *luns):
        """No PR command has changed anything on these LUNs (none: on any), not even for a moment."""
        now = self.disks()
        for k in luns or range(self.lab.luns):
            assert now[k] == self.before[k]

    def start(self, command, node="n1"):
        """Begin what somebody types; a function that waits and gives (exit status, output)."""
        running = self.lab.start(node, f"( {command} ) 2>&1", timeout=patience(120))

        def wait():
            result = running.wait()
            return result.rc, result.stdout
        return wait

    def run(self, command, node="n1"):
        return self.start(command, node)()

    def crm_mon(self, by="n1"):
        return self.lab.exec(by, "crm_mon -1").stdout

    def log(self, *nodes):
        """Pacemaker's log on these nodes (none: on all)."""
        return "".join(self.admin(f"tail -c +{self.since[n] + 1} {PACEMAKER_LOG}", n) for n in nodes or self.lab.nodes)

    def agent_said(self, *nodes):
        """The agent's words in it."""
        return "\n".join(re.findall(r"fence_blkpr\[\d+\] stderr: \[ fence_blkpr: (.*?) \]$", self.log(*nodes), re.M))

    def until_crm_mon_says(self, *words):
        text = until(lambda: next((t for t in [self.crm_mon()] if all(w in t for w in words)), None),
                     lambda: f"{words} not in {self.crm_mon()}\n{self.log()}")
        says(text, *words)
        return text

    def until_done(self, condition, what):
        """Until Pacemaker has done it; told again, every 15 s at most, when it asked a fencer that did not have the new
        device yet."""
        refreshed = 0

        def done():
            nonlocal refreshed
            if condition():
                return True
            if time.monotonic() - refreshed > 15 and GIVEN_UP_FOR_NOW in self.log():
                recommended(GIVEN_UP_FOR_NOW, REFRESH, UNFENCE)
                self.look_again(self.lab.nodes)
                refreshed = time.monotonic()
            return False
        until(done, what)

    def until_agent_says(self, *words, nodes=()):
        """Until the log (of one of these nodes; none: of any) has the agent's words."""
        self.until_done(lambda: all(w in self.agent_said(*nodes) for w in words),
                        lambda: f"{words} not in {self.agent_said(*nodes)}\n{self.log()}")
        says(self.agent_said(*nodes), *words)

    def unfenced_on(self, *luns):
        """Whether all nodes are registered on every path of these LUNs, and nobody on the others."""
        return self.registered() == [{node: self.agent.paths for node in self.lab.nodes if k in luns}
                                     for k in range(self.lab.luns)]

    def create_as_readme_says(self):
        assert self.run(from_readme(PCS, self.two_disks())) == (0, "")
        self.created = self.admin("cibadmin -Q -o resources")

    def two_disks(self):
        return [self.agent.device(0), self.agent.device(1)]

    def is_good(self):
        """Whether the fence device that README.md makes is there and started, and its disks are as they should be."""
        return (self.created == self.admin("cibadmin -Q -o resources") and self.unfenced_on(0, 1)
                and self.where("fence-disks", "n1"))

    def until_good(self, *luns):
        """Until all nodes are registered there, and the fence device is started."""
        self.until_done(lambda: self.unfenced_on(*luns) and self.where("fence-disks", "n1"),
                        lambda: f"{self.registered()}\n{self.crm_mon()}\n{self.log()}")


@pytest.fixture(scope="module")
def scene_of_run(labs):
    if not os.environ.get("BLKPR_STAGE"):
        pytest.skip("BLKPR_STAGE (a make install DESTDIR= tree) is not set")
    scene = Scene(labs(kernel="7", nodes=2, luns=3, paths=2, cluster="pacemaker"))
    for node in scene.lab.nodes:
        scene.prepare(node)
    scene.limit_attempts()
    return scene


@pytest.fixture
def scene(scene_of_run):
    """Both nodes are registered, as by hand."""
    scene_of_run.begin("n1", "n2")
    return scene_of_run


@pytest.fixture
def new(scene_of_run):
    """Disks that nobody has used yet."""
    scene_of_run.begin()
    return scene_of_run


@pytest.fixture
def good(scene_of_run):
    """The fence device as README.md makes it, or as the test before this one has left it; all is well."""
    scene = scene_of_run
    if not scene.is_good():
        scene.begin()
        scene.create_as_readme_says()
        scene.until_good(0, 1)
    scene.mark()
    return scene


def test_guide_has_the_ten():
    section = read("doc", "troubleshooting.md").partition("## The ten most likely mistakes")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \d+ \| ([^|,]+?)[,|]", section, re.M) == list(BAD_PARAMETERS) + OTHERS


# ---------------------------------------------------------------- what the agent sees in its parameters

@pytest.mark.parametrize("mistake", kinds(BAD_PARAMETERS, ["wrong device"]))
def test_bad_parameter(scene, mistake):
    """Who asks the agent first is told. pcs as such makes the device; unfencing fails, and the log says why."""
    parameters, name, words = BAD_PARAMETERS[mistake]
    careful = scene.start(f"{PCS.replace('fence-disks', 'careful')} {parameters} --agent-validation", "n2")
    options = " ".join(f"--option {p}" for p in parameters.split())
    rc, text = scene.run(f"stonith_admin --validate --agent fence_blkpr {options}")
    assert rc == 1 and f"fence_blkpr: {name}: {words}" in text
    says(text, "Validation of fence_blkpr failed", words)
    assert scene.run(f"{PCS} {parameters}") == (0, "")
    rc, text = careful()
    assert rc == 1 and f"fence_blkpr: {name}: {words}" in text
    says(text, "Validation result from agent", words)
    scene.until_agent_says(words)
    assert f"{name}: {words}" in scene.agent_said()
    assert "Started" not in scene.until_crm_mon_says(*UNFENCING_FAILED)
    assert "careful" not in scene.admin("cibadmin -Q")
    scene.assert_unchanged()


def test_partition_of_a_map(scene_of_run):
    scene = scene_of_run
    scene.admin("dmsetup info mp0p1 || dmsetup create mp0p1 --uuid part1-$(dmsetup info -c --noheadings -o uuid mp0) "
                "--table '0 2048 linear /dev/mapper/mp0 2048' && dmsetup mknodes")
    rc, text = scene.run("stonith_admin --validate --agent fence_blkpr --option devices=/dev/mapper/mp0p1")
    scene.admin("dmsetup remove mp0p1")
    assert rc == 1 and "/dev/mapper/mp0p1: " in text
    says(text, "a partition of a multipath map; reservations belong to the whole disk: name the map")


def test_crm_resource_does_not_validate(scene_of_run):
    rc, text = scene_of_run.run("crm_resource --validate --class stonith --agent fence_blkpr devices=/dev/nothing")
    assert rc != 0
    says(text, "Manual execution of the stonith standard is unsupported")


def test_valid_type_that_the_disk_does_not_have(scene):
    """The nodes have agreed on a reservation type, and somebody sets another. Pacemaker does not try for ever."""
    assert scene.run(f"{PCS} devices=/dev/mapper/mp0 reservation_type=EXCLUSIVE_ACCESS_REG_ONLY") == (0, "")
    scene.until_agent_says("it is not ours to break: release it, or set reservation_type to it")
    assert re.search(r"/dev/mapper/mp0: a reservation of type WRITE_EXCLUSIVE_REG_ONLY is held by 0x\w+ \(n\d\), "
                     "not EXCLUSIVE_ACCESS_REG_ONLY; it is not", scene.agent_said())
    scene.until_crm_mon_says(*UNFENCING_FAILED)
    given_up = until(lambda: re.search(r"Too many failures \((\d+)\) to fence (n\d), giving up", scene.log()),
                     lambda: f"Pacemaker does not give up: {scene.log()}")
    assert int(given_up[1]) >= ATTEMPTS
    recommended(given_up[0].replace(given_up[1], "10").replace(given_up[2], "NODE"))
    scene.assert_unchanged()


# ---------------------------------------------------------------- what only the cluster shows

def test_path_of_a_map_is_no_mistake(new):
    """The agent registers on every path of the map, and says which map it is."""
    assert new.run(f"{PCS} devices=/dev/lun0,/dev/lun1-b --agent-validation") == (0, "")
    new.until_good(0, 1)
    rc, text = new.run("fence_blkpr -o monitor -v -d /dev/lun0")
    assert rc == 0 and re.match(r"fence_blkpr: /dev/lun0 \(36\w+, SCSI multipath /dev/dm-\d+, 2 paths\): ok", text)
    says(text, "SCSI multipath", "2 paths")


def test_disk_on_one_node_only(new):
    """Validation asks the node where it is typed; the other node's log says what is wrong there."""
    link = "ln -sfn ../../mapper/mp1 /dev/disk/by-id/shared"
    new.admin("rm -f /dev/disk/by-id/shared", "n2")
    new.admin(link, "n1")
    assert new.run(f"{PCS} devices=/dev/disk/by-id/shared power_timeout=8 --agent-validation") == (0, "")
    new.until_agent_says("no such device; check the name and that the disk is connected (lsblk)", nodes=["n2"])
    new.until_crm_mon_says("Failed Fencing Actions", "unfencing of n2")
    assert new.agent_said("n1") == ""
    recommended("pcs stonith refresh")
    assert not new.registered()[1].get("n2")
    new.assert_unchanged(0, 2)
    new.admin(link, "n2")
    assert new.run("pcs stonith refresh")[0] == 0
    new.until_good(1)


def assert_nobody_is_registered(scene):
    """The fence device starts on no node, and each node's log says why."""
    for node in scene.lab.nodes:
        scene.until_agent_says(*NOT_REGISTERED, nodes=[node])
        said = scene.agent_said(node)
        assert f"{scene.agent.device(0)}: this node's key {scene.key(node)} ({node}) is not registered" in said
    scene.until_crm_mon_says("Failed Resource Actions", "fence-disks start on n1 returned 'error'",
                             "fence-disks start on n2 returned 'error'")
    scene.assert_unchanged()


def test_no_unfencing_while_stonith_is_disabled(new):
    new.admin("crm_attribute -t crm_config -n stonith-enabled -v false")
    new.create_as_readme_says()
    assert_nobody_is_registered(new)
    remedy = "pcs property set stonith-enabled=true"
    recommended(remedy, REFRESH)
    assert new.run(f"{remedy} && {REFRESH}")[0] == 0
    new.until_good(0, 1)


def test_no_unfencing_of_a_disk_that_was_cleared(good):
    """Pacemaker has unfenced the nodes and sees no reason to do it again."""
    good.lab.reset_reservations()
    for node in good.lab.nodes:
        result = good.agent(node, "monitor")
        assert result.rc == 1
        says(result.stderr, *NOT_REGISTERED)
        recommended("stonith_admin --unfence NODE")
        assert good.run(f"stonith_admin --unfence {node}") == (0, "")
    good.until_good(0, 1)
    assert [good.agent(n, "monitor", devices=good.agent.devices([0, 1])).rc for n in good.lab.nodes] == [0, 0]


def test_unknown_node(good):
    """The fencer does not ask the agent, unless pcmk_host_list tells it to."""
    wrong = good.start("pcs stonith fence n9", "n2")
    for action in ("fence", "unfence"):
        rc, text = good.run(f"stonith_admin --{action} n9")
        assert rc != 0
        says(text, f"Couldn't {action} n9: No such device")
    rc, text = wrong()
    assert rc == 1
    says(text, "unable to fence 'n9'")
    good.assert_unchanged()
    good.admin("crm_resource -r fence-disks -p pcmk_host_list -v 'n1 n9'")
    good.until_crm_mon_says(*UNFENCING_FAILED)          # of n2, which the list has not
    until(lambda: good.run("stonith_admin --fence n9")[1] == "stonith_admin: Couldn't fence n9: No data available\n",
          "the fencers do not hear of n9")
    recommended("Couldn't fence NODE: No data available")
    good.until_agent_says(*NO_NODE)
    assert re.search("n9: no such node in the cluster 'mycluster'; use one .*; it has n1 n2$", good.agent_said(), re.M)
    assert good.unfenced_on(0, 1)


def test_forgot_provides(new):
    """pcs sets it by itself, so this happens with crmsh, which takes the device without a word."""
    command = from_readme(CRM, new.two_disks())
    assert PROVIDES in command
    assert new.run(command.replace(PROVIDES, "")) == (0, "")
    assert_nobody_is_registered(new)
    remedy = "crm resource meta fence-disks set provides unfencing"
    recommended(remedy, "crm resource refresh")
    assert new.run(f"{remedy} && crm resource refresh")[0] == 0
    new.until_good(0, 1)


# ---------------------------------------------------------------- no mistake: what comes late, hangs, or has other names

def test_disk_that_comes_late_is_waited_for(new):
    """On one node it is there only after Pacemaker: no unfencing fails, and nobody has to refresh anything."""
    link = "ln -sfn ../../mapper/mp1 /dev/disk/by-id/shared"
    new.admin("rm -f /dev/disk/by-id/shared", "n2")
    new.admin(link, "n1")
    assert new.run(f"{PCS} devices=/dev/disk/by-id/shared") == (0, "")
    new.until_agent_says("waiting for disks", nodes=["n2"])
    new.admin(link, "n2")
    new.until_good(1)
    assert "Failed Fencing Actions" not in new.crm_mon()


def test_verdict_arrives_where_the_fencers_limit_is_the_same(new):
    """A disk hangs. What the log says is the disk's name, not that the agent was ended."""
    devices = ",".join(new.two_disks())
    assert new.run(f"{PCS} devices={devices} power_timeout=10 pcmk_off_timeout=10 op monitor interval=600s") == (0, "")
    new.until_good(0, 1)
    new.mark()
    new.lab.hang(0)
    try:
        assert new.run("stonith_admin --fence n2")[0] != 0
        new.until_agent_says("no answer before the deadline", nodes=["n1"])
        assert f"{new.agent.device(0)}: no answer before the deadline" in new.agent_said("n1")
        assert not re.search("fence_blkpr.*(timed out after|did not complete within)", new.log())
        assert new.fencings("n2", "n1", "failed") and not new.registered()[1].get("n2")
    finally:
        new.lab.resume(0)


@pytest.fixture
def nameless(scene_of_run):
    """Corosync has the nodes' addresses only; Pacemaker calls them as their hosts are called."""
    scene_of_run.restart_all("/name: n/d")
    scene_of_run.begin()
    yield scene_of_run
    scene_of_run.restart_all("")


def test_map_to_the_names_that_corosync_has(nameless):
    """Without one Pacemaker knows of no device for its nodes, and a log says why."""
    def keys():
        return [len({key for key, _ in nameless.lab.keys(k)}) for k in (0, 1)]
    command = from_readme(PCS, nameless.two_disks())
    assert nameless.run(command) == (0, "")
    nameless.until_agent_says("set nodelist.node.name in corosync.conf, or pcmk_host_map")
    assert keys() == [0, 0]
    nameless.begin()
    assert nameless.run(f"{command} pcmk_host_map='n1:10.99.1.1;n2:10.99.1.2'") == (0, "")
    nameless.until_done(lambda: keys() == [2, 2] and nameless.where("fence-disks", "n1"),
                        lambda: f"{keys()}\n{nameless.crm_mon()}\n{nameless.log()}")
    assert nameless.run("stonith_admin --fence n2") == (0, "")
    assert keys() == [1, 1]


# ---------------------------------------------------------------- no mistake: README.md

def test_readme_crmsh_fences(new):
    assert new.run(from_readme(CRM, new.two_disks())) == (0, "")
    new.until_good(0, 1)
    assert new.run("stonith_admin --fence n2") == (0, "")
    assert new.registered() == [{"n1": 2}, {"n1": 2}, {}]
    assert new.until_fenced("n2", "n1")
    for node, works in (("n1", True), ("n2", False)):
        result = new.lab.exec(node, f"dd if=/dev/zero of={new.agent.device(0)} bs=4k count=1 oflag=direct")
        assert (result.rc == 0) == works, result
