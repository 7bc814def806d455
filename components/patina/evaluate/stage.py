"""Judges a model on whole test pictures.

Pictures are read one at a time, brought to the scale of the model's training, seen through overlapping windows, and the
probabilities are brought back to native pixels before anything is scored: a model that was trained on shrunken pictures is
judged on the same pixels as one that was not.
"""

import io
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from patina.core import artifact, provenance, storage
from patina.core.config import parse
from patina.core.confusion import mean_iou
from patina.core.containers import TORCH
from patina.core.errors import DataRefused
from patina.core.evaluation import FACTS, PREDICTIONS, SCORES, EvaluationSummary, write_confusion, write_summary
from patina.core.model_card import ModelCard, read_model_card
from patina.core.pictures import decode_mask, decode_picture
from patina.core.raw import RawRow, check_id, iter_rows, read_index
from patina.core.session import Session
from patina.core.taxonomy import NUM_CLASSES, palette
from patina.core.tiles import Geometry
from patina.evaluate import gallery
from patina.evaluate.scoring import PictureScores, score_picture
from patina.evaluate.settings import EvaluateConfig
from patina.evaluate.summary import Tally
from patina.evaluate.windows import Segmenter, to_native

FIGURES_PAGE = "figures.html"


def run(
    model: Path | str, test_images: Path | str, evaluation: Path | str, figures: Path | str, cpu: int, settings: str, progress: Session
) -> tuple[artifact.Manifest, EvaluationSummary]:
    """The evaluate stage.

    Args:
        model: folder of the model artifact.
        test_images: folder of the raw artifact with the test pictures.
        evaluation: folder to write.
        figures: HTML file to write.
        cpu: CPU threads.
        settings: JSON of changes to `EvaluateConfig`.
        progress: where to report.

    Raises:
        UsageError: wrong settings.
        DataRefused: a broken artifact, a model of another view than `full`, or a mask that does not fit its picture.
    """
    from patina.models.network import load

    config = parse(EvaluateConfig, settings, "evaluate settings")
    inputs = {"model": artifact.open_artifact(Path(model), "model"), "test_images": artifact.open_artifact(Path(test_images), "raw")}
    card, folder = read_model_card(Path(model)), Path(evaluation)
    if card.view != "full":
        raise DataRefused(f"{model} speaks the view {card.view!r}; test pictures are judged in the view 'full'. Evaluate another model.")
    summary = evaluate_network(load(model), card, Path(test_images), folder, cpu, config, progress)
    storage.write_bytes(Path(figures), (folder / FIGURES_PAGE).read_bytes())
    digests = {role: manifest.digest for role, manifest in inputs.items()}
    return artifact.seal(folder, "evaluation", inputs=digests, config=config.model_dump(mode="json"), image=TORCH), summary


def evaluate_network(
    network: nn.Module, card: ModelCard, test_images: Path, folder: Path, cpu: int, config: EvaluateConfig, progress: Session
) -> EvaluationSummary:
    """Judges `network` on the pictures in `test_images` and writes the files of the evaluation into `folder`."""
    device, total = _device(cpu), len(read_index(test_images))
    segmenter = Segmenter(network, card.mean, card.std, card.geometry.tile_size, config.overlap, config.batch, device)
    (folder / PREDICTIONS).mkdir(parents=True, exist_ok=True)
    tally, started = Tally(NUM_CLASSES, config.calibration_bins), time.monotonic()
    for done, row in enumerate(iter_rows(test_images), 1):
        scores = judge(row, segmenter, card.geometry, config)
        storage.write_bytes(folder / PREDICTIONS / f"{check_id(row.id)}.png", _indexed_png(scores.prediction))
        tally.add(row, scores)
        pooled, spent = tally.pooled(), time.monotonic() - started
        progress.report(done, total, "pictures", mean_iou(pooled) if pooled.any() else None, spent / done * (total - done))
    seconds = time.monotonic() - started
    summary = tally.summary(card, config.examples)
    write_summary(folder, summary)
    write_confusion(folder, tally.table(), tally.counts())
    with storage.atomic_file(folder / SCORES) as stream:
        tally.scores().to_parquet(stream, index=False)
    storage.write_json(folder / FACTS, _facts(device, seconds, total, summary.pixels))
    gallery.draw(folder, test_images, summary, tally, config)
    storage.write_text(folder / FIGURES_PAGE, gallery.page(folder, summary))
    if summary.unlabelled:
        logging.getLogger(__name__).warning("without a labelled pixel: %s", ", ".join(summary.unlabelled))
    return summary


def judge(row: RawRow, segmenter: Segmenter, geometry: Geometry, config: EvaluateConfig) -> PictureScores:
    """Predicts and scores one picture at its native resolution.

    Raises:
        DataRefused: picture and mask differ in size.
    """
    picture = decode_picture(row.image)
    truth = decode_mask(row.annotation)
    if truth.shape != picture.shape[:2]:
        raise DataRefused(
            f"{row.id}: picture is {picture.shape[1::-1]}, its mask {truth.shape[::-1]} px (width, height). Correct the data."
        )
    scaled = geometry.scaled(picture)
    strips = to_native(segmenter.probability_rows(scaled), scaled.shape[:2], picture.shape[:2])
    return score_picture(strips, truth, NUM_CLASSES, config.calibration_bins, config.boundary_tolerance)


def _device(cpu: int) -> torch.device:
    torch.set_num_threads(cpu)
    cv2.setNumThreads(1)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _indexed_png(labels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(labels)
    image.putpalette(palette().ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _facts(device: torch.device, seconds: float, pictures: int, pixels: int) -> dict[str, Any]:
    on_gpu, threads = device.type == "cuda", torch.get_num_threads()
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU, 1 thread" if threads == 1 else f"CPU, {threads} threads",
        "seconds": round(seconds, 3),
        "pictures_per_second": round(pictures / seconds, 3),
        "megapixels_per_second": round(pixels / 1e6 / seconds, 4),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "peak_gpu_bytes": torch.cuda.max_memory_allocated(device) if on_gpu else 0,
        "host": provenance.host_facts(),
    }
