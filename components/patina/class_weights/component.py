"""The KFP face of the class_weights stage."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def class_weights(
    raw: Input[Dataset],
    splits: Input[Dataset],
    weights: Output[Artifact],
    chart: Output[HTML],
    settings: str = "{}",
):
    """Counts each class in the training pictures, per picture and per pixel, and makes loss weights from the counts.

    Args:
        raw: Pictures with masks, from download.
        splits: Which picture serves which purpose, from split.
        weights: Loss weights per scheme and way of counting, and the counts per picture and class.
        chart: The counts as bars, the weights as a table.
        settings: JSON of further settings: max_ratio, log_ratio, beta.
    """
    from patina.class_weights.stage import run
    from patina.core.session import session

    with session("class_weights", weights.path) as progress:
        manifest = run(raw.path, splits.path, weights.path, chart.path, settings=settings, progress=progress)
        weights.metadata.update(manifest.metadata())
