"""How reliably near-duplicates are found, and how often pictures that have nothing in common are taken for one.

Plants changed copies of generated and of real pictures (every fourth, if they are given), 200 of each kind, and looks at all
pairs of different pictures, and at 1,000 drawn among them. The bar: 95 % of each kind found, at most 1 % false alarms. Prints
the highest correlations of different pictures, and per kind the share found and the lowest correlations.

    uv run python tests/benchmarks/leak_check.py [--real FOLDER] [--planted 200] [--pictures 120]
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from patina.core.pictures import decode_picture
from patina.download.sample import generate_sample
from patina.likeness import matching
from patina.likeness.features import Features, describe

Change = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


def changes() -> dict[str, Change]:
    """The changes that the tests plant, from their conftest."""
    spec = importlib.util.spec_from_file_location("likeness_pictures", Path(__file__).parents[1] / "likeness" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CHANGES


def compared(pictures: list[NDArray[np.uint8]], rng: np.random.Generator) -> Iterator[str]:
    """What it takes to compare different `pictures`, and the false alarms."""
    wall, cpu = time.perf_counter(), time.process_time()
    known = [describe(picture) for picture in pictures]
    yield f"{len(known)} pictures described in {time.perf_counter() - wall:.1f} s (CPU {time.process_time() - cpu:.1f} s)"
    wall, cpu = time.perf_counter(), time.process_time()
    found = matching.alike_within(known)
    rows, columns = np.triu_indices(len(known), 1)
    took = f"{time.perf_counter() - wall:.1f} s (CPU {time.process_time() - cpu:.1f} s)"
    yield f"{len(rows):,} pairs of different pictures compared in {took}: {len(found)} false alarms"
    drawn = rng.choice(len(rows), min(1000, len(rows)), replace=False)
    alarms = sum(bool(matching.alike_between([known[rows[pair]]], [known[columns[pair]]])) for pair in drawn)
    yield f"{len(drawn):,} pairs drawn among them: {alarms} false alarms"
    laid = sorted((likeness.correlation for likeness in matching.alike_within(known, least=-1)), reverse=True)
    yield f"{len(laid)} of all pairs could be laid over each other; highest correlations {[round(value, 2) for value in laid[:5]]}"


def planted(generated: list[NDArray[np.uint8]], real: list[NDArray[np.uint8]], count: int, rng: np.random.Generator) -> Iterator[str]:
    """Per kind of change: the share of `count` planted copies that is found, and their correlations."""
    known: dict[int, Features] = {}
    yield f"{'kind':<28} {'found':>7} {'lowest':>7} {'5 %':>6} {'median':>7}"
    for kind, change in changes().items():
        correlations: list[float] = []
        for place in range(count):
            picture = real[place // 4 % len(real)] if real and place % 4 == 0 else generated[place % len(generated)]
            original = known.setdefault(id(picture), describe(picture))
            likeness = matching.alike_between([original], [describe(change(picture, rng))], least=-1)
            correlations.append(likeness[0].correlation if likeness else -1.0)
        low, fifth, median = np.quantile(correlations, [0, 0.05, 0.5])
        share = np.mean(np.array(correlations) >= matching.LEAST_CORRELATION)
        yield f"{kind:<28} {share:>7.1%} {low:>7.2f} {fifth:>6.2f} {median:>7.2f}"


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder with Parquet files in ARTeFACT's columns")
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=120)
    asked = parser.parse_args()
    generated = [decode_picture(made.image) for made in generate_sample(asked.pictures, 0, 2)]
    real: list[NDArray[np.uint8]] = []
    for path in sorted(asked.real.rglob("*.parquet")) if asked.real else []:
        real += [decode_picture(image["bytes"]) for image in pq.read_table(path, columns=["image"])["image"].to_pylist()]
    rng = np.random.default_rng(0)
    for part in (compared([*generated, *real], rng), planted(generated, real, asked.planted, rng)):
        for line in part:
            print(line, flush=True)  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
