#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether each link of the Markdown files named leads to a file that is there, and to a heading that is in it."""

import os
import re
import sys

LINK = re.compile(r"\]\((?!https?:)([^()\s]+)\)")


def text(path):
    """Without its code, in which brackets are no links."""
    with open(path) as f:
        return re.sub(r"^(?:    .*|```.*?^```)$|`[^`\n]*`", "", f.read(), flags=re.M)


def anchors(path):
    """Of its headings, as GitHub and most others make them."""
    with open(path) as f:
        headings = re.findall(r"^#+ (.*)$", f.read(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path):
    for link in LINK.findall(text(path)):
        name, _, anchor = link.partition("#")
        target = os.path.join(os.path.dirname(path), name) if name else path
        if not os.path.exists(target):
            yield f"{path}: {link}: there is no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{path}: {link}: there is no such heading"


if __name__ == "__main__":
    found = [line for path in sys.argv[1:] for line in broken(path)]
    for line in found:
        print(line)
    sys.exit(bool(found))
