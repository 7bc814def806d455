"""The KFP face of the evaluate stage."""

from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from patina.core.containers import TORCH


@dsl.component(base_image=TORCH, install_kfp_package=False)
def evaluate(
    model: Input[Model],
    test_images: Input[Dataset],
    evaluation: Output[Dataset],
    metrics: Output[Metrics],
    confusion_matrix: Output[ClassificationMetrics],
    figures: Output[HTML],
    cpu: str = "4",
    settings: str = "{}",
):
    """Scores a model on whole test pictures at their native resolution.

    Args:
        model: The trained model.
        test_images: The pictures kept apart for testing, with their annotations.
        evaluation: Confusion counts and scores per picture, predicted masks, figures.
        metrics: Dataset mIoU and other figures of the whole test set.
        confusion_matrix: Of 100 pixels of a true class (row), how many were given each class (column).
        figures: The figures as one page.
        cpu: Number of CPU threads.
        settings: JSON object of changed settings, for instance {"overlap": 0.5}; {} keeps the defaults.
    """
    from pathlib import Path

    from patina.core import storage
    from patina.core.session import session
    from patina.evaluate.stage import run

    with session("evaluate", evaluation.path, label=model.metadata.get("architecture")) as progress:
        manifest, summary = run(model.path, test_images.path, evaluation.path, figures.path, int(cpu), settings, progress)
        for name, value in summary.headline().items():
            metrics.log_metric(name, value)
        confusion_matrix.log_confusion_matrix(list(summary.class_names), summary.row_percent())
        for view in (metrics, confusion_matrix):
            storage.write_json(Path(view.path), view.metadata)  # without a file kfp.local takes the whole task for missing
        evaluation.metadata.update({**manifest.metadata(), **summary.headline(), "architecture": summary.architecture})
