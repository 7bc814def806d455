"""Copy-paste: rare damage of one training picture laid into a changed copy of another (Ghiasi et al. 2021, arXiv 2012.07177).

A patch is one 8-connected component of a rare class. Its own pixels replace the tile's, in picture and mask. Around them runs a
rim of a few pixels in which the donor's picture fades into the tile's; the mask keeps the tile's labels there, since the
rim shows what surrounded the damage and no more of the damage itself. The rim is left out where the donor is
damaged or unlabelled, and nothing is pasted onto pixels of 255.

Donors are training pictures of the recipient's own fold, never the recipient. Few small patches per class are cut in a pass before
the tiles, from pictures that the index names: memory is bounded and the result independent of order and workers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.augment.chance import stream
from patina.augment.rarity import Place, Rarity
from patina.augment.settings import Paste
from patina.augment.shape import Tile
from patina.core.errors import DataRefused
from patina.core.taxonomy import IGNORE

if TYPE_CHECKING:
    from pandas import DataFrame

PASTE = "paste"
"""Name of the transform in a tile's provenance."""
_PLACES_TRIED = 8


@dataclass(frozen=True)
class PatchPlace:
    """Where a patch was cut; its fields stand in the provenance.

    Attributes:
        source: id of the donor.
        damage: class id.
        x, y, width, height: window in the donor's scaled picture, pixels; the component lies wholly inside.
        at_x, at_y: one pixel of the component, counted from the window's corner.
        feather: width of the rim, pixels.
    """

    source: str
    damage: int
    x: int
    y: int
    width: int
    height: int
    at_x: int
    at_y: int
    feather: int


@dataclass(frozen=True, eq=False)
class Patch:
    """Damage that can be pasted.

    Attributes:
        place: where it was cut.
        image: uint8 RGB [h, w, 3].
        covered: bool [h, w], the component.
        opacity: float32 [h, w], 1 on the component, falling to 0 over the rim.
    """

    place: PatchPlace
    image: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    opacity: NDArray[np.float32]


Pool = Mapping[tuple[int, int], Sequence[Patch]]
"""Patches by (fold, class id), in an order that depends on the seed alone."""


def donor_pictures(
    index: "DataFrame", places: Mapping[str, Place], rarities: Mapping[int, Rarity], per_class: int, seed: int
) -> dict[str, dict[int, int]]:
    """Which pictures give patches: id -> class id -> most patches. At most `per_class` pictures per class and fold, drawn from `seed`."""
    holders: dict[tuple[int, int], list[str]] = {}
    for name, counts in zip(index["id"], index["pixels"], strict=True):
        place = places.get(name)
        if place is not None and "train" in place.splits:
            for damage in rarities[place.fold].rare:
                if counts[damage]:
                    holders.setdefault((place.fold, damage), []).append(name)
    wanted: dict[str, dict[int, int]] = {}
    for (_, damage), names in sorted(holders.items()):
        drawn = sorted(names, key=lambda name: (stream(seed, "donor", damage, name).random(), name))[:per_class]
        for name in drawn:
            wanted.setdefault(name, {})[damage] = -(-per_class // len(drawn))
    return wanted


def cut_patches(
    source: str, picture: NDArray[np.uint8], mask: NDArray[np.uint8], wanted: Mapping[int, int], *, paste: Paste, tile_size: int, seed: int
) -> list[Patch]:
    """The patches of one scaled picture (uint8 [H, W, 3] and [H, W]): for each class of `wanted`, at most so many, drawn from `seed`."""
    longest = max(1, int(paste.largest * tile_size))
    patches: list[Patch] = []
    for damage, most in sorted(wanted.items()):
        where = np.where(mask == damage, np.uint8(1), np.uint8(0))
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(where, connectivity=8)
        sides, areas = boxes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(1), boxes[:, cv2.CC_STAT_AREA]
        fitting = np.flatnonzero((sides <= longest) & (areas >= paste.smallest))
        fitting = fitting[fitting > 0]
        for component in sorted(stream(seed, "patch", damage, source).permutation(fitting)[:most].tolist()):
            left, top, width, height = boxes[component, :4].tolist()
            x, y = max(0, left - paste.feather), max(0, top - paste.feather)
            right, below = min(mask.shape[1], left + width + paste.feather), min(mask.shape[0], top + height + paste.feather)
            at_y, at_x = np.argwhere(labels[y:below, x:right] == component)[0].tolist()
            place = PatchPlace(source, damage, x, y, right - x, below - y, at_x, at_y, paste.feather)
            patches.append(patch_at(picture, mask, place))
    return patches


def patch_at(picture: NDArray[np.uint8], mask: NDArray[np.uint8], place: PatchPlace) -> Patch:
    """The patch of `place` in its donor's scaled picture (uint8 [H, W, 3]) and mask (uint8 [H, W]).

    Raises:
        DataRefused: there is no such damage at that place.
    """
    inside = 0 <= place.x <= mask.shape[1] - place.width and 0 <= place.y <= mask.shape[0] - place.height
    starts_inside = 0 <= place.at_x < place.width and 0 <= place.at_y < place.height
    if not inside or not starts_inside or mask[place.y + place.at_y, place.x + place.at_x] != place.damage:
        raise DataRefused(
            f"picture {place.source} has no damage of class {place.damage} at {place.x + place.at_x}, {place.y + place.at_y}. "
            "Use the raw artifact that the tiles were made from."
        )
    window = np.s_[place.y : place.y + place.height, place.x : place.x + place.width]
    labels = mask[window]
    _, components = cv2.connectedComponents(np.where(labels == place.damage, np.uint8(1), np.uint8(0)), connectivity=8)
    covered = components == components[place.at_y, place.at_x]
    away = cv2.distanceTransform(np.where(covered, np.uint8(0), np.uint8(1)), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    opacity = np.clip(1 - away / (place.feather + 1), 0, 1).astype(np.float32)
    opacity[~covered & (labels != 0)] = 0
    return Patch(place, picture[window].copy(), covered, opacity)


def draw_pastes(
    pool: Pool, mask: NDArray[np.uint8], source: str, fold: int, paste: Paste, rng: np.random.Generator
) -> list[tuple[Patch, dict[str, Any]]]:
    """What is pasted into one copy: patches and their transforms; empty where the chance says so or nothing fits.

    Args:
        pool: patches of all folds.
        mask: uint8 [S, S] of the tile before any change.
        source: the tile's picture, which is no donor to itself.
        fold: its fold.
        paste: settings.
        rng: where all chance comes from.
    """
    if rng.random() >= paste.probability:
        return []
    usable = {damage: [patch for patch in pool[part, damage] if patch.place.source != source] for part, damage in pool if part == fold}
    classes = sorted(damage for damage, patches in usable.items() if patches)
    drawn: list[tuple[Patch, dict[str, Any]]] = []
    for _ in range(int(rng.integers(1, paste.most + 1)) if classes else 0):
        patches = usable[classes[int(rng.integers(len(classes)))]]
        patch = patches[int(rng.integers(len(patches)))]
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        covered = _oriented(patch.covered, turns, mirror)
        room = mask.shape[0] - covered.shape[0], mask.shape[1] - covered.shape[1]
        if min(room) < 0:
            continue
        for _ in range(_PLACES_TRIED):
            top, left = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
            below = mask[top : top + covered.shape[0], left : left + covered.shape[1]]
            if 2 * np.count_nonzero(covered & (below != IGNORE)) >= np.count_nonzero(covered):
                drawn.append((patch, {"name": PASTE, **asdict(patch.place), "turns": turns, "mirror": mirror, "left": left, "top": top}))
                break
    return drawn


def paste_patch(image: NDArray[np.uint8], mask: NDArray[np.uint8], patch: Patch, *, turns: int, mirror: bool, left: int, top: int) -> Tile:
    """The tile (image uint8 [S, S, 3], mask uint8 [S, S]) with `patch` laid on it, its corner at (left, top).

    The patch is mirrored left to right if `mirror`, then turned anticlockwise by `turns` quarters.
    """
    image, mask = image.copy(), mask.copy()
    donor, covered, opacity = (_oriented(part, turns, mirror) for part in (patch.image, patch.covered, patch.opacity))
    window = np.s_[top : top + covered.shape[0], left : left + covered.shape[1]]
    allowed = mask[window] != IGNORE
    weight = (opacity * allowed)[..., None]
    own = image[window].astype(np.float32)
    image[window] = np.rint(own + weight * (donor - own)).astype(np.uint8)
    mask[window][covered & allowed] = patch.place.damage
    return image, mask


def paste_all(image: NDArray[np.uint8], mask: NDArray[np.uint8], pastes: Iterable[tuple[Patch, Mapping[str, Any]]]) -> Tile:
    """The tile after all `pastes`, each a patch and its transform."""
    for patch, transform in pastes:
        placement = {name: transform[name] for name in ("turns", "mirror", "left", "top")}
        image, mask = paste_patch(image, mask, patch, **placement)
    return image, mask


def _oriented(part: NDArray[Any], turns: int, mirror: bool) -> NDArray[Any]:
    return np.rot90(part[:, ::-1] if mirror else part, turns)
