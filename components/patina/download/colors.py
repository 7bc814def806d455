"""Masks in colours: compared with class ids where a source has both, turned into them where it has colours only.

Two lists of classes circulate for ARTeFACT, and two orders of colours: a swapped pair would train and score without a word.
So every pixel's colour is looked at, in strips: a picture of 133 Mpx in colours would cost another 400 MB.
"""

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from patina.core.pictures import LabelsRefused, decode_mask, encode_mask, picture_strips, read_header
from patina.core.taxonomy import BACKGROUND, CLASSES, palette

IN_COLORS: Final = "mask in colours to class ids"
"""Name of the conversion in the report."""
_LISTED: Final = 6


def check_colors(mask: NDArray[np.uint8], data: bytes, *, max_pixels: int) -> None:
    """Proves the mapping of ids to colours: every pixel of the picture `data` must show the taxonomy's colour of its id.

    Args:
        mask: uint8 [H, W], class ids 0..15 and 255.
        data: the same mask in colours.
        max_pixels: limit in pixels.

    Raises:
        LabelsRefused: another size, or pairs of id and colour that disagree; the message lists them.
        DataRefused: `data` cannot be read.
    """
    header = read_header(data, max_pixels=max_pixels)
    if (header.height, header.width) != mask.shape:
        size = f"{mask.shape[1]} x {mask.shape[0]}"
        raise LabelsRefused(f"annotation is {size} px, annotation_rgb {header.width} x {header.height} px. Export both again.")
    expected = palette()
    wrong: set[tuple[int, ...]] = set()
    for top, shown in picture_strips(data, max_pixels=max_pixels):
        strip = mask[top : top + len(shown)]
        painted = expected[strip]
        if not np.array_equal(painted, shown):
            differs = (painted != shown).any(axis=2)
            pairs = np.column_stack((strip[differs], shown[differs]))
            wrong.update(tuple(pair) for pair in np.unique(pairs, axis=0).tolist())
    if wrong:
        listed = ", ".join(f"{index} = {_hex(color)} (expected {_hex(expected[index])})" for index, *color in sorted(wrong)[:_LISTED])
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise LabelsRefused(f"annotation and annotation_rgb disagree with the taxonomy: {listed}{more}.")


def read_mask(data: bytes, *, max_pixels: int) -> tuple[NDArray[np.uint8], bytes, str | None]:
    """A mask that holds class ids or the taxonomy's colours; its pixel format tells which.

    8-bit grey is class ids. RGB, RGBA and palettes of 8 bits are colours (a palette's indices mean nothing: programs renumber them).

    Returns:
        The mask, uint8 [H, W] with ids 0..15 and 255; the PNG file to keep; and `IN_COLORS` if it was in colours.

    Raises:
        LabelsRefused: another pixel format, values that are no ids, or colours that are not the taxonomy's 17.
        DataRefused: `data` cannot be read.
    """
    header = read_header(data, max_pixels=max_pixels)
    if header.mode in {"RGB", "RGBA", "P"} and header.bits <= 8 and data.startswith(b"\x89PNG"):
        mask = _ids_of_colors(data, header.width, header.height, max_pixels=max_pixels)
        return mask, encode_mask(mask), IN_COLORS
    mask = decode_mask(data, max_pixels=max_pixels)
    return mask, encode_mask(mask) if header.rotated else data, None


def _ids_of_colors(data: bytes, width: int, height: int, *, max_pixels: int) -> NDArray[np.uint8]:
    kinds = sorted((*CLASSES, BACKGROUND), key=lambda kind: _packed(np.array(kind.color)))
    colors = np.array([_packed(np.array(kind.color)) for kind in kinds])
    ids = np.array([kind.id for kind in kinds], np.uint8)
    mask = np.empty((height, width), np.uint8)
    unknown: Counter[int] = Counter()
    for top, strip in picture_strips(data, max_pixels=max_pixels):
        shown = _packed(strip)
        place = np.searchsorted(colors, shown).clip(max=len(colors) - 1)
        known = colors[place] == shown
        mask[top : top + len(strip)] = ids[place]
        values, counts = np.unique(shown[~known], return_counts=True)
        unknown.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    if unknown:
        listed = ", ".join(f"#{color:06X} ({pixels:,} px)" for color, pixels in unknown.most_common(_LISTED))
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        raise LabelsRefused(
            f"the mask in colours holds colours outside the taxonomy's 17: {listed}{more}. Paint without smoothing, or export class ids."
        )
    return mask


def _packed(colors: NDArray[np.integer]) -> NDArray[np.int64]:
    """24-bit numbers 0xRRGGBB of `colors` ([..., 3])."""
    return colors.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _hex(color: NDArray[np.uint8] | list[int]) -> str:
    return f"#{bytes(np.asarray(color, np.uint8)).hex().upper()}"
