"""Which pictures belong together, and so must stay on one side, and why.

A relation is a reason with the pictures it holds for: equal files (SHA-256), a column of the data that names the object,
perceptual hashes (64 bits, DCT, Zauner 2010) that hardly differ, or the same content (`patina.split.content`). Belonging
together is passed on, so that a chain of near copies is one group.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Relation:
    """Pictures that belong together.

    Attributes:
        why: the reason in a few words.
        pictures: their ids, two or more.
    """

    why: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """What follows from the relations.

    Attributes:
        group_of: the group of each picture, by id: the smallest id among those that belong together.
        reasons: of each group of more than one picture, by name: the relations that joined it. A relation between
            pictures that earlier ones had joined already is left out.
    """

    group_of: dict[str, str]
    reasons: dict[str, list[Relation]]


def equal_files(ids: Sequence[str], sha256: Sequence[str]) -> list[Relation]:
    """Pictures whose files have the same SHA-256."""
    return _equal(dict(zip(ids, sha256, strict=True)), lambda _: "the same file")


def equal_values(column: str, values: Mapping[str, str]) -> list[Relation]:
    """Pictures with the same value in `column`; `values` is by id, empty values say nothing."""
    return _equal({name: value for name, value in values.items() if value}, lambda value: f"{column} is {value}")


def near_hashes(ids: Sequence[str], phash: Sequence[str], bits: int) -> Iterator[Relation]:
    """Pairs of pictures whose perceptual hashes (16 hex digits) differ in at most `bits` of 64 bits."""
    hashes = np.array([int(text, 16) for text in phash], np.uint64)
    for index, name in enumerate(ids):
        distances = np.bitwise_count(hashes[:index] ^ hashes[index])
        for other in np.flatnonzero(distances <= bits).tolist():
            yield Relation(f"perceptual hashes differ in {distances[other]} of 64 bits", (ids[other], name))


def join(ids: Iterable[str], relations: Iterable[Relation]) -> Grouping:
    """The groups that `relations` make of the pictures `ids`."""
    leader = {name: name for name in ids}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    joining: list[Relation] = []
    for relation in relations:
        roots = {find(name) for name in relation.pictures}
        if len(roots) > 1:
            smallest = min(roots)
            leader.update(dict.fromkeys(roots, smallest))
            joining.append(relation)
    reasons: dict[str, list[Relation]] = {}
    for relation in joining:
        reasons.setdefault(find(relation.pictures[0]), []).append(relation)
    return Grouping({name: find(name) for name in leader}, reasons)


def _equal(values: Mapping[str, str], why: Callable[[str], str]) -> list[Relation]:
    holders: dict[str, list[str]] = {}
    for name, value in values.items():
        holders.setdefault(value, []).append(name)
    return [Relation(why(value), tuple(sorted(names))) for value, names in sorted(holders.items()) if len(names) > 1]
