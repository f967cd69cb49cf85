# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, addresses and boot settings of a lab's machines; guest/boot and what it starts read them."""

import math
import os
import shlex

import lab_image
from lab_host import SLOWNESS, write

HERE = os.path.dirname(os.path.abspath(__file__))

MGMT, RING, SAN_A, SAN_B = NETWORKS = range(4)      # network N is 10.99.N.0/24, bridge brN, vecN in a machine
STOR_ADDRESS = 200                                  # nodes have 1, 2, ...; the LUNs that can hang 201, 202, ...
MAX_NODES, MAX_HANG_LUNS = 64, 32
TOKEN = 2000                                        # corosync's, in milliseconds

# two benchmarks that every kernel would run for 0.9 s at boot: RAID 6 and the delay loop
FAST_BOOT = ["initcall_blacklist=raid6_select_algo,raid6_init", "lpj=9600000"]

COROSYNC_CONF = """\
totem {{
    version: 2
    cluster_name: {cluster_name}
    transport: knet
    token: {token}
    crypto_cipher: none
    crypto_hash: none
}}
quorum {{
    provider: corosync_votequorum
    {two}
}}
logging {{
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    to_syslog: no
    timestamp: on
}}
nodelist {{
{members}}}
"""
COROSYNC_NODE = """\
    node {{
        ring0_addr: {address}
        name: {name}
        nodeid: {id}
    }}
"""


def host_number(machine):
    """A machine's place in every network."""
    return STOR_ADDRESS if machine == "stor" else int(machine[1:])


def address(network, machine):
    return f"10.99.{network}.{host_number(machine)}"


def tap(machine, network):
    return f"{machine}.{network}"


def corosync_conf(cluster_name, nodes, token):
    two = "two_node: 1\n    wait_for_all: 0" if len(nodes) == 2 else ""
    members = "".join(COROSYNC_NODE.format(address=address(RING, n), name=n, id=host_number(n)) for n in nodes)
    return COROSYNC_CONF.format(cluster_name=cluster_name, two=two, members=members, token=int(token * SLOWNESS))


def kernel_version(lab, machine):
    return lab.config["stor_kernel" if machine == "stor" else "kernel"]


def kernel_environment(lab, machine):
    """The environment of the process that is a machine."""
    if lab_image.version_key(kernel_version(lab, machine)) >= [6, 13]:
        return os.environ
    return {**os.environ, "LD_PRELOAD": os.path.join(lab.config["image"], "xstate.so")}


def kernel_command(lab, machine, directory):
    """The command line of the process that is a machine."""
    c = lab.config
    version = kernel_version(lab, machine)
    kernel = [os.path.join(c["image"], "kernels", version)]
    if lab_image.version_key(version)[0] >= 7:
        kernel.append("seccomp=on")
    index = host_number(machine)
    networks = [f"vec{n}:transport=tap,ifname={tap(machine, n)},gro=1,mtu=1500,mac=02:00:00:00:0{n}:{index:02x}"
                for n in NETWORKS]
    stage = [f"lab_stage={c['stage']}"] if c["stage"] and machine != "stor" else []
    return [*kernel, f"mem={c['memory']}M", f"umid={machine}",
            f"uml_dir={lab.dir}/uml/", "rootfstype=hostfs", f"rootflags={c['image']}/root", "ro",
            "init=/lab-init", f"lab_dir={directory}", f"lab_guest={HERE}/guest", *stage,
            "con=null", "con0=null,fd:1", "quiet", "panic=1", "noreboot",
            *FAST_BOOT, *networks]


def write_settings(lab, machine, directory, more):
    """What guest/boot reads in a machine's directory. more: {name: value} of settings that only some labs have."""
    c = lab.config
    settings = {
        "NODE": machine, "ROLE": "stor" if machine == "stor" else "node", "NODES": " ".join(lab.nodes),
        "LUNS": c["luns"], "LUN_SIZE": c["lun_size"], "PATHS": c["paths"],
        "CLUSTER": "none" if machine == "stor" else c["cluster"],
        "HANG_LUNS": " ".join(map(str, c["hang_luns"])), "SHUFFLE": int(c["shuffle"]),
        "SLOW_LUNS": " ".join(map(str, c["slow_luns"])),
        "MUTE_LUNS": " ".join(map(str, c["mute_luns"])), "FABRIC": int(c["fabric"]),
        "QUEUE": int(c["queue_if_no_path"]), "SLOWNESS": math.ceil(SLOWNESS), **more,
    }
    write(f"{directory}/config", "".join(f"{key}={shlex.quote(str(v))}\n" for key, v in settings.items()))
    hosts = "".join(f"{address(RING, n)} {n}\n" for n in lab.nodes)
    write(f"{directory}/hosts", f"127.0.0.1 localhost\n{address(SAN_A, 'stor')} stor\n{hosts}")
    lines = ["link set lo up"]
    for n in NETWORKS:
        lines += [f"addr add {address(n, machine)}/24 dev vec{n}", f"link set vec{n} up"]
    if machine == "stor":
        lines += [f"addr add 10.99.{san}.{STOR_ADDRESS + 1 + i}/32 dev vec{san}"
                  for san in (SAN_A, SAN_B) for i in range(len(c["hang_luns"]))]
    write(f"{directory}/network", "\n".join(lines) + "\n")
    write(f"{directory}/corosync.conf", corosync_conf(c["cluster_name"], lab.nodes, c.get("token", TOKEN)))
