#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make doc/pr-operations.md: what every persistent-reservation operation does, on SCSI disks and on NVMe.

    pr_table.py                 measure, and write the table
    pr_table.py --check         measure, and compare with the table; a difference is printed and is exit status 1

It starts a lab of two nodes for every column and lets pr_probe do what pr_rows.py says, one LUN a row.
NVMe's columns are made with tests/vm, one after the other.
"""

import argparse
import difflib
import itertools
import os
import re
import shutil
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lab"), os.path.join(ROOT, "tests", "vm")]
import lab as lab_module            # noqa: E402
import vm_image                     # noqa: E402
import vm_lab                       # noqa: E402
from pr_rows import EXTRA_DEVICES, ROWS     # noqa: E402

DOCUMENT = os.path.join(ROOT, "doc", "pr-operations.md")
COLUMNS = {"6.1 plain": ("6.1", 1), "6.1 multipath": ("6.1", 2), "7 plain": ("7", 1), "7 multipath": ("7", 2)}
NVME_COLUMNS = {"NVMe 6.12": ("6.12", "7.3"), "NVMe 6.18": ("6.18", "6.18"), "NVMe 7.2": ("7.2", "7.2"),
                "NVMe 7.3": ("7.3", "7.3")}           # kernels of the nodes, of the target
NODES = {"A": "n1", "B": "n2"}
WHO = {node: who for who, node in NODES.items()}
TYPES = {"Write Exclusive Access": 1, "Exclusive Access": 2, "Write Exclusive Access, Registrants Only": 3,
         "Exclusive Access, Registrants Only": 4, "Write Exclusive Access, All Registrants": 5,
         "Exclusive Access, All Registrants": 6}        # as the target writes them
VERSIONS = "Kernels: "              # begins the line that two good tables may differ in
SCRATCH = "/run/pr_table"

INTRO = """\
# Persistent reservations: what every operation does

<!-- Made by tests/pr/pr_table.py: do not edit. Change tests/pr/pr_rows.py and run it again. -->

This page is measured, not written. In the build directory, as root,

    make tests/pr/pr_probe
    /usr/bin/python3 tests/pr/pr_table.py

starts a lab with two nodes, once for each column. `pr_table.py --check` measures again and compares with this page.
- SCSI (tests/lab): the nodes' kernel, and plain disks or dm-multipath maps of two paths. The target is LIO (fileio backstore) over
  iSCSI, one target portal a path.
- NVMe (tests/vm): the nodes' kernel. The target is nvmet over TCP, of the same kernel; of 7.3 for the nodes of 6.12, whose own nvmet has no
  reservations.

{versions}

Every row begins with a LUN on which nothing is registered or reserved and no unit attention is pending.
A is the node that acts, B is somebody else. The keys are a1 (then a2) for A, b1 for B; c1 is nobody's.
Types are those of `enum pr_type`: 1 write exclusive, 2 exclusive access, 3 and 4 the same for registrants
only, 5 and 6 the same for all registrants. IGNORE is `PR_FL_IGNORE_KEY`. In register (old, new) and
preempt (own, victim, type) the words are the fields of `struct pr_registration` and `struct pr_preempt`,
own being `old_key` and victim `new_key`.

A cell has, for every step of the row, what `ioctl()` returned, the errno if that is -1, and the library's
verdict (`enum blkpr_result`); for a read, what it found. With SG_IO the first number is the SCSI status,
followed by sense key and ASC/ASCQ. The second line of a cell is the state afterwards as the target has it
(the library's own read is compared with it, and any difference would be shown): every node's key, ×2 when
registered on both paths, then the reservation's type and the node that the target names as its holder.
"-" is nothing.
"""


class Measured:
    """A row's answers and the state that they left."""

    def __init__(self, row):
        self.row = row
        self.answers = []
        self.state = None

    def cell(self):
        answers = [abridged(a, self.row.generation, self._first_generation()) for a in self.answers]
        return "; ".join(counted(answers)) + "<br>" + self.state

    def _first_generation(self):
        found = [int(g) for a in self.answers for g in re.findall(r"generation=(\d+)", a)]
        return found[0] if found else 0


def abridged(answer, with_generation, first):
    """pr_probe's line as a cell has it; generations, which never return, relative to the first one."""
    def generation(match):
        now = int(match[1])
        if not with_generation:
            return ""
        return " generation " + ("0" if not now else "g" if now == first else f"g{now - first:+d}")

    answer = re.sub(r" generation=(\d+)", generation, answer)
    code, error, rest = answer.split(" ", 2)
    code = "0" if code == "0x0" else code
    return f"`{code}` " + (rest if error == "-" else f"{error} {rest}")


def counted(answers):
    """Equal answers in a row as one with a count."""
    found = []
    for a in answers:
        if found and found[-1][0] == a:
            found[-1][1] += 1
        else:
            found.append([a, 1])
    return [a if n == 1 else f"{a} ({n} times)" for a, n in found]


# ---------------------------------------------------------------- measuring

def is_nvme(lab):
    return isinstance(lab, vm_lab.Vm)


def disks_of(lab):
    return "multipath" if lab.config["paths"] > 1 else "plain"


def device(lab, lun):
    return f"/dev/mapper/mp{lun}" if disks_of(lab) == "multipath" else f"/dev/lun{lun}"


def extra_device(name, lun):
    return f"{SCRATCH}/{name}{lun}"


def parse_step(step):
    """"A:part reserve a1 3" is ("A", "part", "reserve a1 3")."""
    who, words = step.split(" ", 1)
    who, _, name = who.partition(":")
    return who, name, words


def command(lab, lun, step):
    """(who runs it, pr_probe's words)"""
    _, name, words = parse_step(step)
    if name == "nobody":
        return "setpriv --reuid=65534 --regid=65534 --clear-groups pr_probe", f"-w {extra_device(name, lun)} {words}"
    return "pr_probe", f"{extra_device(name, lun) if name else device(lab, lun)} {words}"


def script(lab, jobs):
    """Shell text for [(lun, step)] with one process for all commands in a row of the same user."""
    commands = [command(lab, *job) for job in jobs]
    return "\n".join(f"{program} - <<END || exit\n" + "\n".join(words for _, words in group) + "\nEND"
                     for program, group in itertools.groupby(commands, lambda c: c[0]))


def runs(row):
    """A row's steps in runs of the same node: [(who, [step])]."""
    found = []
    for step in row.start + row.steps:
        who = parse_step(step)[0]
        if not found or found[-1][0] != who:
            found.append((who, []))
        found[-1][1].append(step)
    return found


def reset(lab):
    """Nothing registered or reserved, and no unit attention on any LUN, those with no registration left included."""
    lab.reset_reservations()
    if is_nvme(lab):
        return
    settle = "python3 -I -S /run/lab-guest/scsi.py settle " + " ".join(map(str, range(lab.luns)))
    for running in [lab.start(node, settle) for node in lab.nodes]:
        result = running.wait()
        if result.rc:
            raise lab_module.LabError(f"{running.node}: {result.stderr}")


def measure_batch(lab, rows):
    """Row I on LUN I: the first run of every row, then the second of every row, ... in few commands."""
    reset(lab)
    batch = [Measured(row) for row in rows]
    todo = [runs(row) for row in rows]
    extra_devices(lab, rows, make=True)
    for phase in range(max(map(len, todo))):
        jobs = {who: [(lun, step) for lun, r in enumerate(todo) if phase < len(r) and r[phase][0] == who
                      for step in r[phase][1]] for who in NODES}
        for who, lines in answers_of(lab, jobs).items():
            for (lun, step), line in zip(jobs[who], lines):
                batch[lun].answers.append(line)
    read_states(lab, batch)
    extra_devices(lab, rows, make=False)
    for measured in batch:
        begun, measured.answers = (measured.answers[:len(measured.row.start)],
                                   measured.answers[len(measured.row.start):])
        for step, line in zip(measured.row.start, begun):
            if not line.startswith("0x0 "):
                raise lab_module.LabError(f"'{measured.row.name}': its start state cannot be made: {step}: {line}")
    return batch


def answers_of(lab, jobs):
    """{who: lines} for {who: [(lun, step)]}; the nodes work at the same time."""
    running = {who: lab.start(NODES[who], script(lab, todo), timeout=60)
               for who, todo in jobs.items() if todo}
    found = {}
    for who, r in running.items():
        result = r.wait()
        found[who] = result.stdout.splitlines()
        if result.rc or len(found[who]) != len(jobs[who]):
            raise lab_module.LabError(f"{NODES[who]}: pr_probe failed: {result}")
    return found


def extra_devices(lab, rows, make):
    """Make or remove the devices other than LUNs that the rows name, on node A."""
    lines = [f"mkdir -p {SCRATCH}"]
    for lun, row in enumerate(rows):
        for name in sorted({parse_step(step)[1] for step in row.steps} - {""}):
            text = EXTRA_DEVICES[name][disks_of(lab)][0 if make else 1]
            link = extra_device(name, lun)
            lines.append(f"D={device(lab, lun)} K={lun} N={link}\n{text}" + ("" if make else f"\nrm -f {link}"))
    if len(lines) > 1:
        lab.exec("n1", "set -e\n" + "\n".join(lines), check=True)


def read_states(lab, batch):
    """Every row's state from the target, and from A by the library, which must be the same."""
    states = nvme_states(lab) if is_nvme(lab) else scsi_states(lab, len(batch))
    reads = answers_of(lab, {"A": [(lun, "A read") for lun in range(len(batch))]})["A"]
    for measured, state, read in zip(batch, states, reads):
        measured.state = state_text(*state, lab.config["paths"]) + contradiction(*state, read)


def nvme_states(lab):
    """[([(who, key)], (type, who holds))] of every LUN."""
    return [([(WHO[node], key) for node, key in lun["hosts"].items()],
             (lun["type"], " ".join(WHO[node] for node in lun["holders"]))) for lun in lab.reservations()]


def scsi_states(lab, luns):
    """The same of the first LUNs, from the target's files."""
    pr = "lun[0-9]*/pr/"
    truth = lab.exec("stor", f"cd /sys/kernel/config/target/core/fileio_0 && grep -H . {pr}res_pr_registered_i_pts "
                             f"{pr}res_holder {pr}res_pr_type", check=True).stdout
    files = [re.findall(rf"^lun{lun}/pr/(.*)$", truth, re.M) for lun in range(luns)]
    return [(registrations(lines), reservation(lines)) for lines in files]


def registrations(lines):
    """[(who, key)] from the target's files."""
    return [(WHO[n], int(key, 16)) for line in lines
            for n, key in re.findall(r"Node: \S+:(n\d+),\S+ Key: (0x[0-9a-fA-F]+)", line)]


def reservation(lines):
    """(type, who) from the target's files, (0, None) if nothing is reserved."""
    text = "\n".join(lines)
    holder = re.search(r"res_holder:.*iqn\.\S+:(n\d+),", text)
    kind = re.search(r"res_pr_type:SPC-3 Reservation Type: (.*)", text)
    if not holder or not kind:
        return 0, None
    return TYPES[kind[1].strip()], WHO[holder[1]]


def state_text(have, held, paths):
    counts = [f"{who}={key:x}" + (f"×{have.count((who, key))}" if paths > 1 else "") for who, key in sorted(set(have))]
    kind, who = held
    return (" ".join(counts) or "-") + ", " + (f"{kind} by {who}" if kind else "-")


def contradiction(have, held, read):
    """Empty if the library's read is what the target has."""
    found = re.search(r"keys=\d+:?(\S*) type=(\d)", read)
    keys = sorted(int(k, 16) for k in found[1].split(",") if k) if found else None
    same = found and keys == sorted(key for _, key in have) and int(found[2]) == held[0]
    return "" if same else f" (the library reads: {read})"


def measure(lab):
    """All rows of a column, in order, on a lab of two nodes with pr_probe on them: [cell]."""
    cells = []
    for i in range(0, len(ROWS), lab.luns):
        cells += [m.cell() for m in measure_batch(lab, ROWS[i:i + lab.luns])]
    return cells


# ---------------------------------------------------------------- labs

def stage_of(args):
    """A directory to lay over the nodes' root, and whether it is ours to remove."""
    if args.stage:
        return args.stage, False
    if not os.path.exists(args.probe):
        sys.exit(f"pr_table.py: {args.probe}: no such file; `make tests/pr/pr_probe` makes it (or give --probe)")
    stage = tempfile.mkdtemp(prefix="pr_table-")
    os.chmod(stage, 0o755)
    os.makedirs(stage + "/usr/bin")
    shutil.copy(args.probe, stage + "/usr/bin/pr_probe")
    return stage, True


def wanted(title, luns):
    """The function that starts a column's lab, and its arguments."""
    common = {"nodes": 2, "luns": luns, "cluster": "none"}
    if title in NVME_COLUMNS:
        kernel, target = NVME_COLUMNS[title]
        return vm_lab.up, {**common, "kernel": kernel, "stor_kernel": target, "lun_size": 4}
    kernel, paths = COLUMNS[title]
    return lab_module.up, {**common, "kernel": kernel, "paths": paths}


def measure_columns(args, stage, titles, found, failures):
    """One column after the other, each in a lab of its own; for a thread."""
    for title in titles:
        measure_column(args, stage, title, found, failures)


def measure_column(args, stage, title, found, failures):
    try:
        up, arguments = wanted(title, args.luns)
        lab = up(name=args.name + title.replace(" ", "-"), stage=stage, **arguments)
        try:
            found[title] = (measure(lab), lab.config["kernel"], lab.config["stor_kernel"])
        finally:
            lab.down()
    except Exception as e:      # noqa: BLE001 (whatever it is, the main thread has to know)
        failures.append(f"{title}: {e}")


def measure_all(args):
    """{title: (cells, kernel, target's kernel)}"""
    stage, ours = stage_of(args)
    found, failures = {}, []
    try:
        threads = [threading.Thread(target=measure_columns, args=(args, stage, titles, found, failures))
                   for titles in [*([title] for title in COLUMNS), list(NVME_COLUMNS)]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        if ours:
            shutil.rmtree(stage)
    if failures:
        sys.exit("pr_table.py: " + "\n".join(failures))
    return {title: found[title] for title in [*COLUMNS, *NVME_COLUMNS]}


# ---------------------------------------------------------------- the document

def document(found):
    kernels = dict.fromkeys(kernel for title, (_, kernel, _) in found.items() if title in COLUMNS)
    target = next(iter(found.values()))[2]
    image = vm_image.prepare()
    packages = ", ".join(image.version(release).strip() for release in image.kernels())
    lines = [INTRO.format(versions=f"{VERSIONS}SCSI {', '.join(kernels)}, of the target {target}; NVMe (Debian) {packages}")]
    section = None
    for i, row in enumerate(ROWS):
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}", "", "| operation and start state | " + " | ".join(found) + " |",
                      "| --- |" + " --- |" * len(found)]
        lines.append(f"| {row.name} | " + " | ".join(cells[i] for cells, _, _ in found.values()) + " |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def without_versions(text):
    return re.sub(rf"^{VERSIONS}.*$", VERSIONS, text, flags=re.M)


def difference(committed, measured):
    """A unified diff, empty if the two say the same; kernel versions do not count."""
    a, b = (without_versions(t).splitlines(keepends=True) for t in (committed, measured))
    return "".join(difflib.unified_diff(a, b, "doc/pr-operations.md", "measured", n=0))


def columns_of(text):
    """{title: {row name: cell}} of a document."""
    found, titles = {}, []
    for line in text.splitlines():
        fields = [f.strip() for f in line.strip("|").split(" | ")] if line.startswith("| ") else []
        if fields and fields[0] == "operation and start state":
            titles = fields[1:]
        elif fields and fields[0] != "---":
            for title, cell in zip(titles, fields[1:]):
                found.setdefault(title, {})[fields[0]] = cell
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the document, do not write it")
    parser.add_argument("--output", default=DOCUMENT, metavar="FILE",
                        help="the document (default: doc/pr-operations.md)")
    parser.add_argument("--probe", default="tests/pr/pr_probe", metavar="FILE",
                        help="the program to run on the nodes (default: tests/pr/pr_probe here)")
    parser.add_argument("--stage", default=os.environ.get("BLKPR_STAGE"), metavar="DIR",
                        help="a tree with usr/bin/pr_probe, in place of --probe (default: $BLKPR_STAGE)")
    parser.add_argument("--name", default="pr", help="how the labs' names begin (default: pr)")
    parser.add_argument("--luns", type=int, default=48, help="rows measured at a time (default 48)")
    args = parser.parse_args()

    began = time.monotonic()
    text = document(measure_all(args))
    print(f"pr_table.py: {len(ROWS)} rows measured in {time.monotonic() - began:.1f} s", file=sys.stderr)
    if not args.check:
        with open(args.output, "w") as f:
            f.write(text)
        return 0
    with open(args.output) as f:
        changes = difference(f.read(), text)
    sys.stdout.write(changes)
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
