"""The KFP face of the augment stage."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def augment(
    raw: Input[Dataset],
    splits: Input[Dataset],
    tiles: Output[Dataset],
    tile_size: int = 384,
    seed: int = 0,
    settings: str = "{}",
):
    """Cuts training and validation pictures into tiles and makes changed copies of the training tiles; test pictures are not read.

    Args:
        raw: Pictures with masks, from download.
        splits: Which picture serves which purpose, from split.
        tiles: Tiles and masks as memory-mappable arrays, with the provenance of every tile.
        tile_size: Side of a tile in pixels.
        seed: Decides which windows on damage are drawn and how copies are changed.
        settings: JSON of further settings: geometry, max_side, overlap, windows_per_picture, damage_share, copies, ...
    """
    from patina.augment.stage import run
    from patina.core.session import session

    with session("augment", tiles.path) as progress:
        manifest = run(raw.path, splits.path, tiles.path, tile_size=tile_size, seed=seed, settings=settings, progress=progress)
        tiles.metadata.update(manifest.metadata())
