# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_blkpr's metadata, help and parameter names, as a user of the built agent sees them. No disk is touched."""
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGENT = os.environ.get("BLKPR_AGENT", str(ROOT / "agents" / "fence" / "fence_blkpr"))
SOURCE = ROOT / "metadata" / "fence_blkpr.xml"
sys.path.insert(0, str(ROOT / "tests" / "lab"))
import lab_image                # noqa: E402

FENCE_SCSI = """
    action aptpl corosync_cmap_path debug debug_file delay devices disable_timeout help key key_value logfile
    login_timeout mpath_register_method nodename plug plug_separator port power_timeout power_wait quiet readonly
    retry_on sg_persist_path sg_turs_path shell_timeout stonith_status_sleep suppress-errors suppress_errors verbose
    verbose_level version vgs_path
""".split()

# What asks for the metadata, and what is printed in their place; each has a test of its own.
ANSWERS_ITSELF = ("action", "help", "version")

# Parsed, not obeyed: nothing of this is looked at by the metadata action.
SAMPLES = {"boolean": "1", "integer": "1", "second": "1", "string": "x"}


def run(*arguments, stdin=""):
    """The agent's result. fence agents read stdin only without arguments."""
    return subprocess.run([AGENT, *arguments], input=stdin, capture_output=True, text=True, timeout=30, check=False)


def parameters():
    return ElementTree.parse(SOURCE).getroot().findall("parameters/parameter")


every_parameter = pytest.mark.parametrize(
    "parameter", [parameter for parameter in parameters() if parameter.get("name") not in ANSWERS_ITSELF],
    ids=lambda parameter: parameter.get("name"))


def long_options(parameter):
    return re.findall(r"--([\w-]+)", parameter.find("getopt").get("mixed"))


def sample(parameter, tmp_path):
    content = parameter.find("content")
    if parameter.get("name") in ("logfile", "debug_file", "debug"):
        return str(tmp_path / "log")
    if content.get("type") == "select":
        return content.find("option").get("value")
    return content.get("default") or SAMPLES[content.get("type")]


def assert_accepted(result, *names):
    """Metadata came out, and no warning names a parameter (as one for an unknown name must, see below)."""
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('<?xml version="1.0"?>')
    told = set(re.findall(r"\w+", result.stderr.replace("-", "_")))
    assert not told & {name.replace("-", "_") for name in names}, result.stderr


@pytest.fixture(scope="session", autouse=True)
def built_agent():
    if not os.access(AGENT, os.X_OK):
        pytest.fail(f"no agent at {AGENT}: build it with make, or name it in BLKPR_AGENT")


@pytest.fixture(scope="session", name="metadata")
def metadata_text():
    result = run("-o", "metadata")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="session", name="tree")
def metadata_tree(metadata):
    return ElementTree.fromstring(metadata)


@pytest.fixture(scope="session", name="help_text")
def help_output():
    result = run("--help")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("arguments, stdin", [
    (("-o", "meta-data"), ""),
    (("--action=metadata",), ""),
    ((), "action=metadata\n"),
    ((), "action=meta-data\n"),
], ids=["meta-data", "long option", "stdin", "stdin meta-data"])
def test_every_way_to_ask_gives_the_same_metadata(metadata, arguments, stdin):
    result = run(*arguments, stdin=stdin)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == metadata


def test_metadata_starts_with_the_xml_declaration(metadata):
    assert metadata.startswith('<?xml version="1.0"?>\n<resource-agent ')


def test_metadata_has_no_comments(metadata):
    assert "<!--" not in metadata


def test_metadata_has_every_parameter_of_the_source_once(tree):
    names = [parameter.get("name") for parameter in tree.iter("parameter")]
    assert names == [parameter.get("name") for parameter in parameters()]
    assert len(names) == len(set(names))


def test_metadata_fits_the_schema(metadata):
    image = lab_image.Image.find()
    if not image:
        pytest.skip("the lab's image, which has fence-agents' metadata.rng, is not made (tests/lab/lab.py prepare)")
    if not shutil.which("xmllint"):
        pytest.skip("xmllint is not installed (libxml2-utils on Debian, libxml2 on Fedora)")
    result = subprocess.run(["xmllint", "--noout", "--relaxng", f"{image.root}/usr/share/cluster/relaxng/metadata.rng", "-"], input=metadata, capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_on_is_run_by_the_node_itself_when_it_joins(tree):
    attributes = tree.find("actions/action[@name='on']").attrib
    assert (attributes.get("on_target"), attributes.get("automatic")) == ("1", "1")


def test_actions_are_those_of_a_fabric_agent(tree):
    names = {action.get("name") for action in tree.iter("action")}
    assert names == {"on", "off", "status", "monitor", "list", "list-status", "metadata", "validate-all"}


def test_default_action_is_off(tree):
    assert tree.find("parameters/parameter[@name='action']/content").get("default") == "off"


@every_parameter
def test_parameter_is_accepted_on_stdin(parameter, tmp_path):
    name = parameter.get("name")
    assert_accepted(run(stdin=f"{name}={sample(parameter, tmp_path)}\naction=metadata\n"), name)


@every_parameter
def test_parameter_is_accepted_as_long_option(parameter, tmp_path):
    boolean = parameter.find("content").get("type") == "boolean"
    value = "" if boolean else "=" + sample(parameter, tmp_path)
    for option in long_options(parameter):
        assert_accepted(run(f"--{option}{value}", "-o", "metadata"), option)


@pytest.mark.parametrize("name", FENCE_SCSI)
def test_name_of_fence_scsi_is_a_parameter(tree, name):
    """nodename is not in fence_scsi's metadata, but it takes it."""
    assert tree.find(f"parameters/parameter[@name='{name}']") is not None


def test_configuration_of_fence_scsi_is_accepted_as_it_is():
    left_out = {"action", "help", "version", "debug", "debug_file", "logfile"}
    values = {"key_value": "hash", "verbose": "0", "quiet": "0", "aptpl": "0", "readonly": "1", "disable_timeout": "1"}
    lines = [f"{name}={values.get(name, '1')}\n" for name in FENCE_SCSI if name not in left_out]
    result = run(stdin="".join(lines) + "action=metadata\n")
    assert_accepted(result, *(name for name in FENCE_SCSI if name not in left_out))


def test_unknown_name_is_told():
    """Else the tests above could not fail."""
    result = run(stdin="no_such_parameter=1\naction=metadata\n")
    assert result.returncode == 0
    assert "no_such_parameter" in result.stderr.replace("-", "_")


def test_unknown_option_is_refused():
    assert run("--no-such-option", "-o", "metadata").returncode == 1


def test_help_has_every_current_option(help_text):
    current = [parameter for parameter in parameters() if parameter.get("deprecated") != "1"]
    options = {option for parameter in current for option in long_options(parameter)}
    shown = set(re.findall(r"--([\w-]+)", help_text))
    assert options and options <= shown


def test_help_has_every_action(tree, help_text):
    for action in tree.iter("action"):
        assert re.search(rf"^  {re.escape(action.get('name'))} ", help_text, re.MULTILINE), action.get("name")


def test_help_fits_80_columns(help_text):
    assert [line for line in help_text.splitlines() if len(line) > 80] == []


def test_help_needs_no_action_and_no_root():
    assert run("-h").stdout == run("--help", "-o", "off").stdout != ""


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version_is_printed(option):
    result = run(option)
    assert result.returncode == 0
    assert re.search(r"\d+\.\d+", result.stdout)
