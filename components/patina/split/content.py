"""Pictures that show the same thing though their files differ: flipped, turned, cropped (`patina.likeness`).

Each picture is decoded once and reduced to features of a few 100 kB; only those are kept.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from patina.core.errors import DataRefused
from patina.core.pictures import decode_picture, single_threaded_opencv
from patina.core.raw import RawRow, iter_rows
from patina.core.session import Session
from patina.likeness.features import Features, describe
from patina.likeness.matching import alike_within, workers
from patina.split.groups import Relation

_PIXELS_AHEAD = 40_000_000
"""Pixels that may be decoded at a time; a larger picture is decoded alone (133 Mpx: 1.2 GB at the peak)."""


def same_content(raw: Path | str, ids: Sequence[str], progress: Session) -> list[Relation]:
    """Pairs among the pictures `ids` of the artifact `raw` that show the same thing, surest first.

    Args:
        raw: artifact of kind `raw`.
        ids: of pictures with different files, in an order that does not depend on the artifact's.
        progress: told how many pictures are described.

    Raises:
        DataRefused: a picture cannot be decoded.
    """
    features: dict[str, Features] = {}
    with single_threaded_opencv():
        for name, described in _describe_all(iter_rows(raw, ids)):
            features[name] = described
            progress.report(len(features), len(ids), "pictures compared")
        found = alike_within([features[name] for name in ids])
    surest = sorted(found, key=lambda pair: (-round(pair.correlation, 2), pair.left, pair.right))
    return [Relation(f"the same content, correlation {pair.correlation:.2f}", (ids[pair.left], ids[pair.right])) for pair in surest]


def _describe_all(rows: Iterator[RawRow]) -> Iterator[tuple[str, Features]]:
    """The features of each picture with its id, in the order of `rows`. Threads: decoding and matching release Python's lock."""
    waiting: deque[tuple[RawRow, Future[Features]]] = deque()
    with ThreadPoolExecutor(workers(), thread_name_prefix="split") as pool:
        try:
            for row in rows:
                while waiting and sum(other.width * other.height for other, _ in waiting) + row.width * row.height > _PIXELS_AHEAD:
                    yield _finished(waiting)
                waiting.append((row, pool.submit(_describe, row)))
            while waiting:
                yield _finished(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _finished(waiting: deque[tuple[RawRow, Future[Features]]]) -> tuple[str, Features]:
    row, described = waiting.popleft()
    return row.id, described.result()


def _describe(row: RawRow) -> Features:
    try:
        return describe(decode_picture(row.image, max_pixels=row.width * row.height))
    except DataRefused as error:
        raise DataRefused(f"picture {row.id}: {error}") from error
