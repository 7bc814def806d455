"""The KFP face of the download stage."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Output

from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def download(
    raw: Output[Dataset],
    card: Output[HTML],
    data: str = "sample",
    pictures: int = 96,
    seed: int = 0,
    settings: str = "{}",
):
    """Reads pictures with their damage annotations, checks every one, and keeps them as found.

    Args:
        raw: The pictures, their annotations and a report of what was read.
        card: What the pictures are, with examples.
        data: Where the pictures come from: "sample" (generated), a folder with Parquet shards in ARTeFACT's schema
            or with images/, masks/ and perhaps pictures.csv, "hf://danielaivanova/damaged-media", or "s3://bucket/prefix" (a mirror).
        pictures: Number of generated pictures; only for "sample".
        seed: Source of randomness of the generated pictures.
        settings: JSON object of changed settings, for instance {"max_quarantined": 3}; {} keeps the defaults.
    """
    from patina.core.session import session
    from patina.download.stage import run

    with session("download", raw.path) as progress:
        manifest = run(raw.path, card.path, data=data, pictures=pictures, seed=seed, settings=settings, progress=progress)
        raw.metadata.update(manifest.metadata())
