"""What a data stage costs beside its work: starting Python, imports, checking inputs, sealing outputs.

Runs the data stages on 8 tiny generated pictures through kfp.local, the way a run does, and prints for each stage the median
seconds from the start of its process to its end, over several runs.

    uv run python tests/benchmarks/stage_overhead.py [--repeats 5]
"""

import argparse
import re
import statistics
import tempfile
from datetime import datetime
from pathlib import Path

from patina_pipelines import presets, runs, supervise

_STAMP = re.compile(r"^(\d\d:\d\d:\d\d\.\d{3}) - INFO - (Executing task|Task) \S*'([a-z-]+)'\S*( finished)?")


def durations(log: str) -> dict[str, float]:
    """Seconds between "Executing task" and "finished" of each task in kfp.local's log."""
    begun: dict[str, datetime] = {}
    took: dict[str, float] = {}
    for line in log.splitlines():
        if match := _STAMP.match(line.strip()):
            moment = datetime.strptime(match[1], "%H:%M:%S.%f")
            if match[2] == "Executing task":
                begun.setdefault(match[3], moment)
            elif match[4]:
                took.setdefault(match[3], (moment - begun[match[3]]).total_seconds())
    return took


def main() -> None:
    """Prints the median overhead per data stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    asked = presets.with_changes(presets.quick(), {"pictures": 8, "tile_size": 64, "architectures": ["unet-mit_b0"], "epochs": 1})
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(repeats):
            folder = runs.create(Path(place), "benchmark", presets.pipeline_arguments(asked, cores=2))
            supervise.execute(folder, lambda views: None)
            for stage, seconds in durations((folder / "logs" / "engine.log").read_text()).items():
                measured.setdefault(stage, []).append(seconds)
    for stage, seconds in measured.items():
        print(f"{stage:<14} median {statistics.median(seconds):5.2f} s   min {min(seconds):5.2f}   max {max(seconds):5.2f}")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
