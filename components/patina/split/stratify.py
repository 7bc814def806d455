"""Divides groups of pictures into sides that resemble one another: iterative stratification with a coverage rule.

Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data" (ECML PKDD 2011): the rarest label first, each of
its groups to the side that still lacks it most. Two rules are added, because every side must be able to judge every class:
a label that as many groups carry as there are sides goes once to each side before any side gets a second; and sizes are
quotas. The result depends on chance, so several divisions are drawn and the best balanced one is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Group:
    """Pictures that stay together.

    Attributes:
        name: of the group.
        pictures: how many.
        labels: what it carries: `material: Paper`, `class: Peel`, ...
    """

    name: str
    pictures: int
    labels: frozenset[str]


def divide(groups: Sequence[Group], quotas: Sequence[int], *, order: Sequence[int], seed: int, trials: int) -> dict[str, int]:
    """The side 0..S-1 of each group, by name; independent of the order of `groups`.

    A side's size differs from its quota by less than the largest group; by more only where a side would have stayed empty.

    Args:
        groups: at least S.
        quotas: pictures wanted on each of the S sides, each at least 1; together all pictures. Each side gets a group.
        order: the sides 0..S-1; the first comes first where all lack a label alike.
        seed: of the random order.
        trials: divisions to draw.

    Raises:
        ValueError: fewer groups than sides, or quotas that do not add up to the pictures.
    """
    pictures = sum(group.pictures for group in groups)
    if len(groups) < len(quotas) or sum(quotas) != pictures or min(quotas) < 1:
        raise ValueError(f"expected quotas of 1 or more that add up to {pictures} and at most {len(groups)} of them, got {list(quotas)}")
    ordered = sorted(groups, key=lambda group: group.name)
    labels = sorted(set().union(*(group.labels for group in ordered)))
    carries = np.array([[label in group.labels for label in labels] for group in ordered], bool).reshape(len(ordered), len(labels))
    sizes = np.array([group.pictures for group in ordered], np.int64)
    wanted = np.array(quotas, np.int64)
    best: tuple[float, NDArray[np.int64]] | None = None
    for sequence in np.random.SeedSequence(seed).spawn(trials):
        sides = _draw(carries, sizes, wanted, order, np.random.default_rng(sequence))
        badness = _badness(carries, sizes, wanted, sides)
        if best is None or badness < best[0]:
            best = badness, sides
    assigned = best[1] if best is not None else np.zeros(len(ordered), np.int64)
    return {group.name: side for group, side in zip(ordered, assigned.tolist(), strict=True)}


def _draw(
    carries: NDArray[np.bool_], sizes: NDArray[np.int64], quotas: NDArray[np.int64], order: Sequence[int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """One division: side 0..S-1 of each group, int64 [G]. `carries` is bool [G, L], `quotas` int64 [S]."""
    share = quotas / quotas.sum()
    wanted = np.outer(share, carries.T @ sizes)  # pictures of each label that each side still lacks: [S, L]
    room = quotas.astype(np.float64)
    held = np.zeros((len(quotas), carries.shape[1]), np.int64)
    frequent = carries.sum(axis=0) >= len(quotas)
    sides = np.full(len(sizes), -1, np.int64)

    def place(group: int, side: int) -> None:
        sides[group] = side
        room[side] -= sizes[group]
        wanted[side] -= carries[group] * sizes[group]
        held[side] += carries[group]

    def best_side(group: int, label: int | None) -> int:
        open_sides = [side for side in order if room[side] >= sizes[group]] or [max(order, key=lambda side: room[side])]
        if label is None:
            return max(open_sides, key=lambda side: room[side])
        lacking = [side for side in open_sides if held[side, label] == 0] if frequent[label] else []
        return max(lacking or open_sides, key=lambda side: (wanted[side, label], room[side]))

    while (waiting := sides < 0).any():
        left = carries[waiting].sum(axis=0)
        if not left.any():
            break
        rarest = np.flatnonzero(left == left[left > 0].min())
        label = int(rng.choice(rarest))
        members = np.flatnonzero(waiting & carries[:, label])
        # Large groups first: they fit into few places.
        for group in sorted(rng.permutation(members).tolist(), key=lambda group: -sizes[group]):
            place(group, best_side(group, label))
    for group in rng.permutation(np.flatnonzero(sides < 0)).tolist():
        place(group, best_side(group, None))
    return _fill_empty_sides(sides, sizes, order)


def _fill_empty_sides(sides: NDArray[np.int64], sizes: NDArray[np.int64], order: Sequence[int]) -> NDArray[np.int64]:
    """Moves the smallest group of the side with most groups to each side that got none."""
    for side in order:
        if not (sides == side).any():
            donor = int(np.bincount(sides, minlength=len(order)).argmax())
            candidates = np.flatnonzero(sides == donor)
            sides[candidates[sizes[candidates].argmin()]] = side
    return sides


def _badness(carries: NDArray[np.bool_], sizes: NDArray[np.int64], quotas: NDArray[np.int64], sides: NDArray[np.int64]) -> float:
    """What is wrong with a division: sides without a label that could have it count most, then distances from the quotas."""
    on_side = np.stack([sides == side for side in range(len(quotas))])
    groups = on_side.astype(np.int64) @ carries
    possible = carries.sum(axis=0) >= len(quotas)
    gaps = int(((groups == 0) & possible).sum())
    expected = np.outer(quotas / quotas.sum(), sizes @ carries)
    label_error = np.abs((on_side * sizes) @ carries - expected).sum() / max(1, int(carries.sum()))
    size_error = np.abs(on_side @ sizes - quotas).sum() / sizes.sum()
    return 100.0 * gaps + 10.0 * float(size_error) + float(label_error)
