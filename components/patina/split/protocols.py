"""The protocols: what the folds are, and which side each picture is on when one of them is tested."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from patina.core.errors import DataRefused, UsageError
from patina.core.splits import SPLITS, Split
from patina.split.settings import SplitSettings
from patina.split.stratify import Group, divide

NO_FOLD = -1
_HOLDOUT_ORDER = tuple(SPLITS.index(side) for side in ("train", "test", "val"))
"""Which side comes first where all lack a label alike: a class that one group shows can be learned, not judged."""


@dataclass(frozen=True)
class Division:
    """Where each group goes.

    Attributes:
        side: train, val or test, by name of the group.
        fold: 0..k-1, or -1 in a holdout, by name of the group.
        folds: what each fold is called; empty in a holdout.
        warnings: what a reader must know of how it came about.
    """

    side: dict[str, Split]
    fold: dict[str, int]
    folds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Category:
    """Materials or contents that are left out together: their `name` for people, and the `values` of the column."""

    name: str
    values: frozenset[str]


def divide_pictures(
    groups: Sequence[Group], materials: Mapping[str, Counter[str]], contents: Mapping[str, Counter[str]], config: SplitSettings, seed: int
) -> Division:
    """Divides `groups` by the protocol of `config`.

    Args:
        groups: all pictures, each in one group.
        materials: pictures per material, by name of the group.
        contents: pictures per content, by name of the group.
        config: protocol and shares.
        seed: of the division.

    Raises:
        DataRefused: too few groups, materials or contents for the protocol.
        UsageError: a `test_fold` that the data does not have.
    """
    match config.protocol:
        case "holdout":
            return _holdout(groups, config, seed)
        case "kfold":
            return _kfold(groups, config, seed)
        case "leave_one_material_group_out":
            return _leave_one_out(groups, materials, _material_groups(materials, config), "materials", config, seed)
        case "leave_one_content_out":
            names = sorted(set().union(*contents.values()))
            return _leave_one_out(groups, contents, [Category(name, frozenset({name})) for name in names], "contents", config, seed)


def _holdout(groups: Sequence[Group], config: SplitSettings, seed: int) -> Division:
    _require(groups, len(SPLITS), "cannot fill train, val, test. At least three are needed")
    pictures = sum(group.pictures for group in groups)
    test, val = max(1, round(config.test * pictures)), max(1, round(config.val * pictures))
    while pictures - test - val < 1:  # only in tiny data sets
        test, val = (test - 1, val) if test >= val else (test, val - 1)
    placed = divide(groups, (pictures - test - val, val, test), order=_HOLDOUT_ORDER, seed=seed, trials=config.trials)
    return Division({name: SPLITS[side] for name, side in placed.items()}, dict.fromkeys(placed, NO_FOLD))


def _kfold(groups: Sequence[Group], config: SplitSettings, seed: int) -> Division:
    count = config.folds
    _require(groups, count, f"cannot fill {count} folds. {f'Set folds to {len(groups)}' if len(groups) > 2 else 'Add pictures'}")
    pictures = sum(group.pictures for group in groups)
    quotas = [pictures // count + (fold < pictures % count) for fold in range(count)]
    folds = divide(groups, quotas, order=range(count), seed=seed, trials=config.trials)
    sides: dict[int, Split] = {config.test_fold: "test", (config.test_fold + 1) % count: "val"}
    return Division({name: sides.get(fold, "train") for name, fold in folds.items()}, folds, tuple(f"fold {fold}" for fold in range(count)))


def _leave_one_out(
    groups: Sequence[Group],
    counts: Mapping[str, Counter[str]],
    categories: Sequence[Category],
    what: Literal["materials", "contents"],
    config: SplitSettings,
    seed: int,
) -> Division:
    """A fold per category; a group that spans several goes to the one with most of its pictures, the first of equals."""
    _require(groups, 3, "cannot fill train, val, test. At least three are needed")
    home: dict[str, Category] = {}
    warnings: list[str] = []
    for group in sorted(groups, key=lambda group: group.name):
        held = [sum(counts[group.name][value] for value in category.values) for category in categories]
        home[group.name] = categories[held.index(max(held))]
        if max(held) < group.pictures:
            names = " and ".join(category.name for category, pictures in zip(categories, held, strict=True) if pictures)
            warnings.append(
                f"Group {group.name} has {what} of several folds, {names}: all {group.pictures} pictures count as {home[group.name].name}."
            )
    used = [category for category in categories if category in home.values()]
    if len(used) < 2:
        raise DataRefused(f"all pictures have {what} of one fold, {used[0].name}: none can be left out. Use the protocol holdout or kfold.")
    if config.test_fold >= len(used):
        listed = ", ".join(f"{fold} {category.name}" for fold, category in enumerate(used))
        raise UsageError(f"test_fold {config.test_fold} does not exist: this data has the folds {listed}. Choose one of them.")
    tested = used[config.test_fold]
    rest = [group for group in groups if home[group.name] is not tested]
    _require(rest, 2, f"remain without {tested.name}, but training and validation need one each. Add pictures or choose another test_fold")
    pictures = sum(group.pictures for group in rest)
    val = min(pictures - 1, max(1, round(config.val * pictures)))
    chosen = divide(rest, (pictures - val, val), order=(0, 1), seed=seed, trials=config.trials)
    side: dict[str, Split] = {name: "test" if category is tested else "train" for name, category in home.items()}
    side |= {name: "val" for name, place in chosen.items() if place == 1}
    return Division(side, {name: used.index(category) for name, category in home.items()}, tuple(c.name for c in used), tuple(warnings))


def _material_groups(materials: Mapping[str, Counter[str]], config: SplitSettings) -> list[Category]:
    present = set().union(*materials.values())
    named = [Category(" + ".join(name for name in group if name in present), frozenset(group)) for group in config.material_groups]
    alone = sorted(present - frozenset().union(*config.material_groups))
    return [*(group for group in named if group.name), *(Category(name, frozenset({name})) for name in alone)]


def _require(groups: Sequence[Group], least: int, consequence: str) -> None:
    if len(groups) < least:
        raise DataRefused(f"{len(groups)} pictures or groups of copies {consequence}.")
