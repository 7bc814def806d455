"""A mirror: files in a bucket under their SHA-256, and one index that names them.

```
<prefix>/index.json              written last; replaced as a whole by the next mirror
<prefix>/objects/<ab>/<sha256>   a file's content; <ab> are the first two digits
```
Whoever reads sees a whole mirror or none: an interrupted one leaves objects that no index names.
"""

import logging
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from patina.core.bucket import Bucket, check_key, in_parallel
from patina.core.bucket_access import Patience
from patina.core.config import Config, explain
from patina.core.errors import DataRefused

INDEX: Final = "index.json"
DATA: Final = "data/"
"""Prefix of the names of a data set's files."""
ENCODERS: Final = "encoders/"
"""Prefix of the names of encoder weights; `<organisation>/<repository>/<commit>/<file>` of the hub follow."""
SCHEMA_VERSION: Final = 1

_log = logging.getLogger(__name__)


class IndexedFile(Config):
    """One file of a mirror."""

    bytes: int = Field(ge=0)
    """Size in bytes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Hex SHA-256 of the content, and the last part of the object's key."""

    @property
    def key(self) -> str:
        """Key of the object."""
        return object_key(self.sha256)


class Index(Config):
    """What `index.json` holds."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout."""
    source: str
    """What was mirrored: `hf://<data set>@<revision>`, or `folder <name>`."""
    files: dict[str, IndexedFile]
    """Files by their name, which begins with `data/` or `encoders/`."""

    def named(self, prefix: str) -> dict[str, IndexedFile]:
        """The files whose name begins with `prefix`, by the rest of their name."""
        return {name.removeprefix(prefix): file for name, file in self.files.items() if name.startswith(prefix)}


def object_key(sha256: str) -> str:
    """Key of the object whose content has the digest `sha256`."""
    return f"objects/{sha256[:2]}/{sha256}"


def read_index(bucket: Bucket, *, at: str = INDEX) -> Index | None:
    """The index of the mirror at `bucket`; None if there is none.

    Args:
        bucket: where.
        at: key of the index.

    Raises:
        DataRefused: it is not one of this version, or names files outside the mirror.
        StorageError: the bucket cannot be read.
    """
    content = bucket.read(at)
    if content is None:
        return None
    try:
        index = Index.model_validate_json(content)
    except ValidationError as error:
        raise DataRefused(f"{at} of {bucket.url} is not a mirror's index: {explain(Index, error)}. Mirror again.") from error
    if index.schema_version != SCHEMA_VERSION:
        raise DataRefused(f"{at} of {bucket.url} has schema version {index.schema_version}, expected {SCHEMA_VERSION}. Mirror again.")
    for name in index.files:
        check_key(name)
    return index


def fetch_files(bucket: Bucket, files: dict[str, IndexedFile], folder: Path) -> list[Path]:
    """Brings `files` into `folder`, four at a time; what an earlier call left there is proven and not fetched again.

    Args:
        bucket: the mirror.
        files: path below `folder` -> file.
        folder: made if it is missing. One process at a time may use it.

    Returns:
        The paths, in the order of `files`.

    Raises:
        DataRefused: an object is missing or damaged.
        StorageError: the bucket cannot be read, or the folder not be written.
    """
    for name in files:
        check_key(name)
    _log.info("%d files, %.0f MB, from %s", len(files), sum(file.bytes for file in files.values()) / 1e6, bucket.url)
    in_parallel(lambda name: bucket.fetch(files[name].key, folder / name, size=files[name].bytes, sha256=files[name].sha256), files)
    return [folder / name for name in files]


def fetch_data(url: str, folder: Path, patience: Patience | None = None) -> str:
    """Brings the data set that was mirrored to `url` into `folder`, and returns what it was mirrored from.

    Raises:
        DataRefused: no mirror there, or none of a data set, or a damaged one.
        StorageError: the bucket cannot be read, or the folder not be written.
    """
    bucket = Bucket(url, patience)
    index = _index_of(bucket)
    files = index.named(DATA)
    if not files:
        raise DataRefused(f"{url} mirrors no data set ({index.source}). Mirror one there with `patina mirror SOURCE {url}`.")
    fetch_files(bucket, files, folder)
    return index.source


def fetch_encoders(url: str, cache: Path, repositories: tuple[str, ...] = ()) -> int:
    """Lays mirrored encoder weights into a cache of the hub's client, which then finds them without a network.

    Args:
        url: of the mirror.
        cache: the hub's cache, `HF_HUB_CACHE`.
        repositories: `<organisation>/<repository>`; empty for all.

    Returns:
        How many files lie there.

    Raises:
        DataRefused: no mirror there, or a damaged one.
        StorageError: the bucket cannot be read, or the cache not be written.
    """
    bucket = Bucket(url)
    places: dict[str, IndexedFile] = {}
    commits: dict[Path, str] = {}
    for name, file in _index_of(bucket).named(ENCODERS).items():
        organisation, repository, commit, rest = name.split("/", 3)
        if not repositories or f"{organisation}/{repository}" in repositories:
            home = f"models--{organisation}--{repository}"
            places[f"{home}/snapshots/{commit}/{rest}"] = file
            commits[cache / home / "refs" / "main"] = commit
    fetch_files(bucket, places, cache)
    for reference, commit in commits.items():
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit, encoding="utf-8")
    return len(places)


def _index_of(bucket: Bucket) -> Index:
    index = read_index(bucket)
    if index is None:
        raise DataRefused(f"{bucket.url} holds no {INDEX}: nothing was mirrored there, or not to the end. Run `patina mirror` again.")
    return index
