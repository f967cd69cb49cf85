#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the C files named are rooms of one house: small, narrow, and built upon each other from the bottom up.

A noun is the .c and the .h of one name.

- A file has at most 400 lines. There is no least size for a file: a header is a contract, and says no more than it has
  to. A noun has at least 25 lines: what is less says little beside its licence, its guard and its includes.
- A function has at most 40 lines, from its name to its closing brace; a line has at most 100 columns, a tab up to 8.
- lib/ and metadata/ include nothing but themselves. agents/common/ includes lib/, a program's folder in agents/ includes
  both. A program includes no other program.
- The includes of nouns have no circle, but for those of ARGUED.

What breaks a rule of size today stands in EXCEPTIONS, with its size as a ceiling. A ceiling may only be lowered. An
exception that is not needed any more is a fault, so that it goes.

    rooms.py FILE...            # the faults, one a line
    rooms.py --long FILE...     # the lines that are too long
"""

import os
import re
import sys

LINES, LEAST, FUNCTION, COLUMNS = 400, 25, 40, 100

# What is above its limit today.
EXCEPTIONS = {
    "lib/: longer than 100 columns": 115,
}

# Includes that close a circle, and why they may.
ARGUED = {
    ("lib/command", "lib/nvme"): "the ioctls cannot end a registration on NVMe",
    ("lib/report", "lib/nvme"): "report chooses the way to read, and the ways fill a report",
    ("lib/report", "lib/prin"): "the same",
    ("lib/verdict", "lib/drain"): "a drain of a run before does not hold after a run that was lost",
}

BELOW = {"lib": (), "metadata": (), "agents": ("lib",), "agents/common": ("lib",)}
BELOW_A_PROGRAM = ("lib", "agents/common")

INCLUDE = re.compile(r'^#include "([^"]+)\.h"$', re.M)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def noun(path):
    return os.path.splitext(path)[0]


def functions(text):
    """(name, lines) of each. In this style a brace in the first column opens a function, or ends one."""
    lines = text.split("\n")
    for opening in (i for i, line in enumerate(lines) if line == "{"):
        first = opening
        while first and re.match(r"[^#/ *}]", lines[first - 1]) and not lines[first - 1].endswith(";"):
            first -= 1
        name = re.search(r"(\w+)\(", " ".join(lines[first:opening]))
        yield name[1] if name else f"line {first + 1}", lines.index("}", opening) - first + 1


def graph(paths):
    """Of each noun, the nouns that it includes. What is generated while building is in no tree, and no noun."""
    nouns = {noun(path) for path in paths}
    included = {name: set() for name in nouns}
    for path in paths:
        included[noun(path)] |= set(INCLUDE.findall(read(path))) & nouns - {noun(path)}
    return included


def reachable(included, start):
    """The nouns that START is built upon, itself only if it is in a circle."""
    found, ahead = set(), list(included[start])
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += included[name]
    return found


def circles(included):
    """Sets of nouns that are built upon each other."""
    below = {name: reachable(included, name) for name in included}
    return {frozenset(other for other in below[name] if name in below[other]) for name in included if name in below[name]}


def without_argued(included, argued):
    return {name: {below for below in names if (name, below) not in argued} for name, names in included.items()}


def sizes(paths):
    """(what, its lines, their limit). Lines that are too long are counted for a folder of the top: files move."""
    for path in paths:
        yield path, len(read(path).splitlines()), LINES
        for name, length in functions(read(path)):
            yield f"{path}: {name}()", length, FUNCTION
    for folder in sorted({path.split("/")[0] for path in paths}):
        long = [path for path in paths if path.startswith(folder + "/") for _ in long_lines(path)]
        yield f"{folder}/: longer than {COLUMNS} columns", len(long), 0


def long_lines(path):
    return [number for number, line in enumerate(read(path).splitlines(), 1) if len(line.expandtabs(8)) > COLUMNS]


def oversized(paths, exceptions):
    found = {what: (size, limit) for what, size, limit in sizes(paths) if size > limit}
    for what, (size, limit) in found.items():
        if size > exceptions.get(what, limit):
            yield f"{what}: {size} lines, {exceptions.get(what, limit)} at most"
    for what in exceptions.keys() - found.keys():
        yield f"{what}: needs no exception any more: take it out of EXCEPTIONS"


def undersized(paths):
    length = {}
    for path in paths:
        length[noun(path)] = length.get(noun(path), 0) + len(read(path).splitlines())
    for name, lines in length.items():
        if lines < LEAST:
            yield f"{name}: {lines} lines in all, {LEAST} at least"


def upward(included):
    for name, names in included.items():
        folder = os.path.dirname(name)
        allowed = (folder, *BELOW.get(folder, BELOW_A_PROGRAM))
        for other in sorted(names):
            if os.path.dirname(other) not in allowed:
                yield f"{name}: includes {other}.h, but {folder}/ is not built upon {os.path.dirname(other)}/"


def circular(included, argued):
    for circle in circles(without_argued(included, argued)):
        yield f"{', '.join(sorted(circle))}: include each other"
    for edge in argued:
        others = without_argued(included, argued.keys() - {edge})
        if not circles(others) - circles(without_argued(included, argued)):
            yield f"{edge[0]} includes {edge[1]}: closes no circle any more: take it out of ARGUED"


def faults(paths, exceptions, argued):
    included = graph(paths)
    yield from oversized(paths, exceptions)
    yield from undersized(paths)
    yield from upward(included)
    yield from circular(included, argued)


def main(arguments):
    if arguments[:1] == ["--long"]:
        found = [f"{path}:{number}" for path in arguments[1:] for number in long_lines(path)]
    else:
        found = sorted(faults(arguments, EXCEPTIONS, ARGUED))
    for line in found:
        print(line)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
