"""Which of many pairs of pictures are worth a closer look, without looking at each pair.

Every feature gets a few words: 32 signs of fixed random projections of its descriptor (Charikar 2002). Descriptors that
resemble each other share some of their words, others hardly ever, so that sorting the words finds the pairs. The time grows with
the number of pictures; comparing all features of 1,600 pictures pair by pair took over a minute per 500,000 pairs. Of the planted
copies in tests/benchmarks/leak_check.py each shared 11 words or more with its original, of different pictures 4 % three or more.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from patina.likeness.features import Features, mirrored

COUNTED: Final = 150
"""Features per picture that take part."""
FEW_FEATURES: Final = 60
"""A picture with fewer is compared by its thumbnail as well."""
LEAST_THUMBNAIL_CORRELATION: Final = 0.9
"""Thumbnails of copies without texture agree at least so far: they have less to disagree in than the grey pixels."""

_TABLES, _BITS = 8, 32
_LEAST_WORDS = 3
_MOST_PER_WORD = 32
"""Pairs per feature and word. A word that more pictures have (a repeated pattern, or hundreds of copies) links each to some of them."""
_ROWS = 256


def worth_a_look(left: Sequence[Features], right: Sequence[Features]) -> list[tuple[int, int]]:
    """Pairs (place in `left`, place in `right`) that share words, as they are or mirrored, or whose thumbnails agree; sorted."""
    if not left or not right:
        return []
    return sorted({*_by_words(left, right), *_by_thumbnails(left, right)})


def thumbnail_correlations(left: Sequence[Features], right: Sequence[Features]) -> NDArray[np.float32]:
    """float32 [2, left, right]: the best correlation of the thumbnails over four turns, as it is and mirrored."""
    theirs = np.stack([item.thumbnail.ravel() for item in right])
    best: list[NDArray[np.float32]] = []
    for step in (1, -1):
        turned = (np.stack([np.rot90(item.thumbnail[:, ::step], turns).ravel() for item in left]) @ theirs.T for turns in range(4))
        best.append(np.max(list(turned), axis=0))
    return np.stack(best)


def _by_words(left: Sequence[Features], right: Sequence[Features]) -> list[tuple[int, int]]:
    theirs, their_places = _entries(right)
    kept, our_places = _entries(left)
    turned, _ = _entries([Features(f.points, mirrored(f.descriptors), f.grey, f.shown, f.thumbnail) for f in left])
    codes: list[NDArray[np.int64]] = []
    for table in range(_TABLES):
        order = np.argsort(theirs[:, table], kind="stable")
        words = theirs[order, table]
        for flipped, ours in enumerate((kept, turned)):
            start = np.searchsorted(words, ours[:, table], "left")
            size = np.searchsorted(words, ours[:, table], "right") - start
            taken = np.minimum(size, _MOST_PER_WORD)
            entry = np.repeat(np.arange(len(ours)), taken)
            step = np.arange(len(entry)) - np.repeat(np.cumsum(taken) - taken, taken)
            found = order[start[entry] + (entry + step) % size[entry]]
            codes.append((our_places[entry] * 2 + flipped) * len(right) + their_places[found])
    code, shared = np.unique(np.concatenate(codes), return_counts=True)
    enough = code[shared >= _LEAST_WORDS]
    return list(zip((enough // (2 * len(right))).tolist(), (enough % len(right)).tolist(), strict=True))


def _entries(features: Sequence[Features]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The words of every feature, uint32 [n, _TABLES], and the place of its picture, int64 [n]."""
    # Fixed, and with as many plus as minus signs, so that the even part of a descriptor decides nothing.
    signs = np.random.default_rng(20).permuted(np.repeat(np.array([-1, 1], np.float32), 64)[:, None].repeat(_TABLES * _BITS, 1), axis=0)
    words = [np.packbits(item.descriptors[:COUNTED].astype(np.float32) @ signs > 0, axis=1).view(np.uint32) for item in features]
    return np.concatenate(words), np.repeat(np.arange(len(features)), [len(part) for part in words])


def _by_thumbnails(left: Sequence[Features], right: Sequence[Features]) -> list[tuple[int, int]]:
    few_left, few_right = ([place for place, item in enumerate(side) if len(item.points) < FEW_FEATURES] for side in (left, right))
    found: list[tuple[int, int]] = []
    for rows, columns in ((few_left, range(len(right))), (range(len(left)), few_right)):
        for start in range(0, len(rows) if columns else 0, _ROWS):
            part = rows[start : start + _ROWS]
            agree = thumbnail_correlations([left[i] for i in part], [right[j] for j in columns]).max(0) >= LEAST_THUMBNAIL_CORRELATION
            found += [(part[i], columns[j]) for i, j in np.argwhere(agree).tolist()]
    return found
