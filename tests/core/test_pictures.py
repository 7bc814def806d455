import io
import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageFile, PngImagePlugin

from patina.core import pictures
from patina.core.errors import DataRefused
from patina.core.pictures import (
    LabelsRefused,
    count_values,
    decode_mask,
    decode_overview,
    decode_picture,
    encode_mask,
    picture_size,
    picture_strips,
    read_header,
)
from patina.core.taxonomy import palette

ORIENTATION = 0x0112
LIMITS = (
    (Image, "MAX_IMAGE_PIXELS"),
    (Image, "WARN_POSSIBLE_FORMATS"),
    (ImageFile, "LOAD_TRUNCATED_IMAGES"),
    (ImageFile, "MAXBLOCK"),
    (PngImagePlugin, "MAX_TEXT_CHUNK"),
    (PngImagePlugin, "MAX_TEXT_MEMORY"),
)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_orientation(image: Image.Image, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(image, kind, exif=exif) if kind != "TIFF" else saved(image, kind, tiffinfo={ORIENTATION: orientation})


def claiming(width: int, height: int, rest: bytes = b"") -> bytes:
    """A PNG file whose header claims a size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + rest


def raw_png(width: int, height: int, bits: int, kind: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file in a pixel format that Pillow does not write; `rows` are compressed, `extra` stands before them."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    chunks = (header, *extra, (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_rgb_pixels_arrive_unchanged(kind):
    pixels = noise(7, 5, 3)
    assert np.array_equal(decode_picture(saved(Image.fromarray(pixels), kind)), pixels)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param(Image.new("L", (3, 2), 77), (77, 77, 77), id="grey"),
        pytest.param(Image.new("1", (3, 2), 1), (255, 255, 255), id="one bit"),
        pytest.param(Image.fromarray(np.full((2, 3), 257 * 77 + 100, np.uint16)), (77, 77, 77), id="16-bit grey, rounded"),
        pytest.param(Image.fromarray(np.full((2, 3), 65535, np.uint16)), (255, 255, 255), id="16-bit white"),
        pytest.param(Image.new("RGBA", (3, 2), (200, 0, 0, 0)), (255, 255, 255), id="transparent becomes white"),
        pytest.param(Image.new("RGBA", (3, 2), (200, 10, 0, 255)), (200, 10, 0), id="opaque keeps its colour"),
        pytest.param(Image.new("LA", (3, 2), (40, 255)), (40, 40, 40), id="grey with alpha"),
        pytest.param(Image.new("RGB", (3, 2), (9, 8, 7)).quantize(2), (9, 8, 7), id="palette"),
    ],
)
def test_every_pixel_format_becomes_rgb_by_its_rule(stored, expected):
    pixels = decode_picture(saved(stored))
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8
    assert pixels.reshape(-1, 3).tolist() == [list(expected)] * 6


def test_cmyk_becomes_rgb():
    pixels = decode_picture(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert pixels[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_pixels_and_to_the_size(kind, orientation):
    gradient = np.zeros((16, 32, 3), np.uint8)
    gradient[:8, :16] = 255  # one white corner tells all eight orientations apart, together with a grey one
    gradient[8:, :16] = 128
    corners = {  # orientation -> where the white and the grey quarter end up, and whether the sides swap
        1: ((0, 0), (1, 0), False),
        2: ((0, 1), (1, 1), False),
        3: ((1, 1), (0, 1), False),
        4: ((1, 0), (0, 0), False),
        5: ((0, 0), (0, 1), True),
        6: ((0, 1), (0, 0), True),
        7: ((1, 1), (1, 0), True),
        8: ((1, 0), (1, 1), True),
    }
    white, grey, swapped = corners[orientation]
    data = with_orientation(Image.fromarray(gradient), kind, orientation)
    pixels = decode_picture(data)
    assert pixels.shape == ((32, 16, 3) if swapped else (16, 32, 3))
    assert picture_size(data) == (pixels.shape[1], pixels.shape[0])
    assert read_header(data).rotated == (orientation != 1)
    height, width = pixels.shape[:2]

    def quarter(place):
        return int(pixels[height // 4 + place[0] * height // 2, width // 4 + place[1] * width // 2].mean())

    assert quarter(white) > 240
    assert 118 < quarter(grey) < 138


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(DataRefused, match="50000 x 50000"):
        decode_picture(claiming(50_000, 50_000, struct.pack(">I", 4) + b"IDAT" + bytes(8)))


def test_the_limit_in_pixels_is_an_argument():
    data = saved(Image.fromarray(noise(10, 10, 3)))
    assert decode_picture(data, max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(DataRefused, match="allowed are 1 to 99 pixels"):
        decode_picture(data, max_pixels=99)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_and_never_padded(kind, kept):
    data = saved(Image.fromarray(noise(64, 64, 3)), kind)
    with pytest.raises(DataRefused):
        decode_picture(data[: int(len(data) * kept)])


def test_a_flipped_bit_in_a_png_is_found():
    data = bytearray(saved(Image.fromarray(noise(16, 16, 3))))
    data[len(data) // 2] ^= 1
    with pytest.raises(DataRefused, match="truncated or damaged"):
        decode_picture(bytes(data))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_refused_whatever_they_are(junk):
    for data in (junk, b"\x89PNG\r\n\x1a\n" + junk, b"\xff\xd8\xff" + junk, b"II*\x00" + junk, claiming(4, 4, junk)):
        with pytest.raises(DataRefused):
            decode_picture(data)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_a_pixel_format_without_a_rule_is_refused_by_name(mode):
    with pytest.raises(DataRefused, match=f"'{mode}'"):
        decode_picture(saved(Image.new(mode, (2, 2)), "TIFF"))


def test_other_formats_are_refused():
    with pytest.raises(DataRefused, match="not a PNG, JPEG or TIFF"):
        decode_picture(saved(Image.new("RGB", (2, 2)), "GIF"))


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.sampled_from([*range(16), 255])))
def test_a_mask_survives_encoding(mask):
    data = encode_mask(mask)
    assert np.array_equal(decode_mask(data), mask)
    assert data == encode_mask(mask.copy())


def test_wrong_values_are_listed_with_their_counts():
    mask = np.zeros((4, 4), np.uint8)
    mask[0] = 16
    mask[1, :2] = 254
    with pytest.raises(LabelsRefused, match=r"16 \(4 px\), 254 \(2 px\)"):
        decode_mask(encode_mask(mask))


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(Image.new("RGB", (4, 4)), id="RGB"),
        pytest.param(Image.new("RGBA", (4, 4)), id="RGBA"),
        pytest.param(Image.new("LA", (4, 4)), id="alpha"),
        pytest.param(Image.new("1", (4, 4)), id="one bit"),
        pytest.param(Image.fromarray(np.zeros((4, 4), np.uint16)), id="16 bits"),
    ],
)
def test_a_mask_of_another_pixel_format_is_refused_not_converted(stored):
    with pytest.raises(LabelsRefused, match="pixel format"):
        decode_mask(saved(stored))


def test_a_mask_of_four_bits_is_refused_because_its_values_would_be_stretched():
    rows = zlib.compress(b"\x00\x0f\xff" * 4)  # filter byte, then pixels 0, 15, 15, 15
    with pytest.raises(LabelsRefused, match="4 bits"):
        decode_mask(raw_png(4, 4, 4, 0, rows))


def test_a_mask_saved_with_loss_is_refused():
    with pytest.raises(LabelsRefused, match="JPEG"):
        decode_mask(saved(Image.new("L", (4, 4)), "JPEG"))


def test_a_palette_mask_is_taken_only_if_its_colours_are_the_taxonomys():
    mask = np.array([[0, 3], [15, 255]], np.uint8)
    image = Image.fromarray(mask, "P")
    image.putpalette(palette().tobytes())
    assert np.array_equal(decode_mask(saved(image)), mask)
    image.putpalette(np.roll(palette(), 1, axis=0).tobytes())
    with pytest.raises(LabelsRefused, match="palette gives index 0"):
        decode_mask(saved(image))


def test_a_truncated_mask_is_a_broken_file_not_a_wrong_annotation():
    data = encode_mask(np.zeros((64, 64), np.uint8))
    with pytest.raises(DataRefused) as caught:
        decode_mask(data[:-20])
    assert not isinstance(caught.value, LabelsRefused)


def test_values_are_counted_beyond_one_block():
    mask = np.full((1100, 1000), 3, np.uint8)
    mask[-1] = 255
    counts = count_values(mask)
    assert (counts[3], counts[255], counts.sum()) == (1_099_000, 1000, 1_100_000)


def colored(mode: str) -> Image.Image:
    return Image.fromarray(noise(70, 50, 4)[..., : {"RGB": 3, "RGBA": 4}[mode]], mode)


@pytest.mark.parametrize("orientation", [1, 6])
def test_strips_are_the_picture_from_top_to_bottom(monkeypatch, orientation):
    monkeypatch.setattr(pictures, "_STRIP_PIXELS", 300)
    data = with_orientation(colored("RGB"), "PNG", orientation)
    tops, strips = zip(*picture_strips(data), strict=True)
    assert len(strips) > 5
    assert tops == tuple(np.cumsum([0, *(len(strip) for strip in strips)])[:-1].tolist())
    assert np.array_equal(np.concatenate(strips), decode_picture(data))


@given(width=st.integers(1, 90), height=st.integers(1, 90), side=st.integers(1, 40), strip=st.integers(1, 3000))
def test_an_overview_holds_the_means_of_square_blocks(width, height, side, strip):
    pixels = noise(height, width, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_STRIP_PIXELS", strip)
        small = decode_overview(saved(Image.fromarray(pixels)), side)
    factor = max(1, max(width, height) // side)
    assert small.shape == (-(-height // factor), -(-width // factor), 3)
    assert max(small.shape[:2]) >= min(side, max(width, height))
    expected = pixels[:factor, :factor].astype(float).mean((0, 1))
    assert np.abs(small[0, 0] - expected).max() <= 1


def test_sixteen_bits_of_rgb_keep_their_high_byte_and_the_header_says_so():
    rows = zlib.compress(b"\x00" + struct.pack(">HHH", 0x12FF, 0x3400, 0xFFFF) * 2)
    data = raw_png(2, 1, 16, 2, rows)
    assert decode_picture(data)[0, 0].tolist() == [0x12, 0x34, 0xFF]
    assert (read_header(data).mode, read_header(data).bits) == ("RGB", 16)


def test_a_transparent_grey_of_sixteen_bits_becomes_white():
    rows = zlib.compress(b"\x00" + struct.pack(">HH", 500, 501))
    data = raw_png(2, 1, 16, 0, rows, (b"tRNS", struct.pack(">H", 500)))
    assert decode_picture(data)[0].tolist() == [[255] * 3, [2] * 3]


@pytest.mark.parametrize(("bits", "kind", "key"), [(16, 2, struct.pack(">HHH", 1, 2, 3)), (2, 0, struct.pack(">H", 1))])
def test_a_transparent_colour_that_pillow_would_miss_is_refused(bits, kind, key):
    rows = zlib.compress(bytes(1 + 6))
    with pytest.raises(DataRefused, match="transparency"):
        decode_picture(raw_png(1, 1, bits, kind, rows, (b"tRNS", key)))


def test_text_that_calls_itself_transparency_is_refused_without_a_traceback():
    rows = zlib.compress(bytes(1 + 3))
    with pytest.raises(DataRefused, match="cannot be turned into RGB"):
        decode_picture(raw_png(1, 1, 8, 2, rows, (b"tEXt", b"transparency\0yes")))


def test_sixteen_bits_whose_zero_is_white_are_refused_because_pillow_would_show_a_negative():
    data = saved(Image.fromarray(np.full((2, 3), 1000, np.uint16)), "TIFF", tiffinfo={262: 0})
    with pytest.raises(DataRefused, match="zero is white"):
        decode_picture(data)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_of_grey_are_read_from_tiff_in_both_byte_orders(compression, order):
    values = np.arange(0, 65536, 65536 // 60, dtype=np.uint16)[:60].reshape(6, 10)
    image = Image.frombytes("I;16" if order == "<" else "I;16B", (10, 6), values.astype(f"{order}u2").tobytes())
    pixels = decode_picture(saved(image, "TIFF", compression=compression))
    assert np.abs(pixels[..., 0] - values * (255 / 65535)).max() <= 0.5


def test_a_mask_may_be_turned_like_its_picture():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(decode_mask(with_orientation(Image.fromarray(mask), "PNG", 6)), np.rot90(mask, -1))


BOMB = """
import resource, sys, time
from patina.core.errors import DataRefused
from patina.core.pictures import decode_mask, decode_overview, decode_picture, read_header
data = sys.stdin.buffer.read()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), used + (32 << 20)))
for read in (read_header, decode_picture, decode_mask, lambda data: decode_overview(data, 512)):
    try:
        read(data)
    except DataRefused as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's size from /proc")
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_a_bomb_is_refused_before_anything_is_allocated(kind):
    # 32 MB are all that the process may take: a fifth of one line of strips of 50,000 x 50,000 pixels would pass that.
    side = 50_000
    small = Image.new("RGB", (8, 8))
    match kind:
        case "PNG":
            data = claiming(side, side, struct.pack(">I", 4) + b"IDAT" + bytes(8))
        case "TIFF":
            data = saved(small, "TIFF").replace(struct.pack("<HHII", 256, 4, 1, 8), struct.pack("<HHII", 256, 4, 1, side))
            data = data.replace(struct.pack("<HHII", 257, 4, 1, 8), struct.pack("<HHII", 257, 4, 1, side))
        case _:
            data = saved(small, "JPEG").replace(struct.pack(">BHH", 8, 8, 8), struct.pack(">BHH", 8, side, side))
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", BOMB], input=data, env=variables, check=True, capture_output=True)
    assert done.stdout.decode().count("the header says 50000 x 50000 px, allowed are 1 to 300,000,000 pixels") == 4


def test_pillows_limits_are_neither_changed_nor_heeded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000_000)  # as if a picture of 133 Mpx stood above the limit; strips stay below
    before = {name: getattr(module, name) for module, name in LIMITS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_picture(saved(Image.new("RGB", (4000, 3000)))).shape == (3000, 4000, 3)
    assert {name: getattr(module, name) for module, name in LIMITS} == before
