"""Fails if a test was skipped for a reason that is not allowed.

usage: skips.py JUNIT_XML ALLOWED ...

A skipped test is a promise that nobody checks: the accident is a suite that is green because a tool was missing.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def unwanted(report: Path, allowed: tuple[str, ...]) -> list[str]:
    """`test: reason` of every skip (or expected failure) in the JUnit file `report` whose reason starts with none of `allowed`."""
    found = []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote the file a moment ago
        for skipped in case.iter("skipped"):
            reason = skipped.get("message", "")
            if skipped.get("type") == "pytest.xfail" or not reason.startswith(allowed):
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


if __name__ == "__main__":
    if lines := unwanted(Path(sys.argv[1]), tuple(sys.argv[2:])):
        sys.exit("\n".join(["These tests did not run, for reasons that are not allowed here:", *lines]))
