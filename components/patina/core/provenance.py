"""Which code, libraries and machine made something."""

import hashlib
import platform
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import patina

_LIBRARIES = (
    "kfp",
    "minio",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "pyarrow",
    "segmentation-models-pytorch",
    "timm",
    "torch",
    "torchvision",
)


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Hex SHA-256 over the names and bytes of the package's Python files and templates: changes with any edit of the code."""
    root = Path(patina.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in {".py", ".jinja", ".css"}):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that can change a result, and of Python."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # the data image has no torch stack
    return versions


def host_facts() -> dict[str, str]:
    """Facts of this machine that explain a timing; they never enter a digest."""
    return {"platform": platform.platform(), "machine": platform.machine(), "executable": Path(sys.executable).name}
