"""The KFP face of the compare stage."""

from typing import List

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Model, Output

from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def compare(
    evaluations: Input[List[Dataset]],
    models: Input[List[Model]],
    splits: Input[Dataset],
    tiles: Input[Dataset],
    test_images: Input[Dataset],
    comparison: Output[Dataset],
    champion: Output[Model],
    report: Output[HTML],
    seed: int = 0,
    settings: str = "{}",
):
    """Ranks the evaluated models and says what the ranking can and cannot tell.

    Args:
        evaluations: One evaluation per model.
        models: The evaluated models, in any order.
        splits: The division of the pictures; its groups of related pictures are what the intervals are drawn over.
        tiles: What the models were trained on, to check that no test picture is among it.
        test_images: The test pictures.
        comparison: Ranking with 95 % intervals, tables per damage class and material, the report.
        champion: The model with the highest mIoU, ready to use.
        report: The report for readers.
        seed: Source of the resampling's randomness.
        settings: JSON object of changed settings, for instance {"replicates": 5000}; {} keeps the defaults.
    """
    from patina.compare.stage import run
    from patina.core.session import session

    with session("compare", comparison.path) as progress:
        paths = [item.path for item in evaluations], [item.path for item in models], splits.path, tiles.path, test_images.path
        result = run(*paths, comparison.path, champion.path, report.path, seed, settings, progress)
        comparison.metadata.update(result.comparison.metadata())
        champion.metadata.update({**result.champion.metadata(), "architecture": result.architecture, "miou": result.miou})
