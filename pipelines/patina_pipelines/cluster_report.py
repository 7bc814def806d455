"""Brings the report of a run on a cluster home.

The backend's API gives ids of artifacts and no way to read them, so the bucket is read: artifacts lie at
`<pipeline root>/<pipeline>/<run id>/<task>/<uuid>/<output>`.
"""

from pathlib import Path
from typing import Any

from patina.core import storage
from patina.core.bucket import Bucket
from patina.core.errors import StorageError

FILES = ("report.html", "report.md", "ranking.csv", "summary.json")
_FOLDER = "/comparison/"


def place(run: Any, pipeline: str, root: str | None) -> str:
    """Where the artifacts of `run` lie; `root` is the pipeline root if the run does not tell.

    Raises:
        StorageError: neither says, or it is no bucket that can be read by S3.
    """
    known = (run.runtime_config and run.runtime_config.pipeline_root) or root
    if not known:
        raise StorageError("the run does not say where its artifacts lie. Give --pipeline-root, as the ConfigMap kfp-launcher has it.")
    address = str(known).replace("minio://", "s3://", 1)
    if not address.startswith("s3://"):
        raise StorageError(f"artifacts lie in {known}, which is no S3 bucket. Open the report in the UI: output html of the stage compare.")
    return f"{address.partition('?')[0].rstrip('/')}/{pipeline}/{run.run_id}"


def fetch(address: str, folder: Path) -> Path:
    """Copies the report's files from below `address` into `folder`; returns the page.

    Raises:
        StorageError: the bucket refuses or is out of reach, or holds no report there.
    """
    bucket = Bucket(address)
    found = {key.rpartition("/")[2]: key for key in (stored.key for stored in bucket.listing("compare/")) if _FOLDER in key}
    if FILES[0] not in found:
        raise StorageError(f"no {FILES[0]} below {address}/compare. Is this the pipeline root of the run?")
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        content = bucket.read(found[name]) if name in found else None
        if content is not None:
            storage.write_bytes(folder / name, content)
    return folder / FILES[0]
