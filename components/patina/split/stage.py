"""The split stage: groups of copies, divided into training, validation and test, before anything is augmented."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from patina.core import artifact, storage
from patina.core.artifact import Manifest
from patina.core.config import parse
from patina.core.containers import DATA
from patina.core.errors import UsageError
from patina.core.raw import RawWriter, iter_rows, read_index
from patina.core.raw_groups import read_groups
from patina.core.raw_report import read_report, write_report
from patina.core.session import Session
from patina.core.splits import SPLITS_FILE, check_splits, write_splits
from patina.core.taxonomy import CLASS_NAMES
from patina.split.balance import balance_of
from patina.split.content import same_content
from patina.split.groups import Grouping, Relation, equal_files, equal_values, join, near_hashes
from patina.split.protocols import Division, divide_pictures
from patina.split.settings import SplitSettings
from patina.split.stratify import Group
from patina.split.view import balance_page, thumbnails

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
        progress: told how many pictures are compared, then how many test pictures are copied.

    Raises:
        DataRefused: `raw` is damaged, has too few groups for the protocol, or a group would cross a boundary.
        UsageError: a setting is wrong, or names a fold or a group column that the data does not have.
    """
    config = parse(SplitSettings, settings, "split settings")
    folder, test_folder = Path(splits), Path(test_images)
    source = artifact.open_artifact(Path(raw), "raw")
    index = read_index(raw).sort_values(by="id", ignore_index=True)
    report = read_report(raw)
    grouping = _group(raw, index, config, progress)
    table, division = _divide(index, grouping.group_of, config, seed)
    check_splits(table, "the division just made")
    folder.mkdir(parents=True, exist_ok=True)
    write_splits(folder / SPLITS_FILE, table)
    summary = balance_of(table, index, report, grouping, division, config)
    storage.write_json(folder / "balance.json", summary)
    html = balance_page(summary, thumbnails(raw, summary))
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


def _group(raw: Path | str, index: "DataFrame", config: SplitSettings, progress: Session) -> Grouping:
    """Which pictures of `index` (sorted by id) belong together; the cheapest evidence first, pixels last."""
    ids, sha256, phash = (index[name].tolist() for name in ("id", "sha256", "phash"))
    relations: list[Relation] = []
    columns = read_groups(Path(raw))
    if missing := sorted(set(config.group_columns or ()) - set(columns)):
        raise UsageError(f"group_columns: the data has no column {missing[0]!r}, only {', '.join(sorted(columns)) or 'none'}. Name those.")
    for column in sorted(columns if config.group_columns is None else set(config.group_columns)):
        relations += equal_values(column, {name: columns[column].get(name, "") for name in ids})
    if config.near_duplicates != "none":
        relations += equal_files(ids, sha256)
    if config.near_duplicates in {"hash", "content"}:
        relations += near_hashes(ids, phash, config.near_duplicate_bits)
    if config.near_duplicates == "content":
        # The pictures of one file are joined already: one of them is enough.
        relations += same_content(raw, index.drop_duplicates("sha256")["id"].tolist(), progress)
    return join(ids, relations)


def _divide(index: "DataFrame", group_of: dict[str, str], config: SplitSettings, seed: int) -> tuple["DataFrame", Division]:
    """The split table of `index` (sorted by id), and how it came about."""
    import pandas as pd

    columns = {name: index[name].tolist() for name in ("id", "material", "content", "pixels")}
    named = [group_of[name] for name in columns["id"]]
    labels: dict[str, set[str]] = {}
    materials: dict[str, Counter[str]] = {}
    contents: dict[str, Counter[str]] = {}
    for group, material, content, pixels in zip(named, columns["material"], columns["content"], columns["pixels"], strict=True):
        present = {f"class: {name}" for name, count in zip(CLASS_NAMES, pixels, strict=True) if count}
        labels.setdefault(group, set()).update(present, {f"material: {material}", f"content: {content}"})
        materials.setdefault(group, Counter()).update((material,))
        contents.setdefault(group, Counter()).update((content,))
    groups = [Group(name, materials[name].total(), frozenset(carried)) for name, carried in labels.items()]
    division = divide_pictures(groups, materials, contents, config, seed)
    table = {name: columns[name] for name in ("id", "material", "content")}
    table |= {"group": named, "split": [division.side[name] for name in named], "fold": [division.fold[name] for name in named]}
    return pd.DataFrame(table), division
