"""How long packed tiles take to the first training batch, and how much memory their reader holds.

Packs random tiles (1,458 of 384 px are 860 MB, the predecessor's number), then opens them in fresh processes that have
imported everything: with the digest check and the first shuffled batch from a cold and from a warm page cache, and through a
whole shuffled epoch, watching the anonymous memory (the page cache is not the reader's). CPU seconds stand beside wall
seconds: on a busy machine only they can be compared.

    uv run python tests/benchmarks/tile_reading.py [--tiles 1458] [--size 384] [--batch 96]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patina.core.artifact import seal
from patina.core.storage import sha256_file
from patina.core.tiles import IMAGES, MASKS, Geometry, TileRecord, TileWriter, open_tiles


def pack(folder: Path, tiles: int, size: int) -> None:
    """A sealed `tiles` artifact of random pixels."""
    rng = np.random.default_rng(0)
    with TileWriter(folder, Geometry(tile_size=size, scale_rule="native")) as writer:
        for tile in range(tiles):
            image = np.frombuffer(rng.bytes(3 * size**2), np.uint8).reshape(size, size, 3)
            mask = rng.integers(0, 16, (size, size), np.uint8)
            writer.add(image, mask, TileRecord(f"p{tile:05d}", f"p{tile:05d}", "train", -1, "original", 0, 0, size, size, 1.0))
    seal(folder, "tiles", inputs={}, config={}, image="none")


def gathered(images: NDArray[np.uint8], masks: NDArray[np.uint8], batch: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """A shuffled epoch in batches; one is alive at a time."""
    order = np.random.default_rng(0).permutation(len(images))
    for start in range(0, len(order), batch):
        rows = np.sort(order[start : start + batch])
        yield images[rows], masks[rows]


def anonymous() -> int:
    """Bytes of this process that are no file's pages."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


def measure(folder: Path, warm_up: Path, batch: int) -> dict[str, float]:
    """Seconds and bytes of one reader; runs in a process of its own. `warm_up` is a tiny artifact: opening it imports everything."""
    open_tiles(warm_up)
    before, wall, cpu = anonymous(), time.perf_counter(), time.process_time()
    tiles = open_tiles(folder)
    opened, opened_cpu = time.perf_counter(), time.process_time()
    next(gathered(tiles.images, tiles.masks, batch))
    first, first_cpu = time.perf_counter(), time.process_time()
    held = size = 0
    for images, masks in gathered(tiles.images, tiles.masks, batch):
        held, size = max(held, anonymous() - before), max(size, images.nbytes + masks.nbytes)
        del images, masks  # or the next ones would be made beside them
    return {
        "open": opened - wall,
        "open_cpu": opened_cpu - cpu,
        "first": first - wall,
        "first_cpu": first_cpu - cpu,
        "epoch": time.perf_counter() - first,
        "batch_bytes": size,
        "held_bytes": held,
    }


def forget(folder: Path) -> None:
    """Asks the kernel to drop the pages of the artifact's files from its cache."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Prints seconds and memory for a cold and a warm page cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=1458)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--folder", type=Path, help="with --warm-up: only measures, and prints JSON")
    parser.add_argument("--warm-up", type=Path)
    asked = parser.parse_args()
    if asked.folder:
        print(json.dumps(measure(asked.folder, asked.warm_up, asked.batch)))  # noqa: T201 - a script's output
        return
    with tempfile.TemporaryDirectory() as place:
        folder, warm_up = Path(place) / "tiles", Path(place) / "tiny"
        pack(folder, asked.tiles, asked.size)
        pack(warm_up, 2, 32)
        for cache in ("cold", "warm", "warm", "warm"):
            if cache == "cold":
                forget(folder)
            command = [sys.executable, __file__, "--folder", str(folder), "--warm-up", str(warm_up), "--batch", str(asked.batch)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(  # noqa: T201 - a script's output
                f"{cache}: opened and checked in {found['open']:.2f} s (CPU {found['open_cpu']:.2f}), first batch after "
                f"{found['first']:.2f} s (CPU {found['first_cpu']:.2f}), epoch gathered in {found['epoch']:.2f} s, anonymous memory "
                f"+{found['held_bytes'] / 1e6:.1f} MB = {found['held_bytes'] / found['batch_bytes']:.2f} x one batch"
            )
        begun, cpu = time.perf_counter(), time.process_time()
        for name in (IMAGES, MASKS):
            sha256_file(folder / name)
        print(  # noqa: T201 - a script's output
            f"SHA-256 of both arrays alone: {time.perf_counter() - begun:.2f} s (CPU {time.process_time() - cpu:.2f})"
        )


if __name__ == "__main__":
    main()
