"""The download stage: rows from a source, each checked, into shards; a report and a data card beside them."""

import logging
import tempfile
from collections import Counter
from pathlib import Path

from patina.core import artifact, storage
from patina.core.artifact import Manifest
from patina.core.config import parse
from patina.core.containers import DATA
from patina.core.errors import DataRefused
from patina.core.raw import RawWriter
from patina.core.raw_report import Quarantined, write_report
from patina.core.session import Session
from patina.download.card import Examples, data_card
from patina.download.check import BrokenRow, check_row
from patina.download.settings import DownloadSettings
from patina.download.sources import Source, open_source

_log = logging.getLogger(__name__)


def run(raw: Path | str, card: Path | str, *, data: str, pictures: int, seed: int, settings: str, progress: Session) -> Manifest:
    """Fills the folder `raw` with an artifact of kind `raw`, and writes the data card to the file `card`.

    Args:
        raw: folder to make.
        card: HTML file to write.
        data: `sample`, a folder, or `hf://danielaivanova/damaged-media`.
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
    with tempfile.TemporaryDirectory(prefix=".shards-", dir=folder.parent) as scratch:
        source = open_source(data, pictures=pictures, seed=seed, scratch=Path(scratch))
        quarantined, conversions, examples = _store(source, folder, config, progress)
    report = write_report(
        folder,
        source=source.name,
        licence=source.licence,
        citation=source.citation,
        quarantined=quarantined,
        conversions=dict(sorted(conversions.items())),
    )
    html = data_card(report, examples)
    storage.write_text(folder / "card.html", html)
    storage.write_text(Path(card), html)
    asked = {"data": data, "settings": config.model_dump(mode="json")}
    generated = {"pictures": pictures, "seed": seed} if data == "sample" else {}
    return artifact.seal(folder, "raw", inputs={}, config=asked | generated, image=DATA)


def _store(source: Source, folder: Path, config: DownloadSettings, progress: Session) -> tuple[list[Quarantined], Counter[str], Examples]:
    quarantined: list[Quarantined] = []
    conversions: Counter[str] = Counter()
    examples = Examples()
    done = 0
    with RawWriter(folder) as writer:
        for done, row in enumerate(source.rows, start=1):
            try:
                checked = check_row(row, max_pixels=config.max_pixels)
            except BrokenRow as error:
                _log.warning("picture %s is left out: %s", row.id, error)
                quarantined.append(Quarantined(id=row.id or "", reason=str(error)))
            else:
                writer.add(checked.row)
                conversions.update(checked.conversions)
                examples.offer(checked)
            progress.report(done, max(done, source.pictures), "pictures")
        if len(quarantined) > config.max_quarantined:
            raise DataRefused(_too_many(quarantined, config.max_quarantined))
        if done == len(quarantined):
            raise DataRefused(f"{source.name} holds no usable picture ({done} rows). Expected at least one.")
    return quarantined, conversions, examples


def _too_many(quarantined: list[Quarantined], allowed: int) -> str:
    listed = "; ".join(f"{row.id}: {row.reason}" for row in quarantined[:5])
    more = f"; and {len(quarantined) - 5} more" if len(quarantined) > 5 else ""
    return f"{len(quarantined)} broken rows, allowed are {allowed}: {listed}{more}. Repair them or raise max_quarantined."
