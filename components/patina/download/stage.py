"""The download stage: rows from a source, each checked, into shards; groups, a report and a data card beside them."""

import logging
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from patina.core import artifact, storage
from patina.core.artifact import Manifest
from patina.core.config import parse
from patina.core.containers import DATA
from patina.core.errors import DataRefused
from patina.core.raw import RawWriter
from patina.core.raw_groups import write_groups
from patina.core.raw_report import Quarantined, write_report
from patina.core.session import Session
from patina.core.taxonomy import BACKGROUND, CLASSES
from patina.download.card import Examples, data_card
from patina.download.check import CheckedRow, check_rows
from patina.download.settings import DownloadSettings
from patina.download.sources import Source, open_source

SCRATCH: Final = ".shards"
"""Folder beside the artifact for what was fetched and for what does not fit into memory. It outlives a killed stage, so that
nothing is fetched twice, and goes when the artifact is whole."""

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What is noted of the rows while they pass.

    Attributes:
        rows: how many came.
        ids: of the pictures that were stored.
        quarantined: rows that were left out.
        conversions: how many pictures or masks were converted, by what.
        labels: mask values seen: class ids 0..15 and 255.
        examples: views for the data card.
    """

    rows: int = 0
    ids: set[str] = field(default_factory=set[str])
    quarantined: list[Quarantined] = field(default_factory=list[Quarantined])
    conversions: Counter[str] = field(default_factory=Counter[str])
    labels: set[int] = field(default_factory=set[int])
    examples: Examples = field(default_factory=Examples)

    def add(self, checked: CheckedRow) -> None:
        """Notes a row that is stored."""
        self.ids.add(checked.row.id)
        self.conversions.update(checked.conversions)
        self.labels |= checked.labels
        self.examples.offer(checked)


def run(raw: Path | str, card: Path | str, *, data: str, pictures: int, seed: int, settings: str, progress: Session) -> Manifest:
    """Fills the folder `raw` with an artifact of kind `raw`, and writes the data card to the file `card`.

    Args:
        raw: folder to make.
        card: HTML file to write.
        data: `sample`, a folder, `hf://danielaivanova/damaged-media`, or `s3://bucket/prefix` that `patina mirror` filled.
        pictures: number of generated pictures; only for `sample`.
        seed: of the generated pictures.
        settings: JSON object of `DownloadSettings`.
        progress: told how many pictures are done.

    Raises:
        UsageError: wrong `data` or settings.
        DataRefused: the data are not what they should be; see `patina.download.check`.
        StorageError: the hub cannot be reached.
    """
    config = parse(DownloadSettings, settings, "download settings")
    folder = Path(raw)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.parent / SCRATCH
    source = open_source(data, pictures=pictures, seed=seed, scratch=scratch)
    tally = _store(source, folder, config, progress)
    notes = [*source.notes, *_missing(source, tally)]
    groups = {name: {key: group for key, group in values.items() if key in tally.ids} for name, values in source.groups.items()}
    written = write_groups(folder, groups)
    report = write_report(
        folder,
        source=source.name,
        licence=source.licence,
        citation=source.citation,
        quarantined=tally.quarantined,
        conversions=dict(sorted(tally.conversions.items())),
    )
    html = data_card(report, tally.examples, groups={name: groups[name] for name in written}, notes=notes)
    storage.write_text(folder / "card.html", html)
    storage.write_text(Path(card), html)
    asked = {"data": data, "settings": config.model_dump(mode="json")}
    generated = {"pictures": pictures, "seed": seed} if data == "sample" else {}
    manifest = artifact.seal(folder, "raw", inputs={}, config=asked | generated, image=DATA)
    shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _store(source: Source, folder: Path, config: DownloadSettings, progress: Session) -> Tally:
    tally = Tally()
    with RawWriter(folder) as writer:
        for outcome in check_rows(source.rows, max_pixels=config.max_pixels, masks=source.masks):
            tally.rows += 1
            if isinstance(outcome, Quarantined):
                _log.warning("picture %s is left out: %s", outcome.id, outcome.reason)
                tally.quarantined.append(outcome)
            else:
                writer.add(outcome.row)
                tally.add(outcome)
            del outcome  # or its files and mask would stay in memory while the next row is read
            progress.report(tally.rows, max(tally.rows, source.pictures), "pictures")
        if len(tally.quarantined) > config.max_quarantined:
            raise DataRefused(_too_many(tally.quarantined, config.max_quarantined))
        if not tally.ids:
            raise DataRefused(f"{source.name} holds no usable picture ({tally.rows} rows). Expected at least one.")
    return tally


def _missing(source: Source, tally: Tally) -> list[str]:
    """What a pinned data set should have shown and did not; notes for the card if it is only a part of it.

    Raises:
        DataRefused: the data set is whole, but some pair of index and colour occurs nowhere: it is not the one that was pinned.
    """
    if not source.pinned:
        return []
    if len(tally.ids) != source.pictures:
        return [f"{len(tally.ids)} of the data set's {source.pictures} pictures are here."]
    kinds = (*CLASSES, BACKGROUND)
    if missing := [f"{kind.id} = #{bytes(kind.color).hex().upper()} ({kind.name})" for kind in kinds if kind.id not in tally.labels]:
        raise DataRefused(
            f"{source.name} is whole, but of its {len(kinds)} pairs of index and colour {len(missing)} occur nowhere: "
            f"{', '.join(missing)}. These are not the pinned data; check HF_ENDPOINT."
        )
    return []


def _too_many(quarantined: list[Quarantined], allowed: int) -> str:
    listed = "; ".join(f"{row.id}: {row.reason}" for row in quarantined[:5])
    more = f"; and {len(quarantined) - 5} more" if len(quarantined) > 5 else ""
    return f"{len(quarantined)} broken rows, allowed are {allowed}: {listed}{more}. Repair them or raise max_quarantined."
