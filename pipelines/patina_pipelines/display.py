"""What a person sees of a local run: a live table in a terminal, plain lines elsewhere, the ranking at the end."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from patina_pipelines.supervise import Show, StageView

_STATE_STYLES = {"running": "bold cyan", "succeeded": "green", "kept": "green dim", "failed": "bold red", "interrupted": "yellow"}


@contextmanager
def live(console: Console) -> Generator[Show]:
    """Yields the function that shows stages: a table that redraws itself in a terminal, a line per change elsewhere."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as screen:
            yield lambda views: screen.update(stage_table(views))
    else:
        yield _Lines(console)


def stage_table(views: list[StageView]) -> Table:
    """The stages with state, time, progress, validation mIoU and time left."""
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("stage", "left"), ("state", "left"), ("time", "right"), ("progress", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type] # rich's own Literal, lost in the loop
    table.add_column("val mIoU", justify="right")
    table.add_column("left", justify="right")
    for view in views:
        word = state_word(view)
        table.add_row(view.name, Text(word, _STATE_STYLES.get(word, "dim")), *_cells(view))
    return table


def state_word(view: StageView) -> str:
    """One word for the state of a stage."""
    if view.state is None:
        return "waiting"
    return "kept" if view.kept else view.state.state


def ranking_table(summary: dict[str, Any]) -> Table:
    """The ranking of a comparison, best first, with 95 % intervals in points of mIoU."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("architecture")
    table.add_column("mIoU", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("gain over all-Clean (95 %)", justify="right")
    for rank, entry in enumerate(summary["ranking"], start=1):
        table.add_row(
            str(rank),
            entry["architecture"],
            _percent(entry["miou"]),
            f"{_percent(entry['low'])} .. {_percent(entry['high'])}",
            f"{_percent(entry['gain_over_clean'])} ({_percent(entry['gain_low'])} .. {_percent(entry['gain_high'])})",
        )
    return table


def closing(console: Console, folder: Path, summary: dict[str, Any], report: Path) -> None:
    """Prints the ranking, the conclusion and where the report lies."""
    console.print()
    console.print(ranking_table(summary))
    console.print()
    console.print(Text(summary["conclusion"]), soft_wrap=not console.is_terminal)
    for label, path in (("report", report), ("run", folder)):
        console.print(Text(f"{label}: {path}"), soft_wrap=True)


class _Lines:
    """Prints a line when a stage changes its state or finishes a unit; keeps what it said last."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, tuple[str, int | None]] = {}

    def __call__(self, views: list[StageView]) -> None:
        for view in views:
            done = None if view.state is None or view.state.progress.unit != "epochs" else view.state.progress.done
            news = (state_word(view), done)
            if news != self._said.get(view.name, ("waiting", None)):
                self._said[view.name] = news
                cells = "  ".join(cell for cell in _cells(view) if cell)
                self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {view.name:<28} {news[0]:<11} {cells}".rstrip()), soft_wrap=True)


def _cells(view: StageView) -> tuple[str, str, str, str]:
    if view.state is None:
        return "", "", "", ""
    state, progress = view.state, view.state.progress
    elapsed = _clock((state.ended or time.time()) - state.started)
    units = "" if progress.total is None else f"{progress.done}/{progress.total} {progress.unit}"
    miou = "" if progress.miou is None else _percent(progress.miou)
    running = state.state == "running" and progress.seconds_left is not None
    return elapsed, units, miou, f"{_clock(progress.seconds_left or 0)} left" if running else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes}:{rest:02d}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"
