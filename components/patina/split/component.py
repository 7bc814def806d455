"""The KFP face of the split stage."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Output

from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def split(
    raw: Input[Dataset],
    splits: Output[Dataset],
    test_images: Output[Dataset],
    balance: Output[HTML],
    seed: int = 0,
    settings: str = "{}",
):
    """Divides the pictures into training, validation and test; copies of a picture stay on one side.

    Args:
        raw: The pictures with their annotations.
        splits: Which picture serves which purpose, and which pictures belong together.
        test_images: The pictures kept apart for testing, with their annotations.
        balance: What each side holds, and which classes a side lacks.
        seed: Source of randomness of the division.
        settings: JSON object of changed settings, for instance {"protocol": "kfold", "test_fold": 2}; {} keeps the defaults.
    """
    from patina.core.session import session
    from patina.split.stage import run

    with session("split", splits.path) as progress:
        made = run(raw.path, splits.path, test_images.path, balance.path, seed=seed, settings=settings, progress=progress)
        splits.metadata.update(made[0].metadata())
        test_images.metadata.update(made[1].metadata())
