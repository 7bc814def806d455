"""The split stage: groups of copies, divided once into training, validation and test, before anything is augmented."""

from pathlib import Path
from typing import TYPE_CHECKING

from patina.core import artifact, storage
from patina.core.artifact import Manifest
from patina.core.config import parse
from patina.core.containers import DATA
from patina.core.raw import RawWriter, iter_rows, read_index
from patina.core.raw_report import read_report, write_report
from patina.core.session import Session
from patina.core.splits import SPLITS_FILE, check_splits, write_splits
from patina.core.taxonomy import CLASS_NAMES
from patina.split.balance import balance_of, balance_page
from patina.split.groups import group_pictures
from patina.split.settings import SplitSettings
from patina.split.stratify import Group, divide

if TYPE_CHECKING:
    from pandas import DataFrame


def run(
    raw: Path | str,
    splits: Path | str,
    test_images: Path | str,
    balance: Path | str,
    *,
    seed: int,
    settings: str,
    progress: Session,
) -> tuple[Manifest, Manifest]:
    """Divides the artifact `raw` and returns the manifests of `splits` and `test_images`.

    Args:
        raw: artifact of kind `raw`.
        splits: folder to make: `splits.parquet`, `balance.json`, `balance.html`.
        test_images: folder to make: artifact of kind `raw` with the test pictures only.
        balance: HTML file to write.
        seed: of the division.
        settings: JSON object of `SplitSettings`.
        progress: told how many test pictures are copied.

    Raises:
        DataRefused: `raw` is damaged, has fewer than three groups, or a group would cross a boundary.
    """
    config = parse(SplitSettings, settings, "split settings")
    folder, test_folder = Path(splits), Path(test_images)
    source = artifact.open_artifact(Path(raw), "raw")
    index = read_index(raw)
    report = read_report(raw)
    table = _divide(index, config, seed)
    check_splits(table, "the division just made")
    folder.mkdir(parents=True, exist_ok=True)
    write_splits(folder / SPLITS_FILE, table)
    summary = balance_of(table, index, report, _rule(config))
    storage.write_json(folder / "balance.json", summary)
    html = balance_page(summary)
    storage.write_text(folder / "balance.html", html)
    storage.write_text(Path(balance), html)

    test_ids = table["id"][table["split"] == "test"].tolist()
    with RawWriter(test_folder) as writer:
        for done, row in enumerate(iter_rows(raw, test_ids), start=1):
            writer.add(row)
            progress.report(done, len(test_ids), "test pictures")
    write_report(
        test_folder,
        source=f"{report.source}: test side",
        licence=report.licence,
        citation=report.citation,
        quarantined=report.quarantined,
        conversions={},
    )
    asked = {"seed": seed, "settings": config.model_dump(mode="json")}
    sealed = artifact.seal(folder, "splits", inputs={"raw": source.digest}, config=asked, image=DATA)
    inputs = {"raw": source.digest, "splits": sealed.digest}
    return sealed, artifact.seal(test_folder, "raw", inputs=inputs, config=asked, image=DATA)


def _divide(index: "DataFrame", config: SplitSettings, seed: int) -> "DataFrame":
    import pandas as pd

    columns = {name: index[name].tolist() for name in ("id", "material", "content", "sha256", "phash", "pixels")}
    grouped = group_pictures(columns["id"], columns["sha256"], columns["phash"], config.near_duplicate_bits)
    carried: dict[str, set[str]] = {}
    for group, material, pixels in zip(grouped, columns["material"], columns["pixels"], strict=True):
        present = {f"class: {name}" for name, count in zip(CLASS_NAMES, pixels, strict=True) if count}
        carried.setdefault(group, set()).update(present, {f"material: {material}"})
    groups = [Group(name, grouped.count(name), frozenset(labels)) for name, labels in carried.items()]
    sides = divide(groups, {"val": config.val, "test": config.test}, seed=seed, trials=config.trials)
    table = {name: columns[name] for name in ("id", "material", "content")}
    table |= {"group": grouped, "split": [sides[group] for group in grouped], "fold": [-1] * len(grouped)}
    return pd.DataFrame(table).sort_values(by="id", ignore_index=True)


def _rule(config: SplitSettings) -> str:
    return (
        f"Files with the same SHA-256, or with perceptual hashes within {config.near_duplicate_bits} of 64 bits, form a group and stay "
        f"together. Of all pictures {config.test:.0%} test and {config.val:.0%} validate, stratified by material and by the classes that "
        "occur; what occurs in three groups or more is put on every side where the quotas allow it."
    )
