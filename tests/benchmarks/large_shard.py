"""The peak memory of reading a shard like ARTeFACT's worst: a 133-megapixel picture within one row group of about 394 MB.

Makes the shard once (about a minute), then runs each part in a process of its own and prints its peak resident memory and what
that is in row groups:

    idle      the imports of the stage
    read      every row read, undecoded
    check     every row read, decoded and checked
    stage     the whole download stage, with its artifact

    uv run python tests/benchmarks/large_shard.py [--shard FILE] [--compression snappy] [--parts idle read check stage]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

TESTS = Path(__file__).parents[1] / "download"
sys.path.insert(0, str(TESTS))

WIDTH, HEIGHT = 12_288, 10_824
"""Of the large picture: 133.0 megapixels."""
ROW_GROUP = 394_000_000
_PREPARED = """
import sys
from patina.core.session import session
from patina.download.check import check_row
from patina.download.rows import read_shard
from patina.download.stage import run
shard, folder = sys.argv[1:]
"""
_PEAK = """
from pathlib import Path
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""
PARTS = {
    "idle": "",
    "read": "for row in read_shard(Path(shard)): pass",
    "check": "for row in read_shard(Path(shard)): check_row(row, max_pixels=300_000_000); del row",
    "stage": """
with session("download", folder + "/raw") as progress:
    data = str(Path(shard).parent)
    run(folder + "/raw", folder + "/raw.html", data=data, pictures=1, seed=0, settings="{}", progress=progress)
""",
}


def picture(width: int, height: int, seed: int) -> bytes:
    """A JPEG file of noise, about 1.5 bytes for each pixel."""
    pixels: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def masks(width: int, height: int) -> dict[str, bytes]:
    """An index mask and the same in colours, as PNG files."""
    from shards import png

    from patina.core.taxonomy import palette

    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, : width // 2] = 2
    return {"annotation": png(mask), "annotation_rgb": png(palette()[mask])}


def make_shard(path: Path, compression: str) -> None:
    """Fills one row group: the large picture in the middle of smaller ones."""
    import pyarrow as pa
    from shards import SCHEMA, record

    large = record("large", image=picture(WIDTH, HEIGHT, seed=0), **masks(WIDTH, HEIGHT))
    drawn = masks(4000, 3000)
    records, rest = [large], ROW_GROUP - sum(len(large[name]["bytes"]) for name in ("image", "annotation", "annotation_rgb"))
    while rest > 0:
        image = picture(4000, 3000, seed=len(records))
        records.insert(len(records) % 2 * len(records), record(f"small-{len(records)}", image=image, **drawn))
        rest -= len(image)
    pq.write_table(pa.Table.from_pylist(records, SCHEMA), path, compression=compression, row_group_size=len(records))
    print(f"the large picture has {len(large['image']['bytes']) / 1e6:.0f} MB, {len(records) - 1} others stand around it")  # noqa: T201 - a script's output


def peak(part: str, shard: Path, folder: str) -> float:
    """Peak resident memory of `part` in MB."""
    command = [sys.executable, "-c", _PREPARED + "from pathlib import Path\n" + PARTS[part] + _PEAK, str(shard), folder]
    path = os.pathsep.join([entry for entry in sys.path if entry])
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    return int(done.stdout.split()[-1]) * 1024 / 1e6


def main() -> None:
    """Prints one line per part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shard", type=Path, help="use this file, and make it if it is missing")
    parser.add_argument("--compression", default="snappy", help="of the columns: snappy (as the data set), none, zstd")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        shard = arguments.shard or Path(place) / "data" / "train.parquet"
        shard.parent.mkdir(parents=True, exist_ok=True)
        if not shard.exists():
            make_shard(shard, arguments.compression)
        group = pq.ParquetFile(shard).metadata.row_group(0).total_byte_size / 1e6
        print(f"row group {group:.0f} MB ({arguments.compression if arguments.shard is None else 'as given'})")  # noqa: T201 - a script's output
        for part in arguments.parts:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                megabytes = peak(part, shard, folder)
            print(f"{part:<6} peak {megabytes:5.0f} MB = {megabytes / group:4.2f} row groups")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
