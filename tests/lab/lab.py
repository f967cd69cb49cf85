#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a SAN with real persistent reservations and cluster nodes, as processes of this machine.

Every machine is a User Mode Linux kernel in one network namespace: `stor` serves the LUNs (LIO, iSCSI),
`n1` to `nN` use them. README.md tells how it is built.

    lab.py up --nodes 2 --luns 3        start it (prepares itself the first time)
    lab.py exec n1 sg_persist -k /dev/lun0
    lab.py down                         leave nothing behind
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import lab_image
from lab_image import ImageError, say

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.environ.get("BLKPR_LAB_RUN", "/run/fence-blkpr-lab")

MGMT, RING, SAN_A, SAN_B = range(4)     # networks 10.99.<network>.<machine>
CUTS = {"ring": [RING], "san": [SAN_A, SAN_B], "san-a": [SAN_A], "san-b": [SAN_B]}
STOR_ADDRESS = 200                      # nodes have 1, 2, ...; the LUNs that can hang 201, 202, ...
MAX_NODES, MAX_HANG_LUNS = 64, 32
EXEC_PORT = 7000
BOOT_TIMEOUT = 60
GRACE = 5                               # seconds a command server may take beyond a command's own timeout
CLONE_NEWNET = 0x40000000
# two benchmarks that every kernel would run for 0.9 s at boot: RAID 6 and the delay loop
FAST_BOOT = ["initcall_blacklist=raid6_select_algo,raid6_init", "lpj=9600000"]


class LabError(Exception):
    """What was asked for did not work; the text names the thing and the remedy."""


# ---------------------------------------------------------------- commands on a machine

class Result:
    """What a command did: rc (124: timed out), stdout, stderr (text), seconds."""

    def __init__(self, rc, stdout, stderr, seconds, timed_out=False):
        self.rc = rc
        self.stdout = stdout
        self.stderr = stderr
        self.seconds = seconds
        self.timed_out = timed_out

    def __repr__(self):
        return f"Result(rc={self.rc}, stdout={self.stdout!r}, stderr={self.stderr!r}, seconds={self.seconds:.3f})"


class Running:
    """A command begun by Lab.start(); it runs already."""

    def __init__(self, node, cmd, connection, timeout):
        self.node = node
        self.cmd = cmd
        self.connection = connection
        self.timeout = timeout
        self.began = time.monotonic()
        self.result = None

    def done(self):
        """Whether wait() would return at once."""
        if self.result:
            return True
        self.connection.settimeout(0)
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def wait(self):
        """The command's Result, once it has ended or its timeout has passed."""
        if not self.result:
            self.connection.settimeout(max(0.1, self.began + self.timeout + GRACE - time.monotonic()))
            try:
                with self.connection, self.connection.makefile("rb") as stream:
                    self.result = self._read(stream)
            except (OSError, ValueError) as e:
                raise LabError(f"{self.node}: no answer to '{self.cmd}' ({e}): was the node killed or frozen? "
                               "see `lab.py status`") from e
        return self.result

    def _read(self, stream):
        line = stream.readline()
        if not line:
            raise ValueError("connection closed")
        head = json.loads(line)
        out, err = stream.read(head["out"]), stream.read(head["err"])
        return Result(head["rc"], out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape"),
                      time.monotonic() - self.began, head["timed_out"])

    def abandon(self):
        """Stop caring; the command is killed."""
        self.connection.close()


@contextlib.contextmanager
def network_namespace(name):
    """Run the body in a network namespace (this thread only); sockets made there stay there."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with open("/proc/thread-self/ns/net") as home:
        try:
            there = open(f"/run/netns/{name}")      # noqa: SIM115
        except OSError as e:
            raise LabError(f"network namespace {name} is gone: run `lab.py down` and `lab.py up`") from e
        with there:
            if setns(there.fileno(), CLONE_NEWNET):
                raise LabError(f"cannot enter network namespace {name}: {os.strerror(ctypes.get_errno())} (be root)")
        try:
            yield
        finally:
            setns(home.fileno(), CLONE_NEWNET)


# ---------------------------------------------------------------- the lab

class Lab:
    """A lab that is up. Make one with `up(...)`, or name one that is up already: Lab("lab")."""

    def __init__(self, name="lab"):
        self.name = name
        self.dir = os.path.join(RUN, name)
        self.netns = "blkpr-" + name
        try:
            with open(os.path.join(self.dir, "lab.json")) as f:
                self.config = json.load(f)
        except FileNotFoundError:
            raise LabError(f"no lab '{name}' is up (lab.py up --name {name})") from None

    @property
    def nodes(self):
        """The cluster nodes' names, in the order of corosync's nodelist."""
        return [f"n{i + 1}" for i in range(self.config["nodes"])]

    @property
    def machines(self):
        return ["stor", *self.nodes]

    @property
    def luns(self):
        return self.config["luns"]

    @property
    def hang_luns(self):
        """The LUNs that `hang` works on."""
        return self.config["hang_luns"]

    # -- commands

    def start(self, node, cmd, timeout=60, stdin=None):
        """Begin a shell command on a machine; returns a Running, whose wait() gives the Result."""
        self._must_run(node)
        data = stdin.encode(errors="surrogateescape") if isinstance(stdin, str) else stdin or b""
        request = json.dumps({"cmd": cmd, "timeout": timeout, "stdin": len(data)}).encode() + b"\n" + data
        try:
            with network_namespace(self.netns):
                connection = socket.create_connection((address(MGMT, node), EXEC_PORT), timeout=10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
        except OSError as e:
            raise LabError(f"{node} does not take commands ({e}): is it frozen? see `lab.py status`, "
                           f"{self.console(node)}") from e
        return Running(node, cmd, connection, timeout)

    def exec(self, node, cmd, timeout=60, stdin=None, check=False):
        """Run a shell command on a machine. Out of time is rc 124; check raises LabError unless rc is 0."""
        result = self.start(node, cmd, timeout, stdin).wait()
        if check and result.rc:
            raise LabError(f"{node}: '{cmd}' failed with {result.rc}: {result.stderr.strip() or result.stdout.strip()}")
        return result

    # -- failures of networks

    def cut(self, node, net):
        """Unplug a node from its 'ring', 'san' (both), 'san-a' or 'san-b'."""
        self._plug(node, net, lambda n: ["nomaster"])

    def heal(self, node, net=None):
        """Plug a node in again (net=None: every network)."""
        self._plug(node, net or "all", lambda n: ["master", f"br{n}"])

    def _plug(self, node, net, how):
        self._must_know(node)
        networks = [RING, SAN_A, SAN_B] if net == "all" else CUTS.get(net)
        if networks is None:
            raise LabError(f"no network '{net}'; there are: {', '.join(CUTS)}")
        for n in networks:
            call("ip", "-n", self.netns, "link", "set", tap(node, n), *how(n))

    def cuts(self, node):
        """The names of the networks a node is cut from."""
        text = call("ip", "-n", self.netns, "-j", "link", "show")
        unplugged = {link["ifname"] for link in json.loads(text) if "master" not in link}
        return [name for name in ("ring", "san-a", "san-b") if tap(node, CUTS[name][0]) in unplugged]

    # -- failures of disks

    def hang(self, lun):
        """Let every command on a LUN hang, on all nodes, without an end (PR commands too)."""
        hung = self.hung()
        if lun not in hung:
            self.exec("stor", "/bin/bash /run/lab-guest/hang on " + self._hang_arguments(lun), check=True)
            self._write_hung([*hung, lun])

    def resume(self, lun=None):
        """Let a LUN go on (None: all); the commands that hung complete."""
        for k in self.hung() if lun is None else [lun]:
            arguments = self._hang_arguments(k)
            if k in self.hung():
                self.exec("stor", "/bin/bash /run/lab-guest/hang off " + arguments, check=True)
                self._write_hung([h for h in self.hung() if h != k])

    def hung(self):
        """The LUNs that hang now."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "hung")) as f:
            return json.load(f)
        return []

    def _write_hung(self, luns):
        write(os.path.join(self.dir, "hung"), json.dumps(luns))

    def _hang_arguments(self, lun):
        if lun not in self.hang_luns:
            raise LabError(f"LUN {lun} cannot hang; those that can: {self.hang_luns or 'none'} "
                           f"(choose with `lab.py up --hang-luns {lun}`)")
        i = self.hang_luns.index(lun)
        portals = [f"10.99.{san}.{STOR_ADDRESS + 1 + i}" for san in (SAN_A, SAN_B)[:self.config["paths"]]]
        return shlex.join([str(i), *portals])

    def latency(self, ms):
        """Delay everything the target sends by ms milliseconds; 0 is none."""
        commands = [f"tc qdisc replace dev vec{san} root netem delay {ms}ms limit 100000" if ms else
                    f"tc qdisc del dev vec{san} root 2>/dev/null || :" for san in (SAN_A, SAN_B)]
        self.exec("stor", "modprobe sch_netem && " + " && ".join(commands), check=True)

    # -- the target's truth

    def keys(self, lun):
        """[(key, registrant)]: what the target has registered for a LUN, from its configfs."""
        text = self._pr(lun, "res_pr_registered_i_pts")
        found = re.findall(r"Node: (\S+) Key: (0x[0-9a-fA-F]+)", text)
        return [(hex(int(key, 16)), who) for who, key in found]

    def holder(self, lun):
        """{"holder", "type", "key", "prgen"} of a LUN; the first three None when nothing is reserved."""
        files = ("res_holder", "res_pr_holder_tg_port", "res_pr_type", "res_pr_generation")
        who, _, kind, generation = (self._pr(lun, f).strip() for f in files)
        found = re.search(r"(iqn\.\S+)", who)
        holder = found and found.group(1)
        key = next((k for k, r in self.keys(lun) if r == holder), None)
        return {"holder": holder, "type": kind.removeprefix("SPC-3 Reservation Type: ") if holder else None,
                "key": key, "prgen": int(generation.rsplit(None, 1)[-1], 0) if "0x" in generation else None}

    def _pr(self, lun, file):
        if not 0 <= lun < self.luns:
            raise LabError(f"no LUN {lun}; there are 0 to {self.luns - 1}")
        return self.exec("stor", f"cat /sys/kernel/config/target/core/fileio_0/lun{lun}/pr/{file}", check=True).stdout

    def reset_reservations(self):
        """No registration, no reservation, no hung LUN, no cut and no pending unit attention on any LUN."""
        self.resume()
        alive = [n for n in self.nodes if self.state(n) == "running"]
        for node in alive:
            if self.cuts(node):
                self.heal(node)
        used = self.exec("stor", "cd /sys/kernel/config/target/core/fileio_0 && "
                                 "grep -l Key: lun*/pr/res_pr_registered_i_pts || :", check=True).stdout
        luns = " ".join(re.findall(r"lun(\d+)/", used))
        if not luns:
            return
        if not alive:
            raise LabError("reservations cannot be reset: no node runs (lab.py start n1)")
        self.exec(alive[0], f"python3 -I -S /run/lab-guest/scsi.py clear {luns}", check=True)
        waiting = [self.start(n, f"python3 -I -S /run/lab-guest/scsi.py settle {luns}") for n in alive]
        for running in waiting:
            result = running.wait()
            if result.rc:
                raise LabError(f"{running.node}: {result.stderr}")

    # -- machines

    def state(self, machine):
        """'running', 'frozen' or 'off'."""
        pids = self._processes(machine)
        if not pids:
            return "off"
        return "frozen" if process_stat(self._pid(machine))[0] == "T" else "running"

    def kill(self, node):
        """Switch a machine off, hard."""
        self._must_know(node)
        pids = self._processes(node)
        if pids:
            os.killpg(self._pid(node), signal.SIGKILL)
        wait_until(lambda: not self._processes(node), 10, f"{node} does not die (processes {pids})")

    def boot(self, node):
        """Switch a machine on again, with a fresh system, and wait until it is ready. (CLI: start)"""
        self._must_know(node)
        if self._processes(node):
            raise LabError(f"{node} is on already (lab.py kill {node} first)")
        san = [c for c in self.cuts(node) if c.startswith("san")]
        if san:
            raise LabError(f"{node} cannot log in: its {' and '.join(san)} is cut (lab.py heal {node} san)")
        self._spawn(node)
        self._wait_ready([node])

    def freeze(self, node):
        """Stop a machine's time. (Its kernel only: one that uses ptrace would take its processes' stop for a signal.)"""
        self._must_run(node)
        os.kill(self._pid(node), signal.SIGSTOP)
        wait_until(lambda: self.state(node) == "frozen", 5, f"{node} does not stop")

    def thaw(self, node):
        """Let a frozen machine go on."""
        self._must_know(node)
        if not self._processes(node):
            raise LabError(f"{node} is off (lab.py start {node})")
        os.kill(self._pid(node), signal.SIGCONT)

    def console(self, machine):
        """The path of a machine's console output."""
        return os.path.join(self.dir, machine, "console")

    def wait_online(self, timeout=60):
        """Until Pacemaker on every node that runs sees every one of them online."""
        alive = [n for n in self.nodes if self.state(n) == "running"]

        def online(node):
            text = self.exec(node, "crm_mon -1 2>/dev/null").stdout
            found = re.search(r"Online: \[ (.*?) \]", text)
            return found and set(found.group(1).split()) >= set(alive)

        for node in alive:
            wait_until(lambda: online(node), timeout, f"{node} does not see {' '.join(alive)} online", pause=0.2)

    def status(self):
        """A description for a person."""
        c = self.config
        lines = [f"lab {self.name}: {c['nodes']} nodes, {c['luns']} LUNs, {c['paths']} path(s), "
                 f"cluster {c['cluster']}, stage {c['stage'] or 'none'}, {self.dir}"]
        for machine in self.machines:
            version = c["stor_kernel"] if machine == "stor" else c["kernel"]
            cuts = self.cuts(machine)
            lines.append(f"{machine:5} {self.state(machine):8} Linux {version}"
                         + (f"  cut: {' '.join(cuts)}" if cuts else ""))
        lines.append(f"LUNs that can hang: {c['hang_luns'] or 'none'}; hanging: {self.hung() or 'none'}")
        return "\n".join(lines)

    def down(self):
        """Remove the lab with all its traces."""
        down(self.name)

    # -- inside

    def _must_know(self, machine):
        if machine not in self.machines:
            raise LabError(f"no machine '{machine}'; there are: {' '.join(self.machines)}")

    def _must_run(self, machine):
        self._must_know(machine)
        state = self.state(machine)
        if state != "running":
            raise LabError(f"{machine} is {state} (lab.py {'thaw' if state == 'frozen' else 'start'} {machine})")

    def _pid(self, machine):
        """The recorded process group of a machine, 0 if there is none."""
        with contextlib.suppress(FileNotFoundError, ValueError), open(f"{self.dir}/{machine}/pid") as f:
            return int(f.read())
        return 0

    def _processes(self, machine):
        """The processes of a machine that live, and are certainly ours: of its group and in our namespace."""
        pid = self._pid(machine)
        reap(pid)
        if pid and process_stat(pid)[0] not in "XZ":      # the usual case, without a look at every process
            return [pid] if namespace_of(pid) == namespace_id(self.netns) else []
        return group_members(pid, self.netns)

    def _spawn(self, machine):
        """Start a machine's kernel and record its process group."""
        c = self.config
        directory = os.path.join(self.dir, machine)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self._write_settings(machine, directory)
        version = c["stor_kernel"] if machine == "stor" else c["kernel"]
        kernel = [os.path.join(c["image"], "kernels", version)]
        if lab_image.version_key(version)[0] >= 7:
            kernel.append("seccomp=on")
        index = host_number(machine)
        networks = [f"vec{n}:transport=tap,ifname={tap(machine, n)},gro=1,mtu=1500,mac=02:00:00:00:0{n}:{index:02x}"
                    for n in range(4)]
        stage = [f"lab_stage={c['stage']}"] if c["stage"] and machine != "stor" else []
        argv = [*kernel, f"mem={c['memory']}M", f"umid={machine}",
                f"uml_dir={self.dir}/uml/", "rootfstype=hostfs", f"rootflags={c['image']}/root", "ro",
                "init=/lab-init", f"lab_dir={directory}", f"lab_guest={HERE}/guest", *stage,
                "con=null", "con0=null,fd:1", "quiet", "panic=1", "noreboot",
                *FAST_BOOT, *networks]
        console = os.open(os.path.join(directory, "console"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        with network_namespace(self.netns):         # so that the process is known to be ours from its first moment
            pid = os.posix_spawn(argv[0], argv, os.environ, setsid=True, file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, console, 1), (os.POSIX_SPAWN_DUP2, console, 2)])
        write(os.path.join(directory, "pid"), str(pid))
        os.close(console)
        os.close(null)

    def _write_settings(self, machine, directory):
        """What guest/boot reads in a machine's directory."""
        c = self.config
        settings = {
            "NODE": machine, "ROLE": "stor" if machine == "stor" else "node", "NODES": " ".join(self.nodes),
            "LUNS": c["luns"], "LUN_SIZE": c["lun_size"], "PATHS": c["paths"], "CLUSTER": c["cluster"],
            "HANG_LUNS": " ".join(map(str, c["hang_luns"])), "SHUFFLE": int(c["shuffle"]),
            "QUEUE": int(c["queue_if_no_path"]),
        }
        write(f"{directory}/config", "".join(f"{key}={shlex.quote(str(v))}\n" for key, v in settings.items()))
        hosts = "".join(f"{address(RING, n)} {n}\n" for n in self.nodes)
        write(f"{directory}/hosts", f"127.0.0.1 localhost\n{address(SAN_A, 'stor')} stor\n{hosts}")
        lines = ["link set lo up"]
        for n in range(4):
            lines += [f"addr add {address(n, machine)}/24 dev vec{n}", f"link set vec{n} up"]
        if machine == "stor":
            lines += [f"addr add 10.99.{san}.{STOR_ADDRESS + 1 + i}/32 dev vec{san}"
                      for san in (SAN_A, SAN_B) for i in range(len(c["hang_luns"]))]
        write(f"{directory}/network", "\n".join(lines) + "\n")
        write(f"{directory}/corosync.conf", corosync_conf(c["cluster_name"], self.nodes))

    def _wait_ready(self, machines, timeout=BOOT_TIMEOUT):
        """Until guest/boot has finished on the machines; names the one that did not, and its last words."""
        deadline = time.monotonic() + timeout
        for machine in machines:
            directory = os.path.join(self.dir, machine)
            while not os.path.exists(f"{directory}/ready"):
                why = None
                if os.path.exists(f"{directory}/failed"):
                    with open(f"{directory}/failed") as f:
                        why = f.read().strip()
                elif not self._processes(machine):
                    why = "its kernel has ended"
                elif time.monotonic() > deadline:
                    why = f"it was not ready within {timeout} s"
                if why:
                    raise LabError(f"{machine} did not start: {why}\n--- end of its console\n{tail(self.console(machine))}")
                time.sleep(0.01)


# ---------------------------------------------------------------- up and down

def up(name="lab", nodes=2, luns=1, paths=1, kernel="7", stor_kernel="7", cluster="corosync",
       cluster_name="mycluster", stage=None, hang_luns=None, shuffle=False, queue_if_no_path=False,
       lun_size=64, memory=512):
    """Start a lab and return it when every machine is ready. hang_luns=None: the first and the last of several."""
    check_request(name, nodes, luns, paths, cluster, stage)
    image = lab_image.prepare()
    if hang_luns is None:
        hang_luns = [0, luns - 1] if luns > 1 else []
    hang_luns = sorted(set(hang_luns))
    if len(hang_luns) > MAX_HANG_LUNS or any(not 0 <= k < luns for k in hang_luns):
        raise LabError(f"--hang-luns: at most {MAX_HANG_LUNS} of the LUNs 0 to {luns - 1}")
    clear_way(name)
    os.makedirs(os.path.join(RUN, name, "uml"))
    write(os.path.join(RUN, name, "lab.json"), json.dumps({
        "nodes": nodes, "luns": luns, "paths": paths, "kernel": image.kernel(kernel),
        "stor_kernel": image.kernel(stor_kernel), "cluster": cluster, "cluster_name": cluster_name,
        "stage": stage and os.path.abspath(stage), "hang_luns": hang_luns, "shuffle": shuffle,
        "queue_if_no_path": queue_if_no_path, "lun_size": lun_size, "memory": memory, "image": image.path}, indent=1))
    lab = Lab(name)
    try:
        make_network(lab)
        for machine in lab.machines:
            lab._spawn(machine)
        lab._wait_ready(lab.machines)
        if cluster == "pacemaker":
            lab.wait_online()
    except BaseException:
        down(name)
        raise
    return lab


def check_request(name, nodes, luns, paths, cluster, stage):
    """Refuse what cannot work, before anything is made."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", name) or name.startswith("."):
        raise LabError(f"'{name}' cannot be a lab's name: use up to 32 letters, digits, dashes")
    if not 1 <= nodes <= MAX_NODES:
        raise LabError(f"--nodes {nodes}: 1 to {MAX_NODES}")
    if not 1 <= luns <= 1024:
        raise LabError(f"--luns {luns}: 1 to 1024")
    if paths not in (1, 2):
        raise LabError(f"--paths {paths}: 1 or 2")
    if cluster not in ("none", "corosync", "pacemaker"):
        raise LabError(f"--cluster {cluster}: none, corosync or pacemaker")
    if stage and not os.path.isdir(stage):
        raise LabError(f"--stage {stage}: no such directory (make one with `make install DESTDIR={stage}`)")
    hiding = [d for d in ("bin", "sbin", "lib", "lib64") if stage and os.path.lexists(os.path.join(stage, d))]
    if hiding:
        raise LabError(f"--stage {stage}: its /{hiding[0]} would hide the nodes' own; install with prefix=/usr")


def clear_way(name):
    """Make sure no lab of that name is up; remove what a lab that died has left."""
    try:
        lab = Lab(name)
    except (LabError, ValueError):
        down(name)
        return
    if any(lab.state(m) != "off" for m in lab.machines):
        raise LabError(f"lab '{name}' is up already (lab.py down --name {name}, or use another --name)")
    down(name)


def make_network(lab):
    """Namespace, four bridges, and a tap on each for every machine."""
    call("ip", "netns", "add", lab.netns)
    lines = ["link set lo up"]
    for n in range(4):
        lines += [f"link add br{n} mtu 1500 type bridge forward_delay 0 mcast_snooping 0", f"link set br{n} up"]
        for machine in lab.machines:
            lines += [f"tuntap add dev {tap(machine, n)} mode tap",
                      f"link set {tap(machine, n)} mtu 1500 master br{n} up"]
    lines.append(f"addr add 10.99.{MGMT}.254/24 dev br{MGMT}")
    call("ip", "-n", lab.netns, "-batch", "-", stdin="\n".join(lines) + "\n")


def down(name):
    """Remove a lab, whole or half made: its processes, its namespace, its directory."""
    netns, directory = "blkpr-" + name, os.path.join(RUN, name)
    groups = recorded_groups(directory)
    for pid in groups:
        if group_members(pid, netns):
            os.killpg(pid, signal.SIGKILL)
    for pid in groups:
        wait_until(lambda: (reap(pid), not group_members(pid, netns))[1], 10, f"process group {pid} does not die")
    if os.path.exists(f"/run/netns/{netns}"):
        strangers = namespace_members(netns)
        if strangers:
            raise LabError(f"processes {strangers} in namespace {netns} were not started by the lab: end them, "
                           f"then `lab.py down --name {name}` again")
        call("ip", "netns", "del", netns)
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):          # other labs may be there
        os.rmdir(RUN)


def all_labs():
    """The names of the labs that are up, or left by a dead one."""
    names = set(os.listdir(RUN)) if os.path.isdir(RUN) else set()
    return sorted(names)


def recorded_groups(directory):
    """The process groups recorded in a lab's directory."""
    groups = []
    for machine in os.listdir(directory) if os.path.isdir(directory) else []:
        with contextlib.suppress(OSError, ValueError), open(f"{directory}/{machine}/pid") as f:
            groups.append(int(f.read()))
    return groups


# ---------------------------------------------------------------- small things

def host_number(machine):
    """A machine's place in every network."""
    return STOR_ADDRESS if machine == "stor" else int(machine[1:])


def address(network, machine):
    return f"10.99.{network}.{host_number(machine)}"


def tap(machine, network):
    return f"{machine}.{network}"


def corosync_conf(cluster_name, nodes):
    two = "    two_node: 1\n    wait_for_all: 0\n" if len(nodes) == 2 else ""
    members = "".join(f"    node {{\n        ring0_addr: {address(RING, n)}\n        name: {n}\n"
                      f"        nodeid: {host_number(n)}\n    }}\n" for n in nodes)
    return (f"totem {{\n    version: 2\n    cluster_name: {cluster_name}\n    transport: knet\n    token: 1000\n"
            f"    crypto_cipher: none\n    crypto_hash: none\n}}\n"
            f"quorum {{\n    provider: corosync_votequorum\n{two}}}\n"
            f"logging {{\n    to_logfile: yes\n    logfile: /var/log/corosync/corosync.log\n    to_syslog: no\n"
            f"    timestamp: on\n}}\nnodelist {{\n{members}}}\n")


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def tail(path, lines=25):
    try:
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError as e:
        return str(e)


def call(*argv, stdin=None):
    """Run a program of this machine; its stdout, or a LabError with what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def wait_until(condition, timeout, complaint, pause=0.01):
    """Wait for a condition; LabError with the complaint if it does not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{complaint} within {timeout} s")
        time.sleep(pause)


def reap(pid):
    """Collect a child of ours that has ended; not an error if it is no child."""
    with contextlib.suppress(ChildProcessError):
        if pid:
            os.waitpid(pid, os.WNOHANG)


def process_stat(pid):
    """(state letter, process group) of a process; ("X", 0) if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return fields[0], int(fields[2])
    except (OSError, IndexError):
        return "X", 0


def namespace_id(netns):
    with contextlib.suppress(OSError):
        return os.stat(f"/run/netns/{netns}").st_ino
    return None


def namespace_of(pid):
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    return 0


def namespace_members(netns):
    """The processes in a network namespace."""
    wanted = namespace_id(netns)
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and wanted and namespace_of(p) == wanted]


def group_members(pgid, netns):
    """The living processes of a group that are in a network namespace: certainly not somebody else's."""
    if not pgid:
        return []
    return [pid for pid in namespace_members(netns)
            if process_stat(pid)[1] == pgid and process_stat(pid)[0] not in "XZ"]


# ---------------------------------------------------------------- command line

def lun_list(text):
    """'0,7' or 'none'."""
    return [] if text == "none" else [int(k) for k in text.split(",")]


def cmd_prepare(args):
    lab_image.prepare(force=args.force)


def cmd_kernels(args):
    for version in lab_image.prepare().kernels():
        print(version)


def cmd_up(args):
    began = time.monotonic()
    lab = up(args.name, args.nodes, args.luns, args.paths, args.kernel, args.stor_kernel, args.cluster,
             args.cluster_name, args.stage, args.hang_luns, args.shuffle, args.queue_if_no_path,
             args.lun_size, args.memory)
    say(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s: {' '.join(lab.machines)}")


def cmd_exec(args):
    stdin = None if sys.stdin.isatty() or args.no_stdin else sys.stdin.buffer.read()
    cmd = args.cmd[0] if len(args.cmd) == 1 else shlex.join(args.cmd)
    result = Lab(args.name).exec(args.node, cmd, timeout=args.timeout, stdin=stdin)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    if result.timed_out:
        say(f"lab.py: {args.node}: killed after {args.timeout} s")
    return result.rc


def cmd_keys(args):
    for key, registrant in Lab(args.name).keys(args.lun):
        print(key, registrant)


def cmd_holder(args):
    for key, value in Lab(args.name).holder(args.lun).items():
        print(f"{key}: {'-' if value is None else value}")


def cmd_status(args):
    names = [args.name] if args.name else all_labs()
    if not names:
        say("no lab is up (lab.py up)")
    for name in names:
        print(Lab(name).status())


def cmd_down(args):
    for name in all_labs() if args.all else [args.name]:
        down(name)


def parser():
    top = argparse.ArgumentParser(prog="lab.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, handler, summary, named=True):
        p = sub.add_parser(name, help=summary, description=summary)
        p.set_defaults(handler=handler)
        if named:
            p.add_argument("--name", default="lab", help="which lab (default: lab)")
        return p

    def method(name, summary, *arguments, call=None):
        """A command that is a method of Lab and its arguments."""
        p = command(name, lambda args: getattr(Lab(args.name), call or name)(*(getattr(args, a) for a in names)), summary)
        names = [a[0].strip("?") for a in arguments]
        for a, kind, text in arguments:
            p.add_argument(a.strip("?"), type=kind, help=text, metavar=a.strip("?").upper(),
                           **({"nargs": "?"} if a.endswith("?") else {}))

    p = command("prepare", cmd_prepare, "make what the labs boot (once; `up` does it when needed)", named=False)
    p.add_argument("--force", action="store_true", help="make it anew, with today's kernels")
    command("kernels", cmd_kernels, "list the kernels there are", named=False)

    p = command("up", cmd_up, "start a lab")
    p.add_argument("--nodes", type=int, default=2, metavar="N", help="cluster nodes n1..nN (default 2)")
    p.add_argument("--luns", type=int, default=1, metavar="M", help="LUNs 0..M-1 (default 1)")
    p.add_argument("--paths", type=int, default=1, help="1, or 2 with dm-multipath (default 1)")
    p.add_argument("--kernel", default="7", help="the nodes' kernel: 6.1, 7, or one that `kernels` lists (default 7)")
    p.add_argument("--stor-kernel", default="7", metavar="KERNEL", help="the storage's kernel (default 7)")
    p.add_argument("--cluster", default="corosync", help="none, corosync or pacemaker (default corosync)")
    p.add_argument("--cluster-name", default="mycluster", metavar="CLUSTER", help="(default mycluster)")
    p.add_argument("--stage", metavar="DIR", help="a `make install DESTDIR=DIR` tree to lay over the nodes' root")
    p.add_argument("--hang-luns", type=lun_list, metavar="K,K...",
                   help="the LUNs that `hang` works on, or 'none' (default: the first and the last of several)")
    p.add_argument("--shuffle", action="store_true", help="even nodes find the LUNs in reverse order (sda is the last)")
    p.add_argument("--queue-if-no-path", action="store_true", help="multipath maps queue when all paths are gone")
    p.add_argument("--lun-size", type=int, default=64, metavar="MB", help="(default 64)")
    p.add_argument("--memory", type=int, default=512, metavar="MB", help="of each machine, used as needed (default 512)")

    p = command("exec", cmd_exec, "run a shell command on a machine; its output and exit status are yours")
    p.add_argument("--timeout", type=float, default=60, metavar="S", help="then it is killed, status 124 (default 60)")
    p.add_argument("-n", "--no-stdin", action="store_true", help="do not read standard input")
    p.add_argument("node", help="stor, n1, n2, ...")
    p.add_argument("cmd", nargs=argparse.REMAINDER, help="one argument is shell text; several are one command")

    node = ("node", str, "n1, n2, ... (or stor)")
    lun = ("lun", int, "0, 1, ...")
    method("cut", "unplug a node from a network", node, ("net", str, "ring, san, san-a or san-b"))
    method("heal", "plug a node in again", node, ("net?", str, "as for cut (default: all)"))
    method("hang", "let all commands on a LUN hang, on all nodes", lun)
    method("resume", "let a LUN that hangs go on", ("lun?", int, "0, 1, ... (default: all)"))
    method("kill", "switch a machine off, hard", node)
    method("start", "switch a machine on again, with a fresh system", node, call="boot")
    method("freeze", "stop a machine's time", node)
    method("thaw", "let a frozen machine go on", node)
    method("latency", "delay the target's answers", ("ms", float, "milliseconds, 0 for none"))
    method("reset", "remove all registrations and reservations, resume and heal all", call="reset_reservations")
    p = command("keys", cmd_keys, "the registrations of a LUN, as the target has them: key, registrant")
    p.add_argument("lun", type=int)
    p = command("holder", cmd_holder, "the reservation of a LUN, as the target has it")
    p.add_argument("lun", type=int)
    p = command("status", cmd_status, "show the labs", named=False)
    p.add_argument("--name", help="which lab (default: all)")
    p = command("down", cmd_down, "remove a lab: processes, network, files")
    p.add_argument("--all", action="store_true", help="every lab of this machine")
    return top


def main():
    args = parser().parse_args()
    try:
        return args.handler(args) or 0
    except (LabError, ImageError) as e:
        say(f"lab.py: {e}")
        return 125 if args.command == "exec" else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
