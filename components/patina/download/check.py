"""What a row must prove before it is believed: readable files, equal sizes, class ids, and colours that agree with them.

Two kinds of fault are told apart. A broken row (truncated file, missing mask, too many pixels) may be left out, with its
reason in the report. An annotation that contradicts the taxonomy, or an id that is unsafe or taken, says that the data are
not what they claim to be: nothing is accepted then.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.errors import DataRefused
from patina.core.pictures import LabelsRefused, PictureHeader, count_values, decode_mask, decode_picture, encode_mask, read_header
from patina.core.raw import RawRow, check_id
from patina.core.taxonomy import NUM_CLASSES, palette
from patina.download.rows import SourceRow

_ROWS_PIXELS = 1 << 22
_HASH_SIDE = 128


class BrokenRow(Exception):
    """A row that cannot be read and may be left out; the message is the reason."""


@dataclass(frozen=True)
class CheckedRow:
    """A row that may be believed.

    Attributes:
        row: what is stored.
        picture: uint8 [H, W, 3] RGB, as decoded.
        mask: uint8 [H, W], class ids 0..15 and 255.
        conversions: what happens to the picture on reading, for instance `pixel format L to RGB`.
    """

    row: RawRow
    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    conversions: tuple[str, ...]


def check_row(source: SourceRow, *, max_pixels: int) -> CheckedRow:
    """Decodes and checks one row.

    Raises:
        BrokenRow: see the module; also a missing material, content or type.
        DataRefused: an unsafe id, picture and mask of different size, wrong mask values, wrong colours.
    """
    identifier = check_id(source.id or "")
    image, annotation, annotation_rgb = (_present(source, name) for name in ("image", "annotation", "annotation_rgb"))
    for name in ("material", "content", "type"):
        if not getattr(source, name):
            raise BrokenRow(f"{name} is missing")
    try:
        header = read_header(image, max_pixels=max_pixels)
        picture = decode_picture(image, max_pixels=max_pixels)
    except DataRefused as error:
        raise BrokenRow(f"image: {error}") from error
    try:
        mask_header = read_header(annotation, max_pixels=max_pixels)
        mask = decode_mask(annotation, max_pixels=max_pixels)
    except LabelsRefused as error:
        raise DataRefused(f"picture {identifier}: {error}") from error
    except DataRefused as error:
        raise BrokenRow(f"annotation: {error}") from error
    _check_sizes(identifier, header, picture, mask)
    try:
        colors = decode_picture(annotation_rgb, max_pixels=max_pixels)
    except DataRefused as error:
        raise BrokenRow(f"annotation_rgb: {error}") from error
    check_colors(identifier, mask, colors)
    row = RawRow(
        id=identifier,
        image=image,
        annotation=encode_mask(mask) if mask_header.rotated or mask_header.mode != "L" else annotation,
        material=source.material or "",
        content=source.content or "",
        type=source.type or "",
        width=mask.shape[1],
        height=mask.shape[0],
        sha256=hashlib.sha256(image).hexdigest(),
        phash=perceptual_hash(picture),
        pixels=tuple(count_values(mask)[:NUM_CLASSES].tolist()),
    )
    return CheckedRow(row, picture, mask, _conversions(header))


def check_colors(identifier: str, mask: NDArray[np.uint8], colors: NDArray[np.uint8]) -> None:
    """Proves the mapping of ids to colours: every pixel of `colors` must show the taxonomy's colour of its id.

    Two lists of classes circulate for the data set, and two orders of colours: a swapped pair would train and score
    without a word. So the pairs that occur must all be pairs of the taxonomy.

    Args:
        identifier: of the picture, for the message.
        mask: uint8 [H, W].
        colors: uint8 [H, W, 3], `annotation_rgb`.

    Raises:
        DataRefused: other sizes, or pairs that disagree; the message lists them.
    """
    if colors.shape[:2] != mask.shape:
        raise DataRefused(f"picture {identifier}: annotation is {_size(mask)} px, annotation_rgb {_size(colors)} px. Export both again.")
    expected = palette()
    wrong: set[tuple[int, int, int, int]] = set()
    step = max(1, _ROWS_PIXELS // mask.shape[1])
    for top in range(0, len(mask), step):  # in strips: a mask of 133 Mpx would cost another 400 MB
        strip, shown = mask[top : top + step], colors[top : top + step]
        differs = (expected[strip] != shown).any(axis=2)
        if differs.any():
            pairs = np.column_stack((strip[differs], shown[differs]))
            wrong.update((a, b, c, d) for a, b, c, d in np.unique(pairs, axis=0).tolist())
    if wrong:
        listed = ", ".join(f"{index} = #{r:02X}{g:02X}{b:02X} (expected #{_hex(expected[index])})" for index, r, g, b in sorted(wrong)[:6])
        more = f" and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        raise DataRefused(f"picture {identifier}: annotation and annotation_rgb disagree with the taxonomy: {listed}{more}.")


def perceptual_hash(picture: NDArray[np.uint8]) -> str:
    """The 64-bit DCT hash of `picture` (uint8 [H, W, 3]) as 16 hex digits, made from a copy of 128 x 128 px."""
    import imagehash
    from PIL import Image

    small = cv2.resize(picture, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    return str(imagehash.phash(Image.fromarray(small)))


def _present(source: SourceRow, name: str) -> bytes:
    data = getattr(source, name)
    if not data:
        raise BrokenRow(f"{name} is missing")
    return data


def _check_sizes(identifier: str, header: PictureHeader, picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    if picture.shape[:2] != mask.shape:
        turned = " The picture's EXIF orientation was applied: turn the mask likewise." if header.rotated else " Export both again."
        raise DataRefused(f"picture {identifier}: image is {_size(picture)} px, annotation {_size(mask)} px.{turned}")


def _conversions(header: PictureHeader) -> tuple[str, ...]:
    made = [f"pixel format {header.mode} to RGB"] if header.mode != "RGB" else []
    return (*made, "EXIF orientation applied") if header.rotated else tuple(made)


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _hex(color: NDArray[np.uint8]) -> str:
    return bytes(color.tolist()).hex().upper()
