"""What a row must prove before it is believed: readable files, equal sizes, class ids, and colours that agree with them.

Two kinds of fault are told apart. A broken row (truncated file, missing mask, too many pixels) may be left out, with its
reason in the report. An annotation that contradicts the taxonomy, or an id that is unsafe or taken, says that the data are
not what they claim to be: nothing is accepted then.

Of a 133-Mpx picture only a small copy and the mask leave the check: 1 byte per pixel.
"""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.errors import DataRefused
from patina.core.pictures import LabelsRefused, PictureHeader, count_values, decode_mask, decode_overview, encode_mask, read_header
from patina.core.raw import RawRow, check_id
from patina.core.raw_report import Quarantined
from patina.core.taxonomy import IGNORE, NUM_CLASSES
from patina.download.colors import check_colors, read_mask
from patina.download.rows import SourceRow

Masks = Literal["pair", "single"]
"""How a source stores masks: class ids and colours in two columns, or one file that holds either."""
_HASH_SIDE: Final = 128
_VIEW_SIDE: Final = 512


class BrokenRow(Exception):
    """A row that cannot be read and may be left out; the message is the reason."""


@dataclass(frozen=True)
class CheckedRow:
    """A row that may be believed.

    Attributes:
        row: what is stored.
        view: uint8 [h, w, 3] RGB, the picture reduced until its longer side has 512 to 1023 px, or as it is if smaller.
        mask: uint8 [H, W], class ids 0..15 and 255.
        conversions: what happens to picture and mask on reading, for instance `pixel format L to RGB`.
    """

    row: RawRow
    view: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    conversions: tuple[str, ...]

    @property
    def labels(self) -> set[int]:
        """The mask's values: class ids 0..15, and 255 if some pixel has no class."""
        present = {index for index, pixels in enumerate(self.row.pixels) if pixels}
        return present | {IGNORE} if sum(self.row.pixels) < self.mask.size else present


def check_rows(rows: Iterator[SourceRow], *, max_pixels: int, masks: Masks) -> Iterator[CheckedRow | Quarantined]:
    """Each of `rows` as it may be believed, or why it is left out; arguments and errors as for `check_row`."""
    for row in rows:
        try:
            yield check_row(row, max_pixels=max_pixels, masks=masks)
        except BrokenRow as error:
            yield Quarantined(id=row.id or "", reason=str(error))
        del row  # or its files would stay in memory while the next row is read


def check_row(source: SourceRow, *, max_pixels: int, masks: Masks = "pair") -> CheckedRow:
    """Decodes and checks one row.

    Args:
        source: the row as found.
        max_pixels: limit in pixels, for picture and masks.
        masks: `pair`: `annotation` holds class ids and `annotation_rgb` colours, which must agree; `single`: `annotation` holds either.

    Raises:
        BrokenRow: see the module; also a missing material, content or type.
        DataRefused: an unsafe id, picture and mask of different size, wrong mask values, wrong colours.
    """
    identifier = check_id(source.id or "")
    image, annotation = _present(source, "image"), _present(source, "annotation")
    colors = _present(source, "annotation_rgb") if masks == "pair" else b""
    for name in ("material", "content", "type"):
        if not getattr(source, name):
            raise BrokenRow(f"{name} is missing")
    with _reading(identifier, "image"):
        header = read_header(image, max_pixels=max_pixels)
        view = decode_overview(image, _VIEW_SIDE, max_pixels=max_pixels)
    with _reading(identifier, "annotation"):
        mask, kept, converted = (_read_ids if masks == "pair" else read_mask)(annotation, max_pixels=max_pixels)
    if mask.shape != (header.height, header.width):
        sizes = f"image is {header.width} x {header.height} px, annotation {mask.shape[1]} x {mask.shape[0]} px"
        turned = "The picture's EXIF orientation was applied: turn the mask likewise." if header.rotated else "Export both again."
        raise DataRefused(f"picture {identifier}: {sizes}. {turned}")
    if masks == "pair":
        with _reading(identifier, "annotation_rgb"):
            check_colors(mask, colors, max_pixels=max_pixels)
    row = RawRow(
        id=identifier,
        image=image,
        annotation=kept,
        material=source.material or "",
        content=source.content or "",
        type=source.type or "",
        width=header.width,
        height=header.height,
        sha256=hashlib.sha256(image).hexdigest(),
        phash=perceptual_hash(view),
        pixels=tuple(count_values(mask)[:NUM_CLASSES].tolist()),
    )
    return CheckedRow(row, view, mask, (*_conversions(header), *([converted] if converted else [])))


def perceptual_hash(picture: NDArray[np.uint8]) -> str:
    """The 64-bit DCT hash of `picture` (uint8 [H, W, 3]) as 16 hex digits (Zauner 2010).

    A bit says whether one of the 8 x 8 lowest frequencies of a grey copy of 32 x 32 px lies above their median. The library
    for it would bring scipy, 150 of the data image's 700 MB, for these lines.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8]
    return np.packbits(lowest > np.median(lowest)).tobytes().hex()


@contextmanager
def _reading(identifier: str, column: str) -> Generator[None]:
    try:
        yield
    except LabelsRefused as error:
        raise DataRefused(f"picture {identifier}: {error}") from error
    except DataRefused as error:
        raise BrokenRow(f"{column}: {error}") from error


def _present(source: SourceRow, name: str) -> bytes:
    data = getattr(source, name)
    if not data:
        raise BrokenRow(f"{name} is missing")
    return data


def _read_ids(data: bytes, *, max_pixels: int) -> tuple[NDArray[np.uint8], bytes, None]:
    header = read_header(data, max_pixels=max_pixels)
    mask = decode_mask(data, max_pixels=max_pixels)
    return mask, encode_mask(mask) if header.rotated or header.mode != "L" else data, None


def _conversions(header: PictureHeader) -> Iterator[str]:
    if header.mode != "RGB":
        yield f"pixel format {header.mode} to RGB"
    elif header.bits > 8:
        yield f"{header.bits}-bit RGB to 8 bits"
    if header.transparent:
        yield "transparency over white"
    if header.rotated:
        yield "EXIF orientation applied"
