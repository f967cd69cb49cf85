# SPDX-License-Identifier: GPL-2.0-or-later
"""What ./check runs, in its order of worth: what is first here runs first, and what is last is first to be left for time.

Seconds are what a job takes on a quick machine, in the company that ./check gives it there; they tell whether it fits
the budget, and what is left to wait. A job that takes longer than that has not failed.
"""

from dataclasses import dataclass


@dataclass
class Plan:
    """One job. width: its share of the machine, None for a lab's."""
    step: str
    name: str                   # what a person reads; a group's name, as tests/lab/lab_pool.py makes it
    seconds: float
    function: str = ""          # of steps.sh; none for a group of tests
    width: float = 1.0
    core: bool = True           # runs whatever the budget is
    needs: tuple = ()           # functions whose jobs must have ended well
    soak: bool = False          # only there, or asked for by name


IMAGE, VM_IMAGE, FIRST_LAB = "lab_prepared", "vm_prepared", "first_lab"
LAB_NEEDS = ("install_", FIRST_LAB)

STEPS = [
    Plan("lab", "the lab's image is prepared", 1, IMAGE, 0.5),
    Plan("lab", "the kernels for QEMU are prepared", 1, VM_IMAGE, 0.5, needs=(IMAGE,)),
    Plan("build", "autoreconf", 3, "autoreconf_", 0.5),
    Plan("build", "gcc builds without a warning", 7, "gcc_", 0.5, needs=("autoreconf_",)),
    Plan("build", "make install", 1, "install_", 0.5, needs=("gcc_",)),
    Plan("update", "the version before builds", 8, "before", 0.5),
    Plan("unit", "unit tests (gcc)", 20, "unit_gcc", 0.5, needs=("gcc_",)),
    Plan("build", "clang builds without a warning", 7, "clang_", 0.5, needs=("autoreconf_",)),
    Plan("unit", "builds with AddressSanitizer and UndefinedBehaviorSanitizer", 7, "asan_", 0.5, needs=("autoreconf_",)),
    Plan("unit", "unit tests (sanitizers)", 30, "unit_asan", 0.5, needs=("asan_",)),
    Plan("hygiene", "clang-tidy finds nothing", 40, "clang_tidy", 0.5, needs=("gcc_",)),
    Plan("hygiene", "cppcheck finds nothing", 10, "cppcheck_", 0.5, needs=("gcc_",)),
    Plan("hygiene", "shellcheck finds nothing", 5, "shellcheck_", 0.5),
    Plan("hygiene", "every header compiles alone", 3, "headers", 0.5, needs=("gcc_",)),
    Plan("hygiene", "lib/ logs nothing, reads no environment, knows no Pacemaker", 1, "library_is_pure", 0.5),
    Plan("hygiene", "every file names its licence", 1, "licences", 0.5),
    Plan("hygiene", "the metadata is valid (fence-agents' metadata.rng, pcs's ocf-1.1.rng)", 1, "metadata", 0.5,
         needs=("gcc_", IMAGE)),
    Plan("hygiene", "the man pages have no warning", 1, "man_pages", 0.5, needs=("gcc_",)),
    Plan("hygiene", "every link in the documents leads somewhere", 1, "links", 0.5),
    Plan("hygiene", "files and functions are small, and built upon each other without a circle", 1, "rooms", 0.5),
    Plan("hygiene", "doc/layers.svg is of the includes there are", 1, "layers", 0.5),
    Plan("lab", "a lab starts", 4, FIRST_LAB, 1.0, needs=(IMAGE,)),
    Plan("hygiene", "make distcheck", 90, "distcheck", 0.2, needs=("gcc_",)),           # beside the first labs
]


def group(name, seconds, core=False, step="lab", needs=LAB_NEEDS, width=None, soak=False):
    return Plan(step, name, seconds, width=width, core=core, needs=needs, soak=soak)


def vm_group(name, seconds, core=False, machines="machines"):
    """Machines in QEMU: three of them keep a processor busy. What is not core is for the soak."""
    return Plan("lab", f"{name} {machines}".strip(), seconds, width=0.5, core=core, needs=(*LAB_NEEDS, VM_IMAGE),
                soak=not core)


# Groups of tests, as tests/lab/lab_pool.py names them.
GROUPS = [
    group("test_metadata", 2, core=True, needs=("install_",)),
    group("test_check", 12, core=True, needs=()),
    group("test_rooms", 1, core=True, needs=()),
    group("test_witness", 1, core=True, needs=()),
    group("test_safety 7-multipath", 139, core=True),
    group("test_in_flight 7-plain", 102, core=True),
    vm_group("test_nvme_core", 90, core=True),
    Plan("pacemaker3", "builds and passes its unit tests with Pacemaker 3", 70, "pacemaker3", 0.4, core=False),
    group("test_cluster 7-multipath", 680),
    group("test_coverage", 200, needs=(*LAB_NEEDS, "before")),
    group("test_identity 7-plain", 150),
    group("test_failover own", 390),
    group("test_cluster trio_of_run", 377),
    group("test_cluster pair_of_run", 259),
    group("test_failover managed", 320),
    group("test_paths 7-multipath", 330),
    group("test_watch 7-plain", 230),
    group("test_watch 7-multipath", 230, soak=True),
    group("test_watch_cluster", 150, soak=True),
    group("test_interrupt", 120),
    group("test_changes cluster_of_run", 150),
    group("test_mistakes scene_of_run", 420),
    group("test_safety 6.1-plain", 178),
    group("test_reservation plain", 100),
    group("test_reservation 7-multipath", 84),
    group("test_actions 7-plain", 132),
    group("test_reservation 6.1-plain", 136, soak=True),
    group("test_actions 6.1-multipath", 122, soak=True),
    group("test_rests 7-plain", 30),
    group("test_rests 7-multipath", 10),
    group("test_forgets 7-plain", 20),
    group("test_in_flight 7-multipath", 17),
    group("test_in_flight 6.1-plain", 56),
    group("test_pr_table 7 plain", 15),
    group("test_pr_table 7 multipath", 20),
    group("test_pr_table 6.1 plain", 40),
    group("test_lab 7", 60),
    group("test_lab 6.1", 100, soak=True),
    group("test_lab", 20),
    group("test_mistakes", 1),
    vm_group("test_nvme_safety", 250),
    vm_group("test_nvme_in_flight", 200),
    vm_group("test_nvme_faults", 250),
    vm_group("test_nvme_faults", 100, machines="impatient"),
    vm_group("test_nvme_paths", 250),
    vm_group("test_nvme_dm", 120),
    vm_group("test_nvme_resource", 170),
    vm_group("test_nvme_kernels", 110, machines=""),
    vm_group("test_nvme_pr_table", 200, machines=""),
    vm_group("test_nvme_cluster", 900, machines="cluster_of_run"),
    vm_group("test_guests", 900, machines=""),
    Plan("lab", "test_soak", 400, width=None, core=False, needs=LAB_NEEDS, soak=True),
]
