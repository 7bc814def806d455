"""The artifact contract: a folder of files plus `manifest.json`, written last and checked before anything is believed.

The content digest covers the payload files only. Timings, host facts and HTML views are "facts": hashed beside it, so
that equal work has equal digests and a tampered view is still found.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field, ValidationError

from patina import __version__
from patina.core import provenance, storage
from patina.core.config import Config, explain
from patina.core.errors import DataRefused

MANIFEST = "manifest.json"
SCHEMA_VERSION = 2
Kind = Literal["raw", "splits", "tiles", "weights", "model", "evaluation", "comparison"]


class FileRecord(Config):
    """Size and digest of one file of an artifact."""

    bytes: int = Field(ge=0)
    """Size in bytes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Hex SHA-256 of the content."""


class Manifest(Config):
    """What `manifest.json` holds."""

    kind: Kind
    """What the folder is; see the table in components/README.md."""
    schema_version: int
    """Version of this contract."""
    digest: str
    """Content digest: over kind, schema version and the payload files' names and digests."""
    files: dict[str, FileRecord]
    """Payload files by path relative to the folder."""
    facts: dict[str, FileRecord]
    """Files outside the content digest: timings, host facts, HTML views."""
    inputs: dict[str, str]
    """Content digests of the artifacts that this one was made from, by role."""
    config: dict[str, Any]
    """The configuration that made it."""
    config_digest: str
    """Digest of `config`."""
    code_version: str
    """Version of patina."""
    code_digest: str
    """Digest of patina's source files."""
    libraries: dict[str, str]
    """Versions of Python and of the libraries that can change a result."""
    image: str
    """Reference of the container image of the stage."""

    def metadata(self) -> dict[str, str]:
        """What goes into the KFP artifact's metadata, flat: the cache key and the UI's lineage then speak of content."""
        return {"kind": self.kind, "digest": self.digest, "config_digest": self.config_digest, "code_version": self.code_version}


def seal(
    folder: Path,
    kind: Kind,
    *,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    image: str,
) -> Manifest:
    """Closes an artifact: hashes every file below `folder` and writes the manifest, last and atomically.

    Files named `*.html` and `facts.json` are facts, all others payload. An empty folder is refused.

    Raises:
        DataRefused: nothing to seal, or a link among the files.
    """
    records = {path.relative_to(folder).as_posix(): _record(path) for path in _files(folder)}
    files = {name: record for name, record in records.items() if not _is_fact(name)}
    if not files:
        raise DataRefused(f"{folder} has no payload file: an artifact of kind {kind!r} must hold at least one.")
    written = json.loads(json.dumps(dict(config), allow_nan=False))  # what a reader will find: tuples are lists, keys are strings
    manifest = Manifest(
        kind=kind,
        schema_version=SCHEMA_VERSION,
        digest=_content_digest(kind, SCHEMA_VERSION, files),
        files=files,
        facts={name: record for name, record in records.items() if _is_fact(name)},
        inputs=dict(inputs),
        config=written,
        config_digest=storage.digest_of(written),
        code_version=__version__,
        code_digest=provenance.source_digest(),
        libraries=provenance.library_versions(),
        image=image,
    )
    storage.write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of `folder`, its own digests recomputed; the files are not read.

    Raises:
        DataRefused: no manifest (the writer was stopped before the end), not one, or edited by hand.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataRefused(f"{folder} has no {MANIFEST}: it is not an artifact, or its writer was stopped. Run the stage again.")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataRefused(f"{path} is not a manifest: {explain(Manifest, error)}. Run the stage again.") from error
    for name in (*manifest.files, *manifest.facts):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise DataRefused(f"{path} names the file {name!r} outside its folder. Do not use this artifact.")
    for field, found, expected in (
        ("digest", manifest.digest, _content_digest(manifest.kind, manifest.schema_version, manifest.files)),
        ("config_digest", manifest.config_digest, storage.digest_of(manifest.config)),
    ):
        if found != expected:
            raise DataRefused(f"{path}: {field} is {found[:12]}, its content says {expected[:12]}. Run the stage again.")
    return manifest


def open_artifact(folder: Path, kind: Kind) -> Manifest:
    """Checks `folder` completely and returns its manifest: kind, version, then size and SHA-256 of every file.

    Raises:
        DataRefused: naming artifact, file, what was expected and what was found.
    """
    manifest = read_manifest(folder)
    if manifest.kind != kind:
        raise DataRefused(f"{folder} is an artifact of kind {manifest.kind!r}, expected {kind!r}. Connect the right output.")
    if manifest.schema_version != SCHEMA_VERSION:
        raise DataRefused(f"{folder} has schema version {manifest.schema_version}, expected {SCHEMA_VERSION}. Run its stage again.")
    expected = {**manifest.files, **manifest.facts}
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    if stray := sorted(set(found) ^ set(expected)):
        problem = "missing" if stray[0] in expected else "not in the manifest"
        raise DataRefused(f"{kind} artifact {folder}: file {stray[0]!r} is {problem} ({len(stray)} such). Run the stage again.")
    for name, record in expected.items():
        actual = _record(found[name])
        if actual != record:
            raise DataRefused(
                f"{kind} artifact {folder}: file {name!r} should have {record.bytes} bytes, sha256 {record.sha256[:12]}; "
                f"found {actual.bytes} bytes, {actual.sha256[:12]}. Run the stage again."
            )
    return manifest


def _files(folder: Path) -> list[Path]:
    paths = sorted(folder.rglob("*"))
    if links := [path for path in paths if path.is_symlink()]:
        raise DataRefused(f"{folder} holds the link {links[0].name!r}: an artifact holds plain files only. Copy what it points to.")
    return [path for path in paths if path.is_file() and path != folder / MANIFEST]


def _is_fact(name: str) -> bool:
    return name.endswith(".html") or PurePosixPath(name).name == "facts.json"


def _record(path: Path) -> FileRecord:
    return FileRecord(bytes=path.stat().st_size, sha256=storage.sha256_file(path))


def _content_digest(kind: str, schema_version: int, files: Mapping[str, FileRecord]) -> str:
    payload = {name: record.sha256 for name, record in files.items()}
    return storage.digest_of({"kind": kind, "schema_version": schema_version, "files": payload})
