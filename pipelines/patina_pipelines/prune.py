"""`patina prune`: what may go from a folder of runs or from a bucket. It lists, and removes only when told to.

| what | goes when |
|---|---|
| a run in a folder | it has ended, and `keep` newer runs are there |
| a published run in a bucket | `keep` newer ones lie beside it |
| an object of a mirror | the index beside it does not name it, and it is older than `days` |
| a state of a training in a bucket | it and everything under its key is older than `days`: nobody goes on with that training |

Everything else is not of this project's making, and is counted but never touched.
"""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from patina.core.bucket import Bucket, Stored, is_bucket
from patina.core.bucket_access import Patience
from patina.core.bucket_index import INDEX, read_index
from patina.core.errors import StorageError, UsageError
from patina_pipelines import runs

_OBJECT: Final = re.compile(r"(?P<root>(?:.*/)?)objects/[0-9a-f]{2}/[0-9a-f]{64}")
_RUN: Final = re.compile(r"(?P<run>(?P<root>(?:.*/)?)[a-z][a-z-]*-(?P<stamp>\d{8}T\d{6}Z)-[0-9a-f]{6}/).*")
_STATE: Final = re.compile(r"(?P<training>(?:.*/)?[0-9a-f]{32}/)(?:step-\d{9}\.json|[0-9a-f]{64}\.pt)")


@dataclass(frozen=True)
class Candidate:
    """Something that may go.

    Attributes:
        name: of a run, a training, or a mirror's leftovers.
        why: one clause.
        bytes: what it takes.
        keys: its objects; or its folder, as one path.
    """

    name: str
    why: str
    bytes: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What `prune` would remove.

    Attributes:
        candidates: in the order of their names.
        kept: files or objects that stay and are of this project's making.
        foreign: those that are not.
    """

    candidates: tuple[Candidate, ...]
    kept: int
    foreign: int


def plan(target: str, *, keep: int = 10, days: float = 7.0, patience: Patience | None = None) -> Plan:
    """What may go from `target`; nothing is removed.

    Args:
        target: a folder of runs, or `s3://bucket/prefix`.
        keep: how many of the newest runs stay, at least 1.
        days: age below which objects of mirrors and states of trainings stay: somebody may be writing them. Not negative.
        patience: with a bucket that stumbles.

    Raises:
        UsageError: counts out of range, or no such folder.
        DataRefused: an index that cannot be read; its objects might be needed.
        StorageError: the bucket cannot be read.
    """
    if keep < 1 or days < 0:
        raise UsageError(f"keep = {keep}, days = {days:g}: expected to keep at least one run, and no negative age.")
    if is_bucket(target):
        return _bucket_plan(Bucket(target, patience), keep, datetime.now(UTC) - timedelta(days=days))
    folder = Path(target)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder. Give a folder of runs, or s3://bucket/prefix.")
    listed = runs.listing(folder)
    old = [run for run in listed[:-keep] if runs.load(run).state != "running"]
    gone = tuple(Candidate(run.name, f"{keep} newer runs", _size(run), (str(run),)) for run in old)
    return Plan(gone, len(listed) - len(old), sum(1 for _ in folder.iterdir()) - len(listed))


def remove(target: str, planned: Plan, patience: Patience | None = None) -> None:
    """Removes what `planned` names from `target`.

    Raises:
        StorageError: the disk or the bucket refuses.
    """
    if is_bucket(target):
        bucket = Bucket(target, patience)
        for candidate in planned.candidates:
            bucket.remove(candidate.keys)
        return
    for candidate in planned.candidates:
        for path in candidate.keys:
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise StorageError(f"cannot remove {path}: {error.strerror or error}. Look at its rights.") from error


def _bucket_plan(bucket: Bucket, keep: int, before: datetime) -> Plan:
    objects: dict[str, list[Stored]] = defaultdict(list)
    published: dict[str, dict[tuple[str, str], list[Stored]]] = defaultdict(lambda: defaultdict(list))
    states: dict[str, list[Stored]] = defaultdict(list)
    indexes: list[str] = []
    foreign = 0
    for stored in bucket.listing():
        if match := _OBJECT.fullmatch(stored.key):
            objects[match["root"]].append(stored)
        elif match := _RUN.fullmatch(stored.key):
            published[match["root"]][match["stamp"], match["run"]].append(stored)
        elif match := _STATE.fullmatch(stored.key):
            states[match["training"]].append(stored)
        elif stored.key == INDEX or stored.key.endswith(f"/{INDEX}"):
            indexes.append(stored.key.removesuffix(INDEX))
        else:
            foreign += 1
    gone = [
        *(found for root, entries in objects.items() if (found := _unnamed(bucket, root, entries, before))),
        *(
            _candidate(run, f"{keep} newer published runs", entries)
            for beside in published.values()
            for (_, run), entries in sorted(beside.items())[:-keep]
        ),
        *(
            _candidate(training, "states of a training that nobody has gone on with", entries)
            for training, entries in states.items()
            if max(entry.modified for entry in entries) < before
        ),
    ]
    total = sum(map(len, objects.values())) + sum(map(len, states.values())) + len(indexes)
    total += sum(len(entries) for beside in published.values() for entries in beside.values())
    return Plan(tuple(sorted(gone, key=lambda each: each.name)), total - sum(len(each.keys) for each in gone), foreign)


def _unnamed(bucket: Bucket, root: str, entries: list[Stored], before: datetime) -> Candidate | None:
    """The objects of the mirror at `root` that its index does not name."""
    index = read_index(bucket, at=root + INDEX)
    named = {root + file.key for file in index.files.values()} if index is not None else set[str]()
    left = [entry for entry in entries if entry.key not in named and entry.modified < before]
    return _candidate(f"{root}objects/", f"{len(left)} objects that no index names", left) if left else None


def _candidate(name: str, why: str, entries: Iterable[Stored]) -> Candidate:
    listed = list(entries)
    return Candidate(name, why, sum(entry.bytes for entry in listed), tuple(entry.key for entry in listed))


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
