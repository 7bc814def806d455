"""Do the data stages take time in proportion to the pictures, and the same memory for any number of them?

Writes Parquet shards of generated 200-px pictures in ARTeFACT's columns (each with its own pattern, so that none are taken for
copies), sends 1x, 10x and 100x of them through download, split, augment and class_weights, each in a process of its own, and
prints seconds and peak memory. Time is linear if each added picture costs the same from 1x to 10x as from 10x to 100x; what a
stage costs without any picture (reading the first table, sealing) stays out of that. CPU seconds stand beside wall seconds:
on a busy machine only they can be compared. Memory is the process's largest resident size; that of its worker processes is
printed beside it where it has any. The shards are written 16 MB at a time: at 1x that buffer is not full, so memory may grow
from 1x to 10x and should not from 10x to 100x.

    uv run python tests/benchmarks/data_scaling.py [--pictures 16] [--factors 1 10 100] [--settings '{"split": {"trials": 5}}']
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from patina.core.session import Session
from patina.core.taxonomy import CONTENTS, MATERIALS, palette

_SIDE, _TILE, _PER_SHARD = 200, 64, 100
_STAGES = ("download", "split", "augment", "class_weights")
_BLOB = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_FILES, _TEXTS = ("image", "annotation", "annotation_rgb"), ("id", "material", "content", "type", "damage_description")
_SCHEMA = pa.schema([*((name, _BLOB) for name in _FILES), *((name, pa.string()) for name in _TEXTS)])
_SETTINGS = {"augment": {"windows_per_picture": 4, "validation_windows_per_picture": 4}}


def png(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """A file as the shards hold it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return {"bytes": stream.getvalue(), "path": "x.png"}


def row(number: int) -> dict[str, Any]:
    """A picture of random colours at several scales, with two to five patches of damage."""
    rng = np.random.default_rng(number)
    picture = np.zeros((_SIDE, _SIDE, 3), np.float32)
    for cells in (4, 9, 25, 80):
        pattern = rng.uniform(0, 64, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(pattern, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    picture += rng.uniform(-12, 12, picture.shape).astype(np.float32)  # grain: the file is as large as a PNG can be
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for _ in range(rng.integers(2, 6)):
        top, left, height, width = rng.integers(0, _SIDE - 60, 2).tolist() + rng.integers(5, 60, 2).tolist()
        mask[top : top + height, left : left + width] = rng.integers(1, 16)
    mask[:5] = 255
    return {
        "image": png(picture.clip(0, 255).astype(np.uint8)),
        "annotation": png(mask),
        "annotation_rgb": png(palette()[mask]),
        "id": f"p{number:06d}",
        "material": str(rng.choice(MATERIALS)),
        "content": str(rng.choice(CONTENTS)),
        "type": "Map",
        "damage_description": "",
    }


def write_shards(folder: Path, pictures: int) -> None:
    """`pictures` rows in shards of a hundred."""
    folder.mkdir(parents=True)
    for first in range(0, pictures, _PER_SHARD):
        rows = [row(number) for number in range(first, min(first + _PER_SHARD, pictures))]
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), folder / f"part-{first:06d}.parquet")


def stage_of(name: str, folder: Path, settings: str) -> Callable[[], object]:
    """The stage `name` with its inputs and outputs in `folder`, imported and ready to be run."""
    progress = Session(folder, name, None)
    raw, splits, view = folder / "raw", folder / "splits", folder / f"{name}.html"
    match name:
        case "download":
            from patina.download.stage import run as download

            return lambda: download(raw, view, data=str(folder / "data"), pictures=0, seed=0, settings=settings, progress=progress)
        case "split":
            from patina.split.stage import run as split

            return lambda: split(raw, splits, folder / "test_images", view, seed=0, settings=settings, progress=progress)
        case "augment":
            from patina.augment.stage import run as augment

            return lambda: augment(raw, splits, folder / "tiles", tile_size=_TILE, settings=settings, progress=progress)
        case _:
            from patina.class_weights.stage import run as class_weights

            return lambda: class_weights(raw, splits, folder / "weights", view, settings=settings, progress=progress)


def measure(name: str, folder: Path, settings: str) -> dict[str, float]:
    """Seconds of the work of one stage, without imports, and bytes; runs in a process of its own."""
    run = stage_of(name, folder, settings)
    begun, cpu = time.perf_counter(), sum(os.times()[:4])
    run()
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": sum(os.times()[:4]) - cpu,
        "peak": int(lines["VmHWM"].split()[0]) * 1024,
        "workers": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    }


def compare(pictures: int, factors: list[int], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints a line per stage and number of pictures, and what grew between the smallest and the largest number."""
    found: dict[str, list[dict[str, float]]] = {stage: [] for stage in _STAGES}
    for factor in factors:
        count = pictures * factor
        with tempfile.TemporaryDirectory() as place:
            write_shards(Path(place) / "data", count)
            for stage in _STAGES:
                chosen = json.dumps({**_SETTINGS.get(stage, {}), **settings.get(stage, {})})
                command = [sys.executable, __file__, "--stage", stage, "--folder", place, "--settings", chosen]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                now = json.loads(output.splitlines()[-1])
                found[stage].append(now)
                workers = f" (workers {now['workers'] / 1e6:.0f})" if now["workers"] else ""
                took = f"{now['seconds']:8.2f} s  CPU {now['cpu']:8.2f} s  {1000 * now['cpu'] / count:7.2f} ms per picture"
                line = f"{count:>6} pictures  {stage:<13} {took}  peak {now['peak'] / 1e6:.0f} MB{workers}"
                print(line, flush=True)  # noqa: T201 - a script's output
    for stage, steps in found.items():
        for few, many, small, large in zip(steps, steps[1:], factors, factors[1:], strict=False):
            added = 1000 * (many["cpu"] - few["cpu"]) / (pictures * (large - small))
            grown = f"CPU {many['cpu'] / few['cpu']:.2f}x = {added:.2f} ms per added picture, peak {many['peak'] / few['peak']:.2f}x"
            print(f"{stage:<13} {small}x -> {large}x  {grown}")  # noqa: T201 - a script's output


def main() -> None:
    """Compares, or measures one stage for the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--settings", default="{}", help="JSON: stage -> settings")
    parser.add_argument("--stage", choices=_STAGES, help="with --folder: only measures this stage, and prints JSON")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.stage:
        print(json.dumps(measure(asked.stage, asked.folder, asked.settings)))  # noqa: T201 - a script's output
    else:
        compare(asked.pictures, asked.factors, json.loads(asked.settings))


if __name__ == "__main__":
    main()
