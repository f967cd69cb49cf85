# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees while ./check runs: a line for whatever ends, at once; beneath it, on a terminal, what goes on."""

import os
import shutil
import sys
import time

# seconds without a line, where there is no terminal, until one says what goes on
QUIET = float(os.environ.get("BLKPR_CHECK_QUIET") or 30)


class Screen:
    def __init__(self, began):
        self.began = began              # by time.monotonic()
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.told = self.drawn = 0

    def minutes(self):
        seconds = int(time.monotonic() - self.began)
        return f"{seconds // 60:2}:{seconds % 60:02}"

    def line(self, text):
        """One line that stays, or several."""
        self.told = time.monotonic()
        first, *rest = text.rstrip("\n").split("\n")
        print(("\r\033[K" if self.terminal else "") + f"[{self.minutes()}] {first}", *(f"        {r}" for r in rest),
              sep="\n", flush=True)
        self.drawn = 0

    def status(self, text):
        """What goes on: the last line of a terminal, written anew; elsewhere a line now and then."""
        now = time.monotonic()
        if not self.terminal:
            if now - self.told > QUIET:
                self.line(text)
        elif now - self.drawn > 1:
            self.drawn = now
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{f'[{self.minutes()}] {text}'[:width]}", end="", flush=True)

    def end(self, lines):
        """The closing lines, without the time."""
        if self.terminal:
            print("\r\033[K", end="")
        print(*lines, sep="\n", flush=True)
