"""`patina publish`: puts a finished run's report into a bucket, where people without this machine read it."""

import hashlib
import json
from pathlib import Path
from typing import Final

from patina.core.bucket import Bucket
from patina.core.bucket_access import Patience
from patina.core.errors import DataRefused, UsageError
from patina_pipelines import lineage, runs

PUBLISHED: Final = "published.json"
"""Written last, beside the files: their sizes and digests."""
_COMPARISON: Final = ("summary.json", "ranking.csv", "report.md")


def publish(folder: Path, target: str, patience: Patience | None = None) -> str:
    """Copies report, summary, ranking and lineage of the run in `folder` to `<target>/<run id>/`, and returns that address.

    A run is published once: the same files again are left alone, and other files under its name are refused.

    Raises:
        UsageError: the run has not succeeded, or `target` names no bucket.
        DataRefused: a file is missing, or the run was published with another content.
        StorageError: the bucket cannot be reached or refuses.
    """
    run = runs.load(folder)
    if run.state != "succeeded":
        raise UsageError(f"{run.id} is {run.state}: only a run that has succeeded has a report. Go on with: patina run --resume {run.id}")
    comparison = folder / "artifacts" / "compare" / "comparison"
    files = {"report.html": comparison / "report.html"} | {name: comparison / name for name in _COMPARISON if (comparison / name).is_file()}
    try:
        contents = {name: path.read_bytes() for name, path in files.items()}
    except OSError as error:
        raise DataRefused(f"{run.id} has no readable {error.filename} ({error.strerror}). Run it again.") from error
    contents["lineage.json"] = json.dumps(lineage.collect(folder), indent=1, sort_keys=True).encode()
    digests = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    bucket = Bucket(f"{target.rstrip('/')}/{run.id}", patience)
    record = json.dumps(digests, indent=1, sort_keys=True).encode()
    there = bucket.read(PUBLISHED)
    if there is None:
        for name, content in contents.items():
            bucket.put_bytes(name, content)
    if there not in (None, record) or not bucket.put_new(PUBLISHED, record):
        raise DataRefused(f"{bucket.url} was published with another content. Choose another prefix, or remove it there first.")
    return bucket.url
