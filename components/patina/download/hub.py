"""ARTeFACT from the Hugging Face hub, at a pinned revision, shard by shard: never more than one shard on the disk.

A shard is fetched whole, compared with the SHA-256 that the hub lists for it, read undecoded, and deleted. Reading ranges
straight from the hub would save the disk space (at most about 400 MB) and lose that check and the resuming of broken transfers.
"""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from patina.core import storage
from patina.core.errors import StorageError
from patina.download.rows import SourceRow, check_shard, read_shard

if TYPE_CHECKING:
    from huggingface_hub import HfApi

DATASET: Final = "danielaivanova/damaged-media"
REVISION: Final = "282271dabca3fa01add5cbcb7b030a0d8d085b41"
"""Commit of April 2024; another one would be another benchmark."""
PICTURES: Final = 418
"""Rows at that revision."""
_ATTEMPTS: Final = 3
_REMEDY: Final = "Check the connection (HF_ENDPOINT names a mirror), or use --data with a folder, or --data sample."

_log = logging.getLogger(__name__)


def read_hub(scratch: Path) -> Iterator[SourceRow]:
    """Yields the rows of ARTeFACT in the hub's order; `scratch` holds one shard at a time.

    Raises:
        StorageError: the hub cannot be reached or refuses, or a shard keeps arriving damaged.
        DataRefused: a shard does not have ARTeFACT's schema.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    for name, sha256 in _list_shards(api):
        shard = _fetch(api, name, sha256, scratch)
        check_shard(shard)
        yield from read_shard(shard)
        shard.unlink()


def _list_shards(api: "HfApi") -> list[tuple[str, str]]:
    from huggingface_hub import RepoFile

    try:
        entries = list(api.list_repo_tree(DATASET, "data", revision=REVISION, repo_type="dataset"))
    except Exception as error:  # httpx, the hub's own and operating system errors have no common base
        raise _unreachable(api, "list the shards", error) from error
    files = [entry for entry in entries if isinstance(entry, RepoFile) and entry.path.endswith(".parquet")]
    shards = sorted((file.path, file.lfs.sha256) for file in files if file.lfs is not None)
    if not shards:
        raise StorageError(f"{api.endpoint} lists no Parquet shards of {DATASET} at {REVISION[:12]}. {_REMEDY}")
    return shards


def _fetch(api: "HfApi", name: str, sha256: str, scratch: Path) -> Path:
    fault = StorageError(f"{name} was not fetched")
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt)  # a hub that stumbles deserves a moment
        try:
            fetched = Path(
                api.hf_hub_download(DATASET, name, repo_type="dataset", revision=REVISION, local_dir=scratch, force_download=attempt > 0)
            )
        except Exception as error:  # see above; hf_xet raises plain RuntimeErrors as well
            fault = _unreachable(api, f"fetch {name}", error)
            fault.__cause__ = error
        else:
            found = storage.sha256_file(fetched)
            if found == sha256:
                return fetched
            fault = StorageError(f"{name} from {api.endpoint} has sha256 {found[:12]}, the hub lists {sha256[:12]}. Try again later.")
        _log.warning("attempt %d of %d: %s", attempt + 1, _ATTEMPTS, fault)
    raise fault


def _unreachable(api: "HfApi", action: str, error: Exception) -> StorageError:
    reason = (str(error).strip() or "no message").splitlines()[0]
    return StorageError(f"cannot {action} of {DATASET} at {api.endpoint} ({type(error).__name__}: {reason:.160}). {_REMEDY}")
