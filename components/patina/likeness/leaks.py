"""The leak check: whether two sets of pictures stand apart, so that what was learnt on one may be judged on the other.

It looks for pictures, groups and copy-paste donors that both sets name, for equal files, and for near-duplicates under
other names: copies, re-encodings, reductions, mirror images, turns and parts.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
from pydantic import Field

from patina.core.config import Config
from patina.likeness.matching import alike_between
from patina.likeness.sets import PictureSet
from patina.likeness.views import PART, View, whole_views, window_views

MOST_NAMED: Final = 100
"""Pairs that a report names; the others are counted."""
_PLURALS = {
    "whole picture": "whole pictures",
    "picture rebuilt from its tiles": "pictures rebuilt from their tiles",
    "single tile": "single tiles",
    "window": "windows",
}
_REACH = (
    "This finds copies, re-encodings, sizes from 0.3 to 2, mirror images, turns, and crops of 36 % of the area or more. A part below about "
    "a twentieth of a picture, a tile below 128 pixels that stands alone, and strong distortions can be missed."
)


class Pair(Config):
    """One picture of each set."""

    left: str
    """Name of the picture in the left set."""
    right: str
    """Name of the picture in the right set."""
    what: str
    """What they share, in words."""


class Shared(Config):
    """Pairs of one sort."""

    count: int = Field(ge=0)
    """How many were found."""
    pairs: tuple[Pair, ...]
    """The first of them, at most `MOST_NAMED`."""


class LeakReport(Config):
    """What two sets share."""

    left: str
    """Name of the left set."""
    right: str
    """Name of the right set."""
    left_pictures: int = Field(ge=0)
    """Pictures in the left set."""
    right_pictures: int = Field(ge=0)
    """Pictures in the right set."""
    compared: tuple[str, ...]
    """What was compared, and what was not, in sentences."""
    shared_ids: Shared
    """Pictures with the same id; only where both sets have ids."""
    shared_groups: Shared
    """Pictures of one group; only where both sets know groups."""
    shared_donors: Shared
    """Pictures whose damage was copied into a picture of the other side."""
    shared_files: Shared
    """Pictures with the same SHA-256, of files or of tiles."""
    alike: Shared
    """Near-duplicates under other names."""

    @property
    def found(self) -> bool:
        """Whether the sets share anything."""
        return any(shared.count for _, shared in self.sorts())

    def sorts(self) -> tuple[tuple[str, Shared], ...]:
        """What was looked for, with what was found: (name in words, pairs)."""
        return (
            ("the same picture, by its id", self.shared_ids),
            ("pictures of one group", self.shared_groups),
            ("damage copied from a picture of the other side", self.shared_donors),
            ("the same file", self.shared_files),
            ("the same picture under another name", self.alike),
        )

    def pairs(self) -> list[Pair]:
        """Every named pair, the plainest sort first."""
        return [pair for _, shared in self.sorts() for pair in shared.pairs]

    def sentences(self) -> list[str]:
        """The result in sentences: one if nothing was found, else one per sort."""
        if not self.found:
            return [
                f"Nothing of the {self.left} ({self.left_pictures} picture{'s' * (self.left_pictures != 1)}) was found in the "
                f"{self.right} ({self.right_pictures})."
            ]
        found: list[str] = []
        for name, shared in self.sorts():
            if shared.count:
                first = "; ".join(f"{pair.left} and {pair.right}" for pair in shared.pairs[:3])
                more = f"; and {shared.count - 3} more" if shared.count > 3 else ""
                found.append(f"{shared.count} × {name}: {first}{more}.")
        return [f"The {self.left} and the {self.right} do not stand apart.", *found]


def check_leaks(left: PictureSet, right: PictureSet) -> LeakReport:
    """Looks for everything that `left` and `right` share; see `patina.likeness.sets.open_set`.

    Raises:
        DataRefused: a picture that cannot be read.
    """
    ids = _paired(sorted(set(left.names) & set(right.names)) if left.identified and right.identified else [])
    same = {(pair.left, pair.right) for pair in ids}
    groups = [
        Pair(left=left.groups[group][0], right=right.groups[group][0], what=f"group {group}")
        for group in sorted(set(left.groups) & set(right.groups))
    ]
    files: list[Pair] = []
    if left.hashed == right.hashed:
        digests = sorted(set(left.files) & set(right.files))
        named = {(left.files[digest], right.files[digest]): digest for digest in digests}
        files = [Pair(left=one, right=two, what=f"SHA-256 {digest[:12]}") for (one, two), digest in sorted(named.items())]
    same |= {(pair.left, pair.right) for pair in files}
    alike, compared = _alike(left, right, same)
    return LeakReport(
        left=left.name,
        right=right.name,
        left_pictures=len(left.names),
        right_pictures=len(right.names),
        compared=(*_looked_at(left, right), *compared),
        shared_ids=_shared(ids),
        shared_groups=_shared(groups),
        shared_donors=_shared(_donated(left, right)),
        shared_files=_shared(files),
        alike=_shared(alike),
    )


def _paired(names: Iterable[str]) -> list[Pair]:
    return [Pair(left=name, right=name, what="the same id") for name in names]


def _shared(pairs: list[Pair]) -> Shared:
    return Shared(count=len(pairs), pairs=tuple(pairs[:MOST_NAMED]))


def _donated(left: PictureSet, right: PictureSet) -> list[Pair]:
    given = [
        Pair(left=left.donors[donor], right=donor, what=f"{left.donors[donor]} carries damage of {donor}")
        for donor in sorted(set(left.donors) & set(right.names))
    ]
    taken = [
        Pair(left=donor, right=right.donors[donor], what=f"{right.donors[donor]} carries damage of {donor}")
        for donor in sorted(set(right.donors) & set(left.names))
    ]
    return given + taken if left.identified and right.identified else []


def _looked_at(left: PictureSet, right: PictureSet) -> list[str]:
    done = ["ids and donors"] if left.identified and right.identified else []
    done += ["groups"] if left.groups and right.groups else []
    done += [f"SHA-256 of {left.hashed}"] if left.hashed == right.hashed else []
    return [f"Compared exactly: {', '.join(done)}."] if done else []


def _alike(left: PictureSet, right: PictureSet, known: set[tuple[str, str]]) -> tuple[list[Pair], list[str]]:
    """Near-duplicates that are not `known` already, and what was compared."""
    ours, theirs = whole_views(left), whole_views(right)
    found = _matches(ours, theirs)
    compared = [f"Compared by their pixels: {_counted(ours)} with {_counted(theirs)}, every pair."]
    small, windows = _parts(ours, theirs, right)
    if windows:
        found |= _matches(small, windows)
        compared.append(f"Looked for {len(small)} smaller ones in {len(windows)} windows of {right.name}.")
    small, windows = _parts(theirs, ours, left)
    if windows:
        found |= {(one, two): what for (two, one), what in _matches(small, windows).items()}
        compared.append(f"Looked for {len(small)} smaller ones in {len(windows)} windows of {left.name}.")
    compared.append(_REACH)
    return [Pair(left=one, right=two, what=what) for (one, two), what in sorted(found.items()) if (one, two) not in known], compared


def _matches(left: list[View], right: list[View]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for likeness in alike_between([view.features for view in left], [view.features for view in right]):
        names = left[likeness.left].name, right[likeness.right].name
        mirrored = ", mirrored" if likeness.flipped else ""
        found.setdefault(names, f"pixels agree by {likeness.correlation:.2f}{mirrored}")
    return found


def _parts(small: list[View], large: list[View], pictures: PictureSet) -> tuple[list[View], list[View]]:
    """The views of `small` that may be parts of much larger pictures in `large`, and windows of those pictures."""
    least = min((view.area for view in small), default=0.0)
    names = {view.name for view in large if view.of != "single tile" and view.area > PART * least}
    if not names or not small:
        return [], []
    greatest = max(view.area for view in large if view.name in names)
    parts = [view for view in small if PART * view.area < greatest]
    return parts, window_views(pictures, names, float(np.median([view.area for view in parts])))


def _counted(views: list[View]) -> str:
    sorts = Counter(view.of for view in views)
    return ", ".join(f"{count} {_PLURALS[sort] if count != 1 else sort}" for sort, count in sorts.items()) or "no picture"
