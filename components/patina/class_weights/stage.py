"""The class_weights stage: how often each class occurs in the training pictures, and loss weights made from that."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from patina.class_weights.chart import chart_page
from patina.class_weights.schemes import class_shares, class_weights
from patina.class_weights.settings import ClassWeightSettings
from patina.core import config, storage
from patina.core.artifact import Manifest, open_artifact, seal
from patina.core.containers import DATA
from patina.core.errors import DataRefused
from patina.core.raw import read_index
from patina.core.session import Session
from patina.core.splits import read_splits
from patina.core.taxonomy import CLASS_NAMES, NUM_CLASSES
from patina.core.weights import CHART, COUNTED, COUNTS, SCHEMES, WEIGHTS, ClassWeights

COUNTS_SCHEMA = pa.schema([("id", pa.string()), ("class", pa.int64()), ("pixels", pa.int64())])


def run(
    raw: Path | str,
    splits: Path | str,
    weights: Path | str,
    chart: Path | str,
    *,
    settings: str = "{}",
    progress: Session | None = None,
) -> Manifest:
    """Counts the training pictures' pixels (never the augmented copies', never 255) and writes weights per scheme.

    Args:
        raw: folder of a `raw` artifact.
        splits: folder of a `splits` artifact made from it.
        weights: folder to write.
        chart: HTML file to write: the same view that `weights` holds.
        settings: JSON of `ClassWeightSettings`.
        progress: told at the end.

    Raises:
        DataRefused: a damaged input, splits of other pictures, or training pictures without a labelled pixel.
        UsageError: unknown or wrong settings.
        StorageError: an output cannot be written.
    """
    raw, splits, weights, chart = Path(raw), Path(splits), Path(weights), Path(chart)
    chosen = config.parse(ClassWeightSettings, settings, "class_weights settings")
    raw_manifest, splits_manifest = open_artifact(raw, "raw"), open_artifact(splits, "splits")
    if splits_manifest.inputs.get("raw", raw_manifest.digest) != raw_manifest.digest:
        raise DataRefused(f"{splits} was made from another raw artifact than {raw}. Connect the one that split read.")
    lines = read_splits(splits)
    training = sorted(lines["id"][lines["split"] == "train"])
    index = read_index(raw).set_index("id")["pixels"]
    if missing := sorted(set(training) - set(index.index)):
        raise DataRefused(
            f"{splits} names {len(missing)} training pictures that {raw} does not hold, first {missing[0]!r}. Run split again."
        )
    counts = np.stack(index.loc[training].to_list()) if training else np.zeros((0, NUM_CLASSES), np.int64)
    if not counts.any():
        raise DataRefused(f"the {len(training)} training pictures hold no labelled pixel. Give the training split annotated pictures.")
    record = ClassWeights(
        schemes={way: {scheme: class_weights(counts, scheme, way, chosen).tolist() for scheme in SCHEMES} for way in COUNTED},
        shares={way: class_shares(counts, way).tolist() for way in COUNTED},
        present=(counts.sum(0) > 0).tolist(),
        pixels=counts.sum(0).tolist(),
        pictures=(counts > 0).sum(0).tolist(),
    )
    if absent := [name for name, present in zip(CLASS_NAMES, record.present, strict=True) if not present]:
        logging.getLogger(__name__).warning(
            "no training picture holds: %s. No model can learn them; they carry the largest weight of each scheme.", ", ".join(absent)
        )

    weights.mkdir(parents=True, exist_ok=True)
    storage.write_json(weights / WEIGHTS, record.model_dump(mode="json"))
    table = pa.table(
        [np.repeat(training, NUM_CLASSES).tolist(), np.tile(np.arange(NUM_CLASSES), len(training)), counts.reshape(-1)],
        schema=COUNTS_SCHEMA,
    )
    with storage.atomic_file(weights / COUNTS) as stream:
        pq.write_table(table, stream)
    page = chart_page(record, pictures=len(training), labelled=int(counts.any(1).sum()), settings=chosen)
    storage.write_text(weights / CHART, page)
    chart.parent.mkdir(parents=True, exist_ok=True)
    storage.write_text(chart, page)
    if progress is not None:
        progress.report(len(training), len(training), "pictures")
    return seal(
        weights,
        "weights",
        inputs={"raw": raw_manifest.digest, "splits": splits_manifest.digest},
        config=chosen.model_dump(mode="json"),
        image=DATA,
    )
