"""ARTeFACT from the Hugging Face hub, at a pinned revision: whole shards, each compared with the SHA-256 that the hub lists.

Reading ranges straight from the hub would save the disk space (at most about 400 MB at a time) and lose that check.
"""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from patina.core.errors import StorageError, UsageError
from patina.download.rows import SourceRow, check_shard, read_shard
from patina.download.transfer import REMEDY, Patience, RemoteFile, fetch, insist, request_headers, without_password

DATASET: Final = "danielaivanova/damaged-media"
REVISION: Final = "282271dabca3fa01add5cbcb7b030a0d8d085b41"
"""Commit of April 2024; another one would be another benchmark."""
PICTURES: Final = 418
"""Rows at that revision."""
_HUB: Final = "https://huggingface.co"
_NAME: Final = re.compile(r"data/[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}\.parquet")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


def read_hub(scratch: Path, *, keep: bool = False, patience: Patience | None = None) -> Iterator[SourceRow]:
    """Yields the rows of ARTeFACT in the hub's order.

    What an earlier, killed call left in `scratch` is used: finished shards are compared with their SHA-256 and not fetched
    again, the unfinished one goes on where it stopped. One process at a time may use the folder.

    Args:
        scratch: folder for the shards; made if it is missing.
        keep: whether shards stay there when they have been read. The folder then grows to the 4.1 GB of the data set, and
            the caller deletes it once the rows are stored; otherwise it holds one shard at a time.
        patience: with a hub that stumbles.

    Raises:
        UsageError: HF_ENDPOINT is no address.
        StorageError: the hub cannot be reached or refuses, a shard keeps arriving damaged, or `scratch` cannot be written.
        DataRefused: a shard does not have ARTeFACT's schema or is damaged.
    """
    patience = patience or Patience()
    endpoint = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        shown = endpoint.rpartition("@")[2]  # a password may stand before it
        raise UsageError(f"HF_ENDPOINT is {shown!r:.80}, expected an HTTP or HTTPS address. Correct or unset it.")
    shards = list_shards(endpoint, patience)
    for number, shard in enumerate(shards, start=1):
        path = fetch(shard, scratch, patience)
        _log.info("shard %d of %d is here: %s, %.0f MB", number, len(shards), path.name, shard.size / 1e6)
        check_shard(path)
        yield from read_shard(path, scratch)
        if not keep:
            path.unlink()


def list_shards(endpoint: str, patience: Patience) -> list[RemoteFile]:
    """The shards of the pinned revision as the hub at `endpoint` lists them, sorted by name.

    Raises:
        StorageError: the hub cannot be reached, refuses, or lists none, or something that cannot be checked.
    """
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status

    def ask() -> Any:
        url = f"{endpoint}/api/datasets/{DATASET}/tree/{REVISION}/data"
        response = get_session().get(url, headers=request_headers(), timeout=patience.silence)
        hf_raise_for_status(response)
        return response.json()

    hub = without_password(endpoint)
    entries = insist(ask, f"list the shards of {DATASET} at {hub}", patience)
    try:  # one page is the whole list: the hub's pages hold 1,000 entries
        files = [entry for entry in entries if entry["path"].endswith(".parquet") and entry.get("lfs")]
        shards = sorted((str(file["path"]), int(file["lfs"]["size"]), str(file["lfs"]["oid"])) for file in files)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{hub} does not list files as a hub does ({error!r:.80}). {REMEDY}") from error
    if not shards:
        raise StorageError(f"{hub} lists no Parquet shards of {DATASET} at {REVISION[:12]}. {REMEDY}")
    for name, size, sha256 in shards:
        if not _NAME.fullmatch(name) or size < 1 or not _SHA256.fullmatch(sha256):
            raise StorageError(f"{hub} lists {name!r:.140} with {size} bytes and sha256 {sha256!r:.70}, expected a shard. {REMEDY}")
    return [RemoteFile(name, f"{endpoint}/datasets/{DATASET}/resolve/{REVISION}/{name}", size, sha256) for name, size, sha256 in shards]
