# SPDX-License-Identifier: GPL-2.0-or-later
"""rooms.py on small trees: each rule broken once, and found."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rooms                    # noqa: E402

FUNCTION = "int {name}(void)\n{{\n{body}}}\n"
PADDING = "/* purpose */\n" * rooms.LEAST


@pytest.fixture(name="house")
def house_of_files(tmp_path, monkeypatch):
    """A function that writes files, {path: text}, and returns what rooms.py has against them."""
    monkeypatch.chdir(tmp_path)

    def house(files, exceptions=(), argued=()):
        for path, text in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
        return sorted(rooms.faults(list(files), dict(exceptions), dict(argued)))
    return house


def including(*nouns):
    return "".join(f'#include "{noun}.h"\n' for noun in nouns) + PADDING


def test_house_in_order_has_no_fault(house):
    assert not house({"lib/key.h": PADDING, "lib/disk.c": including("lib/disk", "lib/key"), "lib/disk.h": "",
                      "agents/common/say.c": including("lib/disk", "config"),
                      "agents/fence/plan.c": including("agents/common/say", "lib/key", "metadata/generated"),
                      "metadata/xml.c": FUNCTION.format(name="f", body="\tg();\n" * 37) + PADDING})


def test_long_file_is_found(house):
    assert house({"lib/a.c": "/**/\n" * 401}) == ["lib/a.c: 401 lines, 400 at most"]


def test_noun_that_says_nothing_is_found(house):
    assert house({"lib/a.c": "\n" * 14, "lib/a.h": "\n" * 10}) == ["lib/a: 24 lines in all, 25 at least"]


@pytest.mark.parametrize("signature", ["static int long_one(void)", "struct a *long_one(\n\tint a, int b)"])
def test_long_function_is_found(house, signature):
    text = f"/* says what */\n{signature}\n{{\n" + "\tf();\n" * 38 + "}\n"
    lines = 40 + len(signature.split("\n"))
    assert house({"lib/a.c": text}) == [f"lib/a.c: long_one(): {lines} lines, 40 at most"]


def test_wide_lines_are_found(house):
    files = {"lib/a.c": PADDING + "\t" * 12 + "12345\n", "lib/b.c": PADDING + "\t" * 12 + "1234\n",
             "agents/fence/c.c": PADDING + "x" * 101 + "\n"}
    assert house(files) == ["agents/: longer than 100 columns: 1 lines, 0 at most",
                            "lib/: longer than 100 columns: 1 lines, 0 at most"]
    assert [rooms.long_lines(path) for path in files] == [[26], [], [26]]


@pytest.mark.parametrize("above, below", [
    ("lib/disk", "agents/say"), ("lib/disk", "agents/common/say"), ("lib/disk", "metadata/xml"),
    ("agents/common/say", "agents/fence/plan"), ("agents/fence/plan", "agents/watch/plan"), ("metadata/xml", "lib/key"),
])
def test_include_upwards_is_found(house, above, below):
    fault, = house({f"{above}.c": including(below), f"{below}.h": PADDING})
    assert fault.startswith(f"{above}: includes {below}.h")


def test_circle_is_found(house):
    assert house({"lib/a.h": including("lib/b"), "lib/b.c": including("lib/b", "lib/c"), "lib/b.h": "",
                  "lib/c.c": including("lib/a"), "lib/d.c": including("lib/a")}) == ["lib/a, lib/b, lib/c: include each other"]


def test_circle_that_is_argued_is_none(house):
    files = {"lib/a.h": including("lib/b"), "lib/b.h": including("lib/a")}
    assert not house(files, argued={("lib/b", "lib/a"): "because"})


def test_argument_about_no_circle_is_found(house):
    files = {"lib/a.h": including("lib/b"), "lib/b.h": PADDING}
    fault, = house(files, argued={("lib/a", "lib/b"): "because"})
    assert "closes no circle" in fault


def test_exception_is_a_ceiling(house):
    exceptions = {"lib/a.c": 450}
    assert not house({"lib/a.c": "/**/\n" * 450}, exceptions)
    assert house({"lib/a.c": "/**/\n" * 451}, exceptions) == ["lib/a.c: 451 lines, 450 at most"]


@pytest.mark.parametrize("files", [{"lib/a.c": "/**/\n" * 400}, {"lib/b.c": PADDING}], ids=["in order", "gone"])
def test_exception_that_is_not_needed_is_found(house, files):
    fault, = house(files, {"lib/a.c": 450})
    assert fault.startswith("lib/a.c: needs no exception")
