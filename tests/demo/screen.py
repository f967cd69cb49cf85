# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo prints: a time line of at most 100 columns, in colour on a terminal."""

import contextlib
import os
import sys
import textwrap
import time

WIDTH = 100
TEXT_COLUMN = 16
COLOURS = {"n1": "32", "n2": "33", "stor": "36", "dim": "2", "bold": "1", "good": "1;32", "bad": "1;31"}


class Screen:
    """Prints; remembers what it printed, without colour."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.began = time.monotonic()
        self.lines = []

    def plain(self, text="", style=None):
        """A paragraph."""
        for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False) or [""]:
            self._print(line, self._paint(line, style))

    def event(self, node, text, style=None):
        """What a node does now, with the seconds since start_clock()."""
        self._line(f"{time.monotonic() - self.began:6.2f} s", node, text, style)

    def moment(self, ms, node, text):
        """What a node did at a certain millisecond."""
        self._line(f"{ms:5.1f} ms", node, text, None)

    def detail(self, text, style=None, hang=0):
        """More about the last event."""
        for line in textwrap.wrap(text, WIDTH - TEXT_COLUMN, subsequent_indent=" " * hang, break_on_hyphens=False):
            self._print(" " * TEXT_COLUMN + line, " " * TEXT_COLUMN + self._paint(line, style))

    def line(self, when, node, text, style=None):
        """What a node did, at a time that the caller writes."""
        self._line(when, node, text, style)

    def start_clock(self):
        self.began = time.monotonic()

    def _line(self, when, node, text, style):
        first, *rest = textwrap.wrap(text, WIDTH - TEXT_COLUMN, break_on_hyphens=False)
        when = f"{when:>8}"
        self._print(f"{when}  {node:4}  {first}",
                    f"{self._paint(when, 'dim')}  {self._paint(f'{node:4}', node)}  {self._paint(first, style)}")
        for line in rest:
            self.detail(line, style)

    def _paint(self, text, style):
        return f"\033[{COLOURS[style]}m{text}\033[0m" if self.colour and style in COLOURS else text

    def _print(self, line, painted):
        self.lines.append(line.rstrip())
        with contextlib.suppress(BrokenPipeError):      # nobody reads any more; the end is to be tidy all the same
            print(painted.rstrip(), flush=True)
