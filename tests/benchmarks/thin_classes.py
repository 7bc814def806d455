"""What reducing a mask four to one does to thin damage: this package's rule, the rule before it, and nearest neighbour.

Measured on generated pictures of 2400 x 3200 px with thin damage drawn at that size, and on the real pictures where they are at hand:

    uv run python tests/benchmarks/thin_classes.py [--pictures 12] [--factor 4] [--real PARQUET]

kept: components (8-connected) with a pixel of their class in some cell that they touched. area: of the class in the result, relative to
the picture, divided by that before. merged: components that share a component of the result with another. parts: components of the
result per component kept; above 1, lines are broken.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from patina.augment.scaling import THIN, reduce_mask
from patina.core.pictures import count_values, decode_mask
from patina.core.taxonomy import CLASS_NAMES, IGNORE, NUM_CLASSES
from patina.damage.kinds import draw_all
from patina.damage.look import draw_look
from patina.download.sample_materials import paint

Mask = NDArray[np.uint8]
Reduction = Callable[[Mask, tuple[int, int]], Mask]
_DAMAGE = {3: 0.0008, 4: 0.004, 5: 0.0006, 8: 0.0015, 9: 0.011, 7: 0.01, 13: 0.0005, 10: 0.03, 1: 0.02, 2: 0.03}
"""Share of the picture that each damage covers: the sample's figures."""


def nearest(mask: Mask, size: tuple[int, int]) -> Mask:
    """One sample per cell."""
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def touched(mask: Mask, size: tuple[int, int]) -> Mask:
    """The rule before: a thin class takes a cell from a share of 1 / (2 f) on."""
    factor = max(mask.shape[1] / size[0], mask.shape[0] / size[1])
    result, thin = (np.full((size[1], size[0]), IGNORE, np.uint8) for _ in range(2))
    largest, most, ignored = (np.zeros_like(result) for _ in range(3))
    for value in np.flatnonzero(count_values(mask)).tolist():
        share = cv2.resize(np.where(mask == value, np.uint8(255), np.uint8(0)), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        result[share > largest] = value
        largest = np.maximum(largest, share)
        if value in THIN:
            thin[share > most] = value
            most = np.maximum(most, share)
        ignored = share if value == IGNORE else ignored
    return np.where((most + 0.5 >= 255 / (2 * factor)) & (ignored < 128), thin, result)


RULES: dict[str, Reduction] = {"nearest": nearest, "touched": touched, "ours": reduce_mask}


def measure(mask: Mask, reduced: Mask, value: int) -> NDArray[np.float64]:
    """(components, kept, merged, parts, pixels before, pixels after in units of before) of class `value`."""
    count, before = cv2.connectedComponents(np.where(mask == value, np.uint8(1), np.uint8(0)), connectivity=8)
    parts, after = cv2.connectedComponents(np.where(reduced == value, np.uint8(1), np.uint8(0)), connectivity=8)
    y, x = np.nonzero(mask == value)
    place = after[y * reduced.shape[0] // mask.shape[0], x * reduced.shape[1] // mask.shape[1]]
    pairs = np.unique(np.stack([before[y, x], place], 1)[place > 0], axis=0)
    shared = np.bincount(pairs[:, 1], minlength=parts) > 1
    merged = np.unique(pairs[shared[pairs[:, 1]], 0])
    area = np.count_nonzero(reduced == value) * mask.size / reduced.size
    return np.array([count - 1, len(np.unique(pairs[:, 0])), len(merged), parts - 1, len(y), area], np.float64)


def generated(count: int, seed: int = 0, shape: tuple[int, int] = (2400, 3200)) -> Iterator[Mask]:
    """Masks of large pictures with all thin damage and some broad."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        material = ("Film emulsion", "Glass", "Paper")[number % 3]
        painting = paint(rng, material, "Photographic depiction", shape)
        look = draw_look(rng, painting.picture)
        draw_all(rng, painting.picture, painting.mask, look, {kind: int(share * painting.mask.size) for kind, share in _DAMAGE.items()})
        yield painting.mask


def real(path: Path) -> Iterator[Mask]:
    """The masks of a Parquet file in ARTeFACT's columns."""
    for row in pq.ParquetFile(path).iter_batches(batch_size=1, columns=["annotation"]):
        yield decode_mask(row.to_pylist()[0]["annotation"]["bytes"])


def table(masks: Iterator[Mask], factor: float) -> list[str]:
    """One line per class and rule: totals over the pictures, and the picture whose area changed most."""
    totals = {(rule, value): np.zeros(6) for rule in RULES for value in range(NUM_CLASSES)}
    worst: dict[tuple[str, int], list[float]] = {key: [] for key in totals}
    for mask in masks:
        size = round(mask.shape[1] / factor), round(mask.shape[0] / factor)
        for rule, reduce in RULES.items():
            reduced = reduce(mask, size)
            for value in np.flatnonzero(count_values(mask)[:NUM_CLASSES]).tolist():
                measured = measure(mask, reduced, value)
                totals[rule, value] += measured
                worst[rule, value].append(measured[5] / measured[4])
    lines = [f"{'class':14}{'rule':10}{'components':>11}{'kept':>9}{'area':>9}{'lowest':>9}{'highest':>9}{'merged':>9}{'parts':>8}"]
    for value in range(NUM_CLASSES):
        for rule in RULES:
            count, kept, merged, parts, before, after = totals[rule, value]
            if count:
                lines.append(
                    f"{CLASS_NAMES[value]:14}{rule:10}{count:11.0f}{kept / count:9.1%}{after / before:9.2f}"
                    f"{min(worst[rule, value]):9.2f}{max(worst[rule, value]):9.2f}{merged / count:9.1%}{parts / max(kept, 1):8.2f}"
                )
    return lines


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--real", type=Path)
    arguments = parser.parse_args()
    lines = [f"{arguments.pictures} generated pictures at {arguments.factor}:1", *table(generated(arguments.pictures), arguments.factor)]
    if arguments.real:
        lines += [f"{arguments.real.name} at {arguments.factor}:1", *table(real(arguments.real), arguments.factor)]
    print("\n".join(lines))  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
