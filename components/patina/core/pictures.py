"""Pictures and masks from bytes, checked: what cannot be read for certain is refused, nothing is guessed or padded.

Pillow's limit on pixels is one global for the whole process and warns at the largest pictures of ARTeFACT (133 Mpx). So the
decoder of each format is opened directly here, and the limit is an argument, compared with the header before anything is
allocated. Pillow holds 4 bytes for each RGB pixel, and `np.asarray` of its image takes 6 more for a moment: pictures are
brought over in strips instead.

Rules of colour:
    8-bit RGB as it is; grey (1, 8 or 16 bits) three times the same value, 16 bits scaled by 255/65535 and rounded;
    16-bit RGB: the high byte; palette: its colours; CMYK and YCbCr: Pillow's conversion, without a colour profile;
    transparency: composited over white. Everything else (32-bit, float, LAB, 16-bit grey whose zero is white) is refused.

PNG carries a checksum for each part, which is compared. JPEG and TIFF carry none: a changed byte among their pixels may go
unseen, a file that ends too early does not.
"""

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from patina.core.errors import DataRefused
from patina.core.taxonomy import IGNORE, NUM_CLASSES, palette

MAX_PIXELS: Final = 300_000_000
"""Default limit in pixels; ARTeFACT's largest picture has 133 million."""

_SIGNATURES: Final[tuple[tuple[bytes, type[ImageFile]], ...]] = (
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"\xff\xd8\xff", JpegImageFile),
    (b"II*\x00", TiffImageFile),
    (b"MM\x00*", TiffImageFile),
)
_PLAIN: Final = {"1", "L", "P", "RGB", "CMYK", "YCbCr"}
_ALPHA: Final = {"LA", "PA", "RGBA"}
_DEEP_GREY: Final = {"I;16", "I;16L", "I;16B", "I;16N"}
_BLOCK: Final = 1 << 20
_STRIP_PIXELS: Final = 1 << 21
_PNG_BIT_DEPTH: Final = 24
"""Place of the bit depth in a PNG file: signature 8, chunk length and name 8, width 4, height 4."""
_TIFF_BITS: Final = 258
_TIFF_PHOTOMETRIC: Final = 262
_WHITE_IS_ZERO: Final = 0
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings pixels upright, by EXIF orientation."""


class LabelsRefused(DataRefused):
    """A mask that could be read, but whose values are no class ids: a fault of the annotation, not of one file."""


@dataclass(frozen=True)
class PictureHeader:
    """What a picture says of itself before it is decoded.

    Attributes:
        width: in pixels, after EXIF orientation.
        height: in pixels, after EXIF orientation.
        mode: Pillow's name of the pixel format, for instance `RGB`, `L`, `I;16`, `CMYK`.
        bits: per channel in the file, 1..16.
        transparent: whether pixels can be transparent: an alpha channel or a transparent colour.
        rotated: whether the EXIF orientation changes the pixels' places.
    """

    width: int
    height: int
    mode: str
    bits: int
    transparent: bool
    rotated: bool


@contextmanager
def single_threaded_opencv() -> Generator[None]:
    """For work on several pictures at once: one thread for each is enough, OpenCV's own would fight with them for the cores."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def read_header(data: bytes, *, max_pixels: int = MAX_PIXELS) -> PictureHeader:
    """The header of the PNG, JPEG or TIFF file `data`; no pixel is decoded.

    Raises:
        DataRefused: not such a file, or more than `max_pixels` pixels.
    """
    image = _open(data, max_pixels)
    orientation = _orientation(image)
    swapped = orientation >= 5 and not isinstance(image, TiffImageFile)  # Pillow's TIFF decoder gives the upright size
    width, height = image.size[::-1] if swapped else image.size
    return PictureHeader(width, height, image.mode, _bits(image, data), _transparent(image), orientation != 1)


def picture_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the picture `data` in pixels after EXIF orientation, from its header.

    Raises:
        DataRefused: not a PNG, JPEG or TIFF file.
    """
    header = read_header(data)
    return header.width, header.height


def decode_picture(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture `data` (PNG, JPEG or TIFF, first page) as uint8 [H, W, 3] RGB, EXIF orientation applied.

    Raises:
        DataRefused: not such a file, more than `max_pixels` pixels, truncated or damaged, or a pixel format without a rule.
    """
    image = _load(data, max_pixels)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top, strip in _rgb_strips(image, _bits(image, data)):
        pixels[top : top + len(strip)] = strip
    return pixels


def picture_strips(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pixels of `decode_picture` from top to bottom as (first row, uint8 [h, W, 3]), without the whole array at once.

    Raises:
        DataRefused: as `decode_picture`; the whole file is decoded before the first strip comes.
    """
    image = _load(data, max_pixels)
    yield from _rgb_strips(image, _bits(image, data))


def decode_overview(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """A small copy of the picture `data`, uint8 [h, w, 3] RGB: means over square blocks of whole pixels.

    The file is decoded and checked as by `decode_picture`, but for 133 Mpx the peak is 400 MB lower.

    Args:
        data: PNG, JPEG or TIFF.
        side: the longer side of the copy has at least as many pixels and fewer than twice as many, unless the picture is smaller.
        max_pixels: limit in pixels.

    Raises:
        DataRefused: as `decode_picture`.
    """
    image = _load(data, max_pixels)
    factor = max(1, max(image.size) // side)
    strips = _rgb_strips(image, _bits(image, data), multiple=factor)
    return np.concatenate([np.asarray(Image.fromarray(strip).reduce(factor)) for _, strip in strips])


def decode_mask(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The annotation `data` (PNG) as uint8 [H, W] of class ids 0..15 and 255 (ignore); its EXIF orientation is applied.

    A palette file is taken only if the colours of its indices are the taxonomy's: programs that save palettes renumber them.
    Grey of 1, 2 or 4 bits is refused, because decoders stretch it: 15 of 4 bits would become 255.

    Raises:
        LabelsRefused: not single-channel 8-bit, or with other values; the message lists values and counts.
        DataRefused: damaged, or more than `max_pixels` pixels.
    """
    image = _load(data, max_pixels)
    if not data.startswith(_SIGNATURES[0][0]):
        raise LabelsRefused("the mask is not a PNG file (JPEG loses labels), expected a single-channel 8-bit PNG. Export it again.")
    bits = data[_PNG_BIT_DEPTH]
    if image.mode not in {"L", "P"} or (image.mode == "L" and bits != 8):
        raise LabelsRefused(f"the mask has pixel format {image.mode!r}, {bits} bits, expected 8-bit class ids. Export it again.")
    colors = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3) if image.mode == "P" else None
    mask = np.empty((image.height, image.width), np.uint8)
    for top, strip in _strips(image):
        mask[top : top + strip.height] = np.asarray(strip)
    counts = count_values(mask)
    wrong = {value: int(counts[value]) for value in range(NUM_CLASSES, IGNORE) if counts[value]}
    if wrong:
        listed = ", ".join(f"{value} ({pixels} px)" for value, pixels in list(wrong.items())[:8])
        raise LabelsRefused(
            f"the mask holds values outside 0..15 and 255: {listed}{', ...' if len(wrong) > 8 else ''}. Correct the annotation."
        )
    if colors is not None:
        expected = palette()
        for value in np.flatnonzero(counts).tolist():
            found = colors[value].tolist() if value < len(colors) else "no colour"
            if found != expected[value].tolist():
                raise LabelsRefused(f"the mask's palette gives index {value} {found}, the taxonomy {expected[value].tolist()}. Export ids.")
    return mask


def count_values(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value occurs in `mask` (uint8, any shape), as int64 [256]; memory is flat for any size."""
    flat = mask.reshape(-1)
    counts = np.zeros(256, np.int64)
    for start in range(0, flat.size, _BLOCK):  # bincount copies its input to int64
        counts += np.bincount(flat[start : start + _BLOCK], minlength=256)
    return counts


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """`mask` (uint8 [H, W]) as a single-channel PNG; the same mask gives the same bytes."""
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"expected a mask uint8 [H, W], got {mask.dtype} {list(mask.shape)}")
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


@contextmanager
def _refusing(fault: str) -> Generator[None]:
    """Turns whatever a damaged file leads a decoder to (any exception) into one that names the fault."""
    try:
        yield
    except DataRefused:
        raise
    except Exception as error:
        raise DataRefused(f"{fault} ({_first_line(error)}). Fetch or export the picture again.") from error


def _open(data: bytes, max_pixels: int) -> ImageFile:
    decoder = next((decoder for signature, decoder in _SIGNATURES if data.startswith(signature)), None)
    if decoder is None:
        raise DataRefused(f"not a PNG, JPEG or TIFF file: it begins with {data[:8]!r}. Convert the picture to one of them.")
    with _refusing("the file's header cannot be read"):
        image = decoder(io.BytesIO(data))
    width, height = image.size
    if width < 1 or height < 1 or width * height > max_pixels:
        raise DataRefused(f"the header says {width} x {height} px, allowed are 1 to {max_pixels:,} pixels. Reduce the picture.")
    return image


def _load(data: bytes, max_pixels: int) -> Image.Image:
    """The decoded picture, upright."""
    image = _open(data, max_pixels)
    orientation = 1 if isinstance(image, TiffImageFile) else _orientation(image)  # Pillow turns TIFF files itself
    with _refusing("the picture is truncated or damaged"):
        if isinstance(image, PngImageFile):
            image.verify()  # checks every chunk's CRC, which decoding does not; the object is spent afterwards
            image = _open(data, max_pixels)
        image.load()
        if isinstance(image, PngImageFile) and _orientation(image) != orientation:
            raise DataRefused("the EXIF orientation stands behind the pixels, where few programs look. Save the picture again.")
        return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _orientation(image: ImageFile) -> int:
    try:
        # PngImageFile.getexif would decode the pixels to look for a block behind them.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception as error:  # EXIF is a TIFF file inside the file, with the same faults
        raise DataRefused(f"the EXIF block cannot be read ({_first_line(error)}). Remove or repair it.") from error
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bits(image: Image.Image, data: bytes) -> int:
    if data.startswith(_SIGNATURES[0][0]):
        return data[_PNG_BIT_DEPTH]
    stored = image.tag_v2.get(_TIFF_BITS, 1) if isinstance(image, TiffImageFile) else 8
    return max(stored) if isinstance(stored, tuple) else int(stored)


def _transparent(image: Image.Image) -> bool:
    return image.mode in _ALPHA or "transparency" in image.info


def _strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """(first row, rows) of about 2 Mpx from top to bottom, each a `multiple` of rows high but the last."""
    step = max(1, _STRIP_PIXELS // (image.width * multiple)) * multiple
    for top in range(0, image.height, step):
        yield top, image.crop((0, top, image.width, min(image.height, top + step)))


def _rgb_strips(image: Image.Image, bits: int, multiple: int = 1) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    _check_rule(image, bits)
    for top, strip in _strips(image, multiple):
        with _refusing("the pixels cannot be turned into RGB"):  # transparency may be any text that the file names so
            pixels = _rgb(strip)
        yield top, pixels


def _check_rule(image: Image.Image, bits: int) -> None:
    """Refuses pixel formats for which Pillow would give other colours than the file means, or none."""
    fault = ""
    if image.mode in _DEEP_GREY:
        white_is_zero = isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
        fault = f"{bits} bits of 16" if bits != 16 else "zero is white" if white_is_zero else ""
    elif image.mode not in _PLAIN | _ALPHA:
        fault = "unknown"
    elif "transparency" in image.info and image.mode not in _ALPHA:
        fault = "transparency" if image.mode not in {"1", "L", "P", "RGB"} or (image.mode in {"L", "RGB"} and bits != 8) else ""
    if fault:
        raise DataRefused(
            f"pixel format {image.mode!r} ({fault}) has no rule that turns it into RGB. Save the picture as 8- or 16-bit grey or RGB."
        )


def _rgb(strip: Image.Image) -> NDArray[np.uint8]:
    if strip.mode in _DEEP_GREY:
        values = np.asarray(strip)
        grey = _to_eight_bits(values)
        if _transparent(strip):
            grey[values == int(strip.info["transparency"])] = 255
        return np.repeat(grey[..., None], 3, axis=2)
    if _transparent(strip):
        upper = strip.convert("RGBA")
        white = Image.new("RGBA", upper.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(white, upper).convert("RGB"))
    return np.asarray(strip.convert("RGB"))


def _to_eight_bits(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    table = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return table[values]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]:.120}" if lines else type(error).__name__
