"""Which pictures show the same thing, among thousands of pairs.

Four steps, each for what the one before let through: pairs that share words of their features (`candidates`); of these, pairs
with enough features that match clearly; they are laid over each other; the grey pixels decide. Pictures with hardly any feature
(blank paper) are compared by their thumbnails in the eight orientations instead.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from patina.likeness.alignment import align
from patina.likeness.candidates import COUNTED, FEW_FEATURES, LEAST_THUMBNAIL_CORRELATION, thumbnail_correlations, worth_a_look
from patina.likeness.features import DESCRIPTOR_NORM, Features, halves

LEAST_CORRELATION: Final = 0.6
"""Grey pixels of a copy agree at least so far; see tests/benchmarks/leak_check.py for both distributions."""

_LEAST_VOTES = 6
_RATIO = 0.8
_UNIT = 2 * DESCRIPTOR_NORM**2
"""Twice the product of a descriptor with itself, as the sum of both halves gives it."""
_BLOCK = 64
"""Pictures in a matrix product: 12 MB of products for each worker."""


@dataclass(frozen=True)
class Likeness:
    """Two pictures that show the same thing.

    Attributes:
        left: place in the (left) sequence.
        right: place in the (right) sequence.
        correlation: of the grey detail where both overlap, or of the thumbnails; at most 1.
        matches: features that agree on one placement; 0 where the thumbnails were compared.
        flipped: whether one is the mirror image of the other.
    """

    left: int
    right: int
    correlation: float
    matches: int
    flipped: bool


def alike_within(features: Sequence[Features], least: float = LEAST_CORRELATION) -> list[Likeness]:
    """The pairs of `features` whose grey detail correlates by `least` or more once laid over each other: left < right, sorted."""
    return _alike(features, features, least, within=True)


def alike_between(left: Sequence[Features], right: Sequence[Features], least: float = LEAST_CORRELATION) -> list[Likeness]:
    """The same for the pairs of one of `left` and one of `right`."""
    return _alike(left, right, least, within=False)


def workers() -> int:
    """Threads worth starting here: the cores given, at most 8."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _alike(left: Sequence[Features], right: Sequence[Features], least: float, *, within: bool) -> list[Likeness]:
    def judge(group: tuple[int, list[int]]) -> list[Likeness]:
        row, columns = group
        votes = _votes(left[row], [right[column] for column in columns])
        judged = (_verified(left[row], right[column], votes[:, k], (row, column), least) for k, column in enumerate(columns))
        return [likeness for likeness in judged if likeness is not None]

    pairs = [(row, column) for row, column in worth_a_look(left, right) if row < column or not within]
    rows = ((row, [column for _, column in group]) for row, group in groupby(pairs, key=lambda pair: pair[0]))
    groups = [(row, columns[start : start + _BLOCK]) for row, columns in rows for start in range(0, len(columns), _BLOCK)]
    # One thread per group: the threads of BLAS wait for each other in a loop, which on a busy machine takes seven times as long.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers(), thread_name_prefix="likeness") as pool:
        return list(chain.from_iterable(pool.map(judge, groups)))


def _verified(left: Features, right: Features, votes: NDArray[np.int64], places: tuple[int, int], least: float) -> Likeness | None:
    flips = [flipped for flipped in (False, True) if votes[int(flipped)] >= _LEAST_VOTES]
    for flipped in sorted(flips, key=lambda flipped: -votes[int(flipped)]):
        alignment = align(left, right, flipped)
        if alignment is not None and alignment.correlation >= least:
            return Likeness(*places, alignment.correlation, alignment.matches, flipped)
    if min(len(left.points), len(right.points)) < FEW_FEATURES:
        thumbnails = thumbnail_correlations([left], [right])[:, 0, 0]
        flipped = bool(thumbnails[1] > thumbnails[0])
        if thumbnails[int(flipped)] >= LEAST_THUMBNAIL_CORRELATION:
            return Likeness(*places, float(thumbnails[int(flipped)]), 0, flipped)
    return None


def _votes(left: Features, right: Sequence[Features]) -> NDArray[np.int64]:
    """int64 [2, right]: how many features of the left picture, as it is and mirrored, have one clear match in each right one."""
    kept, turned = (ours @ theirs.T for ours, theirs in zip(halves(_stacked([left])), halves(_stacked(right)), strict=True))
    counts: list[NDArray[np.int64]] = []
    for products in (kept + turned, kept - turned):
        shaped = products.reshape(len(products), len(right), COUNTED)
        nearest = shaped.argmax(2)[..., None]
        best = np.take_along_axis(shaped, nearest, 2)[..., 0]
        np.put_along_axis(shaped, nearest, -1, 2)
        clear = (best > 0) & (np.maximum(_UNIT - best, 0) < _RATIO**2 * (_UNIT - shaped.max(2)))
        counts.append(clear.sum(0))
    return np.stack(counts)


def _stacked(features: Sequence[Features]) -> NDArray[np.uint8]:
    """uint8 [pictures * COUNTED, 128]; a picture with fewer features is filled up with zeros, which match nothing."""
    stack = np.zeros((len(features), COUNTED, 128), np.uint8)
    for place, item in zip(stack, features, strict=True):
        place[: len(item.descriptors[:COUNTED])] = item.descriptors[:COUNTED]
    return stack.reshape(-1, 128)
