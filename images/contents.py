"""Run inside an image: prints what is installed there as one JSON object.

`{"python": [[name, version, licence], ...], "debian": [[name, version, architecture], ...]}`
"""

import json
import subprocess
import sys
from importlib import metadata


def python_distributions() -> list[list[str]]:
    """Name, version and licence of every distribution that this interpreter would import."""
    found = ((d.name, d.version, d.metadata.get("License-Expression") or "") for d in metadata.distributions())
    return [list(line) for line in sorted(set(found), key=lambda line: line[0].lower())]


def debian_packages() -> list[list[str]]:
    """Name, version and architecture of every installed package; none on a base that is not Debian-like."""
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
    try:
        text = subprocess.run(["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return []
    lines = (line.split("\t") for line in text.splitlines())
    return sorted(line[1:] for line in lines if line[0].startswith("ii"))


if __name__ == "__main__":
    json.dump({"python": python_distributions(), "debian": debian_packages()}, sys.stdout)
