#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make -n` would compile, on stdin, as a compilation database (for clangd and its like) on stdout."""

import json
import os
import re
import shlex
import sys

SOURCE = re.compile(r"(?:`test -f '(?P<there>[^']*)' \|\| echo '(?P<top>[^']*)'`)?(?P<name>\S+\.c)$")


def entries(lines, directory):
    for line in lines:
        command = line.split(" &&")[0].rstrip("\\ \n")
        if " -c " not in command or not (found := SOURCE.search(command)):
            continue
        name = found["name"] if os.path.exists(os.path.join(directory, found["name"])) else (found["top"] or "") + found["name"]
        yield {"directory": directory, "file": name, "arguments": [*shlex.split(command[:found.start()]), name]}


if __name__ == "__main__":
    json.dump(list(entries(sys.stdin, os.getcwd())), sys.stdout, indent=1)
