# SPDX-License-Identifier: GPL-2.0-or-later
"""The class Machines: machines and networks of a lab that is up, whatever kernels and disks they have; launch() and down().

lab_core.py (User Mode Linux, LIO) and tests/vm (QEMU, nvmet) make labs of it.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import time

import lab_exec
import lab_settings
from lab_host import (LabError, NotReadyError, call, group_members, namespace_id, namespace_members, namespace_of,
                      network_namespace, patience, process_stat, reap, tail, wait_until, write)
from lab_settings import MAX_NODES, MGMT, NETWORKS, RING, SAN_A, SAN_B, address, tap

RUN = os.environ.get("BLKPR_LAB_RUN", "/run/fence-blkpr-lab")
CUTS = {"ring": [RING], "san": [SAN_A, SAN_B], "san-a": [SAN_A], "san-b": [SAN_B]}
BOOT_TIMEOUT = patience(30)         # seconds
EXEC_TIMEOUT = patience(30)


class Machines:
    """A lab that is up: `stor`, which has the disks, and n1 to nN, which use them."""

    TOOL = "lab.py"                 # what texts name as the command

    def __init__(self, name="lab"):
        self.name = name
        self.dir = os.path.join(RUN, name)
        self.netns = "blkpr-" + name
        try:
            with open(os.path.join(self.dir, "lab.json")) as f:
                self.config = json.load(f)
        except FileNotFoundError:
            raise LabError(f"no lab '{name}' is up ({self.TOOL} up --name {name})") from None

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

    # -- commands

    def start(self, node, cmd, timeout=EXEC_TIMEOUT, stdin=None):
        """Begin a shell command on a machine; returns a Running, whose wait() gives the Result. After `timeout` seconds
        it is killed: exactly then, so what no test is about wants patience()."""
        self._must_run(node)
        data = stdin.encode(errors="surrogateescape") if isinstance(stdin, str) else stdin or b""
        request = json.dumps({"cmd": cmd, "timeout": timeout, "stdin": len(data)}).encode() + b"\n" + data
        try:
            with network_namespace(self.netns):
                connection = socket.create_connection(self._takes_commands_at(node), timeout=patience(10))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
        except OSError as e:
            raise LabError(f"{node} does not take commands ({e}): is it frozen? see `{self.TOOL} status`, "
                           f"{self.console(node)}") from e
        return lab_exec.Running(node, cmd, connection, timeout)

    def exec(self, node, cmd, timeout=EXEC_TIMEOUT, stdin=None, check=False):
        """Run a shell command on a machine. Out of time is rc 124; check raises LabError unless rc is 0."""
        result = self.start(node, cmd, timeout, stdin).wait()
        if check and result.rc:
            raise LabError(f"{node}: '{cmd}' failed with {result.rc}: "
                           f"{result.stderr.strip() or result.stdout.strip()}")
        return result

    def start_node_script(self, node, action, *arguments, timeout=EXEC_TIMEOUT):
        """Begin one of guest/node.py's actions."""
        words = shlex.join([action, *map(str, arguments)])
        return self.start(node, "set -a; . /run/lab/config; "
                          f"/usr/bin/python3 -I -S /run/lab-guest/node.py {words}", timeout)

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

    # -- slow disks

    def write_delay(self, lun, ms):
        """Let a write to a slow LUN take ms milliseconds in the target before it lands; 0 is none.

        What is delayed when this is called lands at once.
        """
        self._slow("delay", lun, int(ms))

    def stall(self, lun):
        """Hold what comes to a slow LUN's medium back, in the target; PR commands are answered all the same.

        Delayed writes land before; those that are sent from now on are in flight, in the target, until unstall().
        """
        self._slow("stall", lun)

    def unstall(self, lun):
        """Let a stalled LUN go on: what was held back is executed (a write after its delay)."""
        self._slow("unstall", lun)

    def _slow(self, action, lun, *arguments):
        if lun not in self.config["slow_luns"]:
            raise LabError(f"LUN {lun} is not slow; those that are: {self.config['slow_luns'] or 'none'} "
                           f"(choose with `{self.TOOL} up --slow-luns {lun}`)")
        write(os.path.join(self.dir, "slowed"), json.dumps(sorted({*self._slowed(), lun})))
        self._slow_script(action, *arguments, lun)

    def _slow_script(self, *arguments):
        self.exec("stor", "/bin/bash /run/lab-guest/slow " + " ".join(map(str, arguments)), check=True)

    def _end_slowness(self):
        slowed = self._slowed()
        if slowed:
            self._slow_script("unstall", *slowed)
            self._slow_script("delay", 0, *slowed)
            write(os.path.join(self.dir, "slowed"), "[]")

    def _slowed(self):
        """The LUNs that write_delay() or stall() has been called for."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "slowed")) as f:
            return json.load(f)
        return []

    @staticmethod
    def medium(lun):
        """The file in `stor` that is a LUN's medium: what has landed there has landed."""
        return f"/run/disks/lun{lun}"

    def latency(self, ms):
        """Delay everything the target sends by ms milliseconds; 0 is none."""
        commands = [f"tc qdisc replace dev vec{san} root netem delay {ms}ms limit 100000" if ms else
                    f"tc qdisc del dev vec{san} root 2>/dev/null || :" for san in (SAN_A, SAN_B)]
        self.exec("stor", ("modprobe sch_netem && " if ms else "") + " && ".join(commands), check=True)
        write(os.path.join(self.dir, "latency"), str(ms))

    def _is_delayed(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "latency")) as f:
            return f.read() != "0"

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
            raise LabError(f"{node} is on already ({self.TOOL} kill {node} first)")
        san = [c for c in self.cuts(node) if c.startswith("san")]
        if san:
            raise LabError(f"{node} cannot log in: its {' and '.join(san)} is cut ({self.TOOL} heal {node} san)")
        self._spawn(node)
        self._wait_ready([node])

    def freeze(self, node):
        """Stop a machine's time."""
        self._must_run(node)
        # the kernel only, not its group: one that uses ptrace would take the stop of its processes for a signal to them
        os.kill(self._pid(node), signal.SIGSTOP)
        wait_until(lambda: self.state(node) == "frozen", 5, f"{node} does not stop")

    def thaw(self, node):
        """Let a frozen machine go on."""
        self._must_know(node)
        if not self._processes(node):
            raise LabError(f"{node} is off ({self.TOOL} start {node})")
        os.kill(self._pid(node), signal.SIGCONT)

    def console(self, machine):
        """The path of a machine's console output."""
        return os.path.join(self.dir, machine, "console")

    def wait_online(self):
        """Until Pacemaker on every node that runs sees every one of them online."""
        alive = [n for n in self.nodes if self.state(n) == "running"]

        def online(node):
            text = self.exec(node, "crm_mon -1 2>/dev/null").stdout
            found = re.search(r"Online: \[ (.*?) \]", text)
            return found and set(found.group(1).split()) >= set(alive)

        for node in alive:
            wait_until(lambda: online(node), 60, f"{node} does not see {' '.join(alive)} online", pause=0.2,
                       error=NotReadyError)

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
            raise LabError(f"{machine} is {state} ({self.TOOL} {'thaw' if state == 'frozen' else 'start'} {machine})")

    def _pid(self, machine):
        """The recorded process group of a machine, 0 if there is none."""
        with contextlib.suppress(FileNotFoundError, ValueError), open(f"{self.dir}/{machine}/pid") as f:
            return int(f.read())
        return 0

    def _processes(self, machine):
        """The processes of a machine that live, and are certainly ours: of its group and in our namespace."""
        pid = self._pid(machine)
        reap(pid)
        if pid and process_stat(pid)[0] not in "XZ" and namespace_of(pid) == namespace_id(self.netns):
            return [pid]            # the usual case, without a look at every process
        return group_members(pid, self.netns)

    def _command(self, machine, directory):
        """The command line of the process that is a machine; in it is lab_dir=DIRECTORY (unrecorded_groups())."""
        raise NotImplementedError

    def _environment(self, machine):    # noqa: ARG002
        """The environment of the process that is a machine."""
        return os.environ

    def _settings(self):
        """Settings for the machines, beside those that all labs have."""
        return {}

    def _takes_commands_at(self, machine):
        return address(MGMT, machine), lab_exec.PORT

    def _processor(self, machine):      # noqa: ARG002
        """A context in which a machine's process is started."""
        return contextlib.nullcontext()

    def _prepare(self, machine):
        """A machine's directory with its settings: (command line, directory)."""
        directory = os.path.join(self.dir, machine)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        lab_settings.write_settings(self, machine, directory, self._settings())
        return self._command(machine, directory), directory

    def _spawn(self, machine):
        """Start a machine's kernel and record its process group."""
        argv, directory = self._prepare(machine)
        console = os.open(os.path.join(directory, "console"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        # in the namespace, so that the process is known to be ours from its first moment
        with network_namespace(self.netns), self._processor(machine):
            pid = os.posix_spawn(argv[0], argv, self._environment(machine), setsid=True, file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, console, 1), (os.POSIX_SPAWN_DUP2, console, 2)])
        write(os.path.join(directory, "pid"), str(pid))
        os.close(console)
        os.close(null)

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
                    why = f"it was not ready within {timeout:.0f} s"
                if why:
                    raise NotReadyError(f"{machine} did not start: {why}\n"
                                        f"--- end of its console\n{tail(self.console(machine))}")
                time.sleep(0.01)


def launch(kind, name, config):
    """Start a lab of a class of Machines, and return it when every machine is ready. config: what lab.json keeps of it."""
    clear_way(name)
    make_directory(os.path.join(RUN, name))
    write(os.path.join(RUN, name, "lab.json"), json.dumps(config, indent=1))
    lab = kind(name)
    try:
        make_network(lab)
        for machine in lab.machines:
            lab._spawn(machine)
        lab._wait_ready(lab.machines)
        if config["cluster"] == "pacemaker":
            lab.wait_online()
    except BaseException:
        down(name)
        raise
    return lab


def make_directory(path):
    """Another lab that goes down removes what is empty of it meanwhile."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.makedirs(path)


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
        lab = Machines(name)
    except (LabError, ValueError):
        down(name)
        return
    if any(lab.state(m) != "off" for m in lab.machines):
        raise LabError(f"lab '{name}' is up already (take it down, or use another --name)")
    down(name)


def make_network(lab):
    """Namespace, four bridges, and a tap on each for every machine."""
    call("ip", "netns", "add", lab.netns)
    lines = ["link set lo up"]
    for n in NETWORKS:
        lines += [f"link add br{n} mtu 1500 type bridge forward_delay 0 mcast_snooping 0", f"link set br{n} up"]
        for machine in lab.machines:
            lines += [f"tuntap add dev {tap(machine, n)} mode tap",
                      f"link set {tap(machine, n)} mtu 1500 master br{n} up"]
    lines.append(f"addr add 10.99.{MGMT}.254/24 dev br{MGMT}")
    call("ip", "-n", lab.netns, "-batch", "-", stdin="\n".join(lines) + "\n")


def down(name):
    """Remove a lab, whole or half made: its processes, its namespace, its directory."""
    netns, directory = "blkpr-" + name, os.path.join(RUN, name)
    groups = {*recorded_groups(directory), *unrecorded_groups(directory, netns)}
    for pid in groups:
        if group_members(pid, netns):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    for pid in groups:
        wait_until(lambda: (reap(pid), not group_members(pid, netns))[1], 10, f"process group {pid} does not die")
    if os.path.exists(f"/run/netns/{netns}"):
        strangers = namespace_members(netns)
        if strangers:
            raise LabError(f"processes {strangers} in namespace {netns} were not started by the lab: end them, "
                           f"then take {name} down again")
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


def unrecorded_groups(directory, netns):
    """The process groups of a lab's kernels, by their command lines: one that was just started may not be recorded."""
    wanted = f"lab_dir={directory}/".encode()
    groups = set()
    for pid in namespace_members(netns):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            if wanted in f.read():
                groups.add(process_stat(pid)[1])
    return groups - {0}
