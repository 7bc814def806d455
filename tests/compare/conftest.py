"""Finished evaluations with given confusion counts, and the models, splits, tiles and test pictures that belong to them."""

import io

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from patina.core import artifact, storage
from patina.core import confusion as scores
from patina.core.evaluation import ClassScore, EvaluationSummary, MaterialScore, number, write_confusion, write_summary
from patina.core.model_card import ModelCard
from patina.core.raw import RawRow, RawWriter
from patina.core.splits import SPLITS_SCHEMA
from patina.core.taxonomy import CLASS_NAMES, NUM_CLASSES
from patina.core.tiles import Geometry, TileRecord, TileWriter

ORIGIN = {"source": "folder of pictures", "licence": "CC0", "citation": "Nobody 2026", "quarantined": []}

SMALL_VIEW = Image.new("RGB", (60, 40), "#8899aa")


def counts_of(pictures, quality, seed=0, classes=(0, 1, 2, 9), pixels=4000):
    """Counts int64 [pictures, 16, 16]: the truth depends on `seed` alone, `quality` (0..1, one or per picture) of each class is right."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((pictures, NUM_CLASSES, NUM_CLASSES), np.int64)
    right = np.broadcast_to(quality, pictures)
    for picture in range(pictures):
        for index in classes:
            truth = int(rng.integers(pixels // 4, pixels)) * (10 if index == 0 else 1)
            hits = round(truth * right[picture])
            counts[picture, index, index] = hits
            counts[picture, index, 1 if index == 0 else 0] = truth - hits
    return counts


def textured(seed):
    """A picture uint8 [64, 64, 3] of random blots, unlike any with another seed."""
    small = np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    return cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)


def seal_test_images(folder, names):
    """The test pictures p00, p01, ...: picture i shows `textured(i)`."""
    with RawWriter(folder) as writer:
        for index, name in enumerate(names):
            stream = io.BytesIO()
            Image.fromarray(textured(index)).save(stream, "PNG")
            row = RawRow(name, stream.getvalue(), b"", "Paper", "Line art", "", 64, 64, f"{index:064d}", "0" * 16, (4096,) + (0,) * 15)
            writer.add(row)
    return artifact.seal(folder, "raw", inputs={}, config={}, image="split")


def seal_tiles(folder, sources):
    """One tile for each source, name -> (group, picture uint8 [64, 64, 3])."""
    with TileWriter(folder, Geometry(tile_size=64, scale_rule="native")) as writer:
        for name, (group, picture) in sources.items():
            record = TileRecord(name, group, "train", -1, "original", 0, 0, 64, 64, 1.0)
            writer.add(picture, np.zeros((64, 64), np.uint8), record)
    return artifact.seal(folder, "tiles", inputs={}, config={}, image="augment")


def seal_model(folder, architecture, tiles="0" * 64):
    folder.mkdir(parents=True)
    card = ModelCard(
        architecture=architecture,
        decoder="unet",
        decoder_channels=(32, 16, 16, 16, 16),
        encoder="mit_b0",
        view="full",
        classes=CLASS_NAMES,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        tile_size=128,
        geometry=Geometry(tile_size=128, scale_rule="native"),
        recipe="quick",
        config={},
        epochs=3,
        seed=0,
        parameters=3_700_000,
    )
    (folder / "model.json").write_text(card.model_dump_json())
    (folder / "model.safetensors").write_bytes(architecture.encode())
    storage.write_json(folder / "facts.json", {"seconds": 12.5})
    return artifact.seal(folder, "model", inputs={"tiles": tiles}, config={"epochs": 3}, image="train")


def seal_evaluation(folder, architecture, model_digest, counts, test_images, materials=None, examples=(), view=SMALL_VIEW):
    pictures = len(counts)
    folder.mkdir(parents=True)
    ids = [f"p{index:02d}" for index in range(pictures)]
    materials = materials or ["Paper", "Glass"] * (pictures // 2) + ["Paper"] * (pictures % 2)
    columns = {"id": ids, "material": materials, "content": ["Line art"] * pictures, "width": [400] * pictures, "height": [300] * pictures}
    pooled = counts.sum(0)
    iou = scores.iou(pooled)
    classes = tuple(
        ClassScore(
            name=name,
            truth_pixels=int(pooled[index].sum()),
            predicted_pixels=int(pooled[:, index].sum()),
            pictures=int((counts[:, index].sum(1) > 0).sum()),
            iou=number(iou[index]),
            f1=None,
            recall=None,
            precision=None,
            boundary_f1=None,
        )
        for index, name in enumerate(CLASS_NAMES)
    )
    of_material = {name: counts[[material == name for material in materials]] for name in sorted(set(materials))}
    summary = EvaluationSummary(
        architecture=architecture,
        encoder="mit_b0",
        decoder="unet",
        parameters=3_700_000,
        view="full",
        class_names=CLASS_NAMES,
        pictures=pictures,
        unlabelled=tuple(name for name, table in zip(ids, counts, strict=True) if not table.any()),
        pixels=pictures * 120_000,
        miou=number(scores.mean_iou(pooled)),
        clean_miou=number(scores.mean_iou(scores.all_clean(pooled))),
        pixel_accuracy=number(scores.pixel_accuracy(pooled)),
        frequency_weighted_iou=None,
        mean_f1=None,
        calibration_error=0.1,
        classes=classes,
        materials=tuple(
            MaterialScore(material=name, pictures=len(part), miou=number(scores.mean_iou(part.sum(0))))
            for name, part in of_material.items()
        ),
        confusion=tuple(tuple(row) for row in pooled.tolist()),
        examples=tuple(examples),
    )
    write_summary(folder, summary)
    write_confusion(folder, pd.DataFrame(columns), counts)
    storage.write_json(folder / "facts.json", {"megapixels_per_second": 0.5, "device": "CPU, 1 thread"})
    (folder / "figures" / "examples").mkdir(parents=True)
    for name in examples:
        for part in ("input", "truth", "prediction"):
            view.save(folder / "figures" / "examples" / f"{name}-{part}.jpg")
    return artifact.seal(folder, "evaluation", inputs={"model": model_digest, "test_images": test_images}, config={}, image="evaluate")


def seal_splits(folder, pictures, groups=None, origin=ORIGIN, validation=10):
    folder.mkdir(parents=True)
    groups = groups or [f"g{index}" for index in range(pictures)]
    common = {"fold": -1, "material": "Paper", "content": "Line art"}
    rows = [{"id": f"p{index:02d}", "group": groups[index], "split": "test", **common} for index in range(pictures)]
    rows += [{"id": f"v{index:02d}", "group": f"v{index}", "split": "val", **common} for index in range(validation)]
    pq.write_table(pa.Table.from_pylist(sorted(rows, key=lambda row: row["id"]), schema=SPLITS_SCHEMA), folder / "splits.parquet")
    storage.write_json(folder / "balance.json", origin)
    return artifact.seal(folder, "splits", inputs={}, config={}, image="split")


class Bench:
    """Folders of evaluations, models, splits, tiles and test pictures below `root`.

    `leaks` are tiles, name -> (group, picture), that stand beside those of two harmless training pictures.
    """

    def __init__(self, root):
        self.root, self.evaluations, self.models = root, [], []
        self.splits, self.tiles, self.test_images = root / "splits", root / "tiles", root / "test_images"
        self.leaks = {}

    def trained_on(self):
        """Digest of the tiles, made when first asked for."""
        if not self.tiles.exists():
            seal_tiles(self.tiles, {"t0": ("t0", textured(900)), "t1": ("t1", textured(901)), **self.leaks})
        return artifact.read_manifest(self.tiles).digest

    def judged_on(self, pictures):
        """Digest of the test pictures, made when first asked for."""
        if not self.test_images.exists():
            seal_test_images(self.test_images, [f"p{index:02d}" for index in range(pictures)])
        return artifact.read_manifest(self.test_images).digest

    def add(self, architecture, counts, **options):
        model, evaluation = (self.root / f"{kind}-{len(self.models)}" for kind in ("model", "evaluation"))
        manifest = seal_model(model, architecture, self.trained_on())
        seal_evaluation(evaluation, architecture, manifest.digest, counts, self.judged_on(len(counts)), **options)
        self.models.append(model)
        self.evaluations.append(evaluation)
        return self

    def split(self, pictures, **options):
        seal_splits(self.splits, pictures, **options)
        return self


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
