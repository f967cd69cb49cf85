# SPDX-License-Identifier: GPL-2.0-or-later
"""What a pytest run's JUnit file tells: passed, failed and skipped in one line, then a line for each test that failed."""

import sys
import xml.etree.ElementTree as ET


def main(path):
    try:
        suites = list(ET.parse(path).getroot().iter("testsuite"))
    except (OSError, ET.ParseError) as e:
        print("0 1 0", f"{path}: {e}", sep="\n")
        return
    n = {k: sum(int(s.get(k, 0)) for s in suites) for k in ("tests", "failures", "errors", "skipped")}
    bad = n["failures"] + n["errors"]
    good = n["tests"] - bad - n["skipped"]
    print(good, bad if good or bad else 1, n["skipped"])
    for case in (case for suite in suites for case in suite.iter("testcase")):
        for problem in [*case.iterfind("failure"), *case.iterfind("error")]:
            line = (problem.get("message") or "").partition("\n")[0]
            print(f"{case.get('classname')}::{case.get('name')}: {line[:400]}")


main(sys.argv[1])
