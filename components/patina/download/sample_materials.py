"""Materials of the sample: how a motif becomes a print, a photograph, a fresco, a mosaic or a cloth.

Every rendering takes (rng, content, shape) and returns a `Painting`: float32 RGB in 0..1 and a mask that is 0, or 255 where
the support that the object lies on shows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from patina.core.taxonomy import IGNORE
from patina.damage.fields import Field, Mask, Picture, blend, cells, noise, polygon, ramp, ring, slope, softened
from patina.download import sample_motifs as motifs
from patina.download.sample_motifs import Drawing, draw_palette
from patina.download.sample_pages import manuscript


@dataclass(frozen=True, eq=False)
class Painting:
    """An undamaged object.

    Attributes:
        picture: float32 RGB [H, W, 3] in 0..1.
        mask: uint8 [H, W]: 0, or 255 where the surround shows.
        type: what kind of object it is.
        description: motif and technique in a few words.
        grey: True for an object without colour that may be stored as greyscale.
    """

    picture: Picture
    mask: Mask
    type: str
    description: str
    grey: bool = False


_SCENES: dict[str, motifs.Motif] = {
    "a landscape with trees": motifs.landscape,
    "a half-length portrait": motifs.portrait,
    "robed figures": motifs.figures,
    "buildings along a street": motifs.buildings,
    "flowers and leaves": motifs.plants,
}


def _scene(rng: np.random.Generator, shape: tuple[int, int], names: ArrayLike, chroma: float = 1.0) -> tuple[str, Picture]:
    """A motif drawn from the keys whose first letters are given, in 0..1."""
    among = [name for name in _SCENES if any(part in name for part in np.atleast_1d(names).tolist())]
    name = among[int(rng.integers(len(among)))]
    drawing = _SCENES[name](rng, shape, draw_palette(rng, chroma))
    if rng.random() < 0.5:
        drawing = np.ascontiguousarray(drawing[:, ::-1])
    return name, _float(drawing)


def _float(drawing: Drawing) -> Picture:
    return drawing.astype(np.float32) / np.float32(255)


def _luminance(picture: Picture) -> Field:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _paper(rng: np.random.Generator, shape: tuple[int, int], rough: float = 0.015) -> Picture:
    tone = np.array((0.93, 0.88, 0.77)) * rng.uniform(0.72, 1.04) * (1, rng.uniform(0.96, 1.03), rng.uniform(0.85, 1.15))
    sheet = rough * noise(rng, shape, 3, 2) + 1.6 * rough * noise(rng, shape, 150, 3)
    return np.clip(tone.astype(np.float32) + sheet[..., None], 0, 1)


def _brushed(rng: np.random.Generator, picture: Picture, size: float, reach: float) -> Picture:
    """The picture as if laid on with a brush of `size` pixels: colours dragged by up to `reach`, ridges of paint."""
    height, width = picture.shape[:2]
    drag = noise(rng, (height, width), (size, size * 2.5), 2)
    x = np.arange(width, dtype=np.float32)[None] + np.float32(reach) * drag
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(reach * 0.8) * np.roll(drag, 37, axis=1)
    dragged = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return dragged * (1 + np.float32(0.045) * drag[..., None])


def _engraved(rng: np.random.Generator, tone: Field, period: float) -> Field:
    """Ink coverage 0..1 of an engraving: swelling parallel lines, crossed by a second set in the shadows, and outlines."""
    height, width = tone.shape
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    bend = 1.2 * noise(rng, tone.shape, 90, 2)
    angle, ink = rng.uniform(0, np.pi), np.zeros(tone.shape, np.float32)
    for turn, darkest in ((0.0, 0.95), (rng.uniform(0.6, 1.2), 0.5)):
        phase = (x * np.float32(np.cos(angle + turn)) + y * np.float32(np.sin(angle + turn))) * np.float32(2 * np.pi / period) + bend
        ink = np.maximum(ink, ramp(0.5 + 0.5 * np.cos(phase) - tone / np.float32(darkest), -0.12, 0.12))
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(tone, (0, 0), 0.9), cv2.CV_32F))
    return np.maximum(ink, ramp(edges, 0.05, 0.12))


def _surround(rng: np.random.Generator, picture: Picture, mask: Mask, margin: float) -> None:
    """Shows the table or backing along the picture's border, about `margin` of the shorter side wide, in place."""
    height, width = mask.shape
    inset = rng.uniform(0.3, 1.4, (4, 2)) * margin * min(height, width)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) + inset * [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    sheet = np.zeros(mask.shape, np.uint8)
    polygon(sheet, corners)
    outside = 1 - sheet.astype(np.float32) / 255
    backing = rng.choice((0.04, 0.12, 0.5, 0.88)) + rng.normal(0, 0.02, 3) + 0.012 * noise(rng, mask.shape, 3, 1)[..., None]
    blend(picture, np.clip(backing, 0, 1), outside)
    picture *= 1 - 0.25 * (cv2.GaussianBlur(outside, (0, 0), 3) * (1 - outside))[..., None]
    mask[sheet < 128] = IGNORE


def _toned(rng: np.random.Generator, tone: Field) -> tuple[Picture, bool]:
    """A photograph's tones as sepia, cyanotype, albumen or plain grey; True if it has no colour."""
    tints = ((1.0, 1.0, 1.0), (1.06, 0.94, 0.74), (1.03, 0.97, 0.86), (0.82, 0.95, 1.12), (1.06, 0.93, 0.86))
    which = int(rng.choice(5, p=(0.3, 0.3, 0.2, 0.08, 0.12)))
    low, high = rng.uniform(0.03, 0.16), rng.uniform(0.8, 0.97)
    tone = low + (high - low) * np.clip(tone, 0, 1) ** np.float32(rng.uniform(0.7, 1.35))
    return np.clip(tone[..., None] * np.array(tints[which], np.float32), 0, 1), which == 0


def _photograph(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[str, Field]:
    """A scene's luminance through a soft lens with its own grain."""
    name, scene = _scene(rng, shape, ["portrait", "landscape", "buildings", "portrait"], 1.2)
    tone = cv2.GaussianBlur(_luminance(scene), (0, 0), rng.uniform(0.8, 2.2))
    tone += rng.uniform(0.01, 0.03) * noise(rng, shape, rng.uniform(1.5, 3), 1) + 0.05 * noise(rng, shape, 200, 2)
    return name, np.clip(tone, 0, 1)


def _paper_object(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    height, width = shape
    sheet, mask = _paper(rng, shape), np.zeros(shape, np.uint8)
    grey = False
    match content:
        case "Photographic depiction":
            name, tone = _photograph(rng, shape)
            picture, grey = _toned(rng, tone)
            kind, text = "Photo", f"Photographic print of {name}"
            if rng.random() < 0.6:
                border = np.ones(shape, np.float32)
                edge = int(rng.uniform(0.02, 0.07) * min(shape))
                border[edge:-edge, edge:-edge] = 0
                blend(picture, sheet.mean(axis=2, keepdims=True).repeat(3, 2) if grey else sheet, border)
        case "Geometric patterns":
            pattern = _float(motifs.ornament(rng, shape, draw_palette(rng, 0.9)))
            picture = _brushed(rng, pattern, 5, 0.7) * (0.85 + 0.15 * sheet)
            kind, text = "Wallpaper", "Printed wallpaper with a repeating pattern"
        case "Line art":
            name, scene = _scene(rng, shape, ["landscape", "buildings", "plants", "flowers", "figures"], 0.7)
            ink = _engraved(rng, np.clip(_luminance(scene) * 0.75 + 0.3, 0, 1), rng.uniform(4.5, 8))
            picture = sheet
            blend(picture, np.array((0.13, 0.1, 0.08)) * rng.uniform(0.5, 2.5), ink * np.float32(rng.uniform(0.7, 0.95)))
            kind, text = str(rng.choice(("Drawing", "Engraving"))), f"Line drawing of {name}"
        case _:
            name, scene = _scene(rng, shape, ["landscape", "robed", "flowers", "buildings", "portrait"])
            technique = int(rng.integers(3))
            if technique == 0:
                wash = cv2.GaussianBlur(_brushed(rng, scene, 14, 3.5), (0, 0), 1.0)
                strength = rng.uniform(0.65, 0.95) + 0.08 * noise(rng, shape, 25, 3)[..., None]
                picture = np.clip(sheet * (1 - strength * (1 - wash)), 0, 1)
                kind, text = "Drawing", f"Watercolour of {name}"
            elif technique == 1:
                ink = _engraved(rng, np.clip(_luminance(scene) * 1.1, 0, 1), rng.uniform(3.6, 6))
                tint = cv2.GaussianBlur(scene, (0, 0), 2) * 0.5 + 0.5 if rng.random() < 0.5 else np.ones_like(scene)
                picture = np.clip(sheet * tint, 0, 1)
                blend(picture, (0.12, 0.1, 0.09), 0.85 * ink)
                kind, text = "Engraving", f"Engraving of {name}"
            else:
                levels = np.float32(rng.integers(4, 8))
                picture = np.round(scene * levels) / levels * (0.8 + 0.2 * sheet)
                kind, text = "Poster", f"Colour print of {name}"
            margin = int(rng.uniform(0, 0.08) * min(height, width))
            if margin > 3:
                border = np.ones(shape, np.float32)
                border[margin:-margin, margin:-margin] = 0
                blend(picture, _paper(rng, shape), border)
    if rng.random() < 0.2:
        _surround(rng, picture, mask, 0.03)
    return Painting(picture, mask, kind, text, grey and rng.random() < 0.6)


def _parchment(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    sheet, mask = _paper(rng, shape, 0.02), np.zeros(shape, np.uint8)
    scene: Picture | None = None
    name = "text lines"
    if content == "Artistic depiction":
        name, scene = _scene(rng, shape, ["robed", "robed", "landscape", "portrait", "flowers"], 1.3)
    picture = manuscript(rng, sheet, scene)
    if rng.random() < 0.25:
        _surround(rng, picture, mask, 0.03)
    kind = "Manuscript page" if scene is None else "Manuscript miniature"
    return Painting(picture, mask, kind, f"Parchment leaf with {name}" + ("" if scene is None else " above written lines"))


def _glass(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    mask = np.zeros(shape, np.uint8)
    if content == "Artistic depiction":
        name, scene = _scene(rng, shape, ["robed", "flowers", "portrait"], 1.9)
        labels = cells(rng, shape, float(np.clip(min(shape) / rng.uniform(9, 15), 24, 90)), 0.05)
        tones = rng.uniform(0.65, 1.25, (int(labels.max()) + 1, 1)).astype(np.float32) + rng.normal(0, 0.06, 3).astype(np.float32)
        lead = _borders(labels, max(3, round(min(shape) / 130)))
        picture = np.clip(scene * tones[labels] + 0.03 * noise(rng, shape, 30, 3)[..., None], 0, 1)
        blend(picture, (0.07, 0.07, 0.08), softened(lead, 0.7))
        return Painting(picture, mask, "Stained glass", f"Leaded window with {name}")
    name, tone = _photograph(rng, shape)
    negative = rng.random() < 0.7
    picture, grey = _toned(rng, 1 - tone if negative else tone)
    if rng.random() < 0.6:
        frame = np.ones(shape, np.float32)
        edge = int(rng.uniform(0.02, 0.06) * min(shape))
        frame[edge:-edge, edge:-edge] = 0
        blend(picture, np.full(3, rng.choice((0.05, 0.93))), cv2.GaussianBlur(frame, (0, 0), 1.2))
    if rng.random() < 0.12:
        _surround(rng, picture, mask, 0.03)
    return Painting(
        picture, mask, "Glass negative" if negative else "Lantern slide", f"Glass plate with {name}", grey and rng.random() < 0.5
    )


def _film(rng: np.random.Generator, _content: str, shape: tuple[int, int]) -> Painting:
    name, scene = _scene(rng, shape, ["portrait", "landscape", "buildings"], 1.3)
    soft = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.8, 1.8))
    grey = rng.random() < 0.3
    picture = _toned(rng, _luminance(soft))[0] if grey else soft * rng.uniform(0.75, 1.05, 3).astype(np.float32)
    picture += 0.03 * noise(rng, shape, 2.0, 1)[..., None]
    mask = np.zeros(shape, np.uint8)
    if rng.random() < 0.5:
        height, width = shape
        edge = round(rng.uniform(0.03, 0.07) * width)
        for left in (0, width - edge):
            picture[:, left : left + edge] = rng.uniform(0.02, 0.09)
            for top in np.arange(rng.uniform(0, edge), height, edge * 1.7):
                side = edge * 0.32
                hole = np.array([(-1, -1.3), (1, -1.3), (1, 1.3), (-1, 1.3)]) * side + (left + edge / 2, top)
                cover = np.zeros(shape, np.uint8)
                polygon(cover, hole)
                blend(picture, (0.93, 0.93, 0.9), cover.astype(np.float32) / 255)
                mask[cover >= 128] = IGNORE
    return Painting(np.clip(picture, 0, 1), mask, "Film still", f"Film frame with {name}", grey and rng.random() < 0.4)


def _canvas(rng: np.random.Generator, _content: str, shape: tuple[int, int]) -> Painting:
    name, scene = _scene(rng, shape, ["landscape", "portrait", "flowers", "buildings"])
    picture = _brushed(rng, scene, rng.uniform(5, 10), rng.uniform(1.0, 2.4))
    x, y = np.arange(shape[1], dtype=np.float32)[None], np.arange(shape[0], dtype=np.float32)[:, None]
    thread = np.float32(2 * np.pi / rng.uniform(2.6, 4.2))
    picture *= (1 + np.float32(rng.uniform(0.02, 0.05)) * np.sin(x * thread) * np.sin(y * thread))[..., None]
    picture *= np.array((1.0, 0.96, rng.uniform(0.72, 0.98)), np.float32)
    return Painting(np.clip(picture, 0, 1), np.zeros(shape, np.uint8), "Painting", f"Painting on canvas of {name}")


def _plaster(rng: np.random.Generator, _content: str, shape: tuple[int, int]) -> Painting:
    name, scene = _scene(rng, shape, ["robed", "robed", "landscape", "flowers"], 0.85)
    lime = np.array((0.9, 0.86, 0.78), np.float32)
    faded = rng.uniform(0.18, 0.4) + 0.07 * noise(rng, shape, 45, 4)
    picture = scene + np.clip(faded, 0, 0.7)[..., None] * (lime - scene)
    trowel = noise(rng, shape, 9, 3)
    picture += (0.05 * slope(cv2.GaussianBlur(trowel, (0, 0), 1.0), rng.uniform(0, 6)) * 3 + 0.015 * noise(rng, shape, 1.6, 1))[..., None]
    return Painting(np.clip(picture, 0, 1), np.zeros(shape, np.uint8), "Fresco", f"Fresco with {name}")


def _wood(rng: np.random.Generator, _content: str, shape: tuple[int, int]) -> Painting:
    name, scene = _scene(rng, shape, ["robed", "portrait"], 1.1)
    picture = _brushed(rng, scene, 7, 0.8)
    fibre = noise(rng, shape, (90, 3.0), 2) + 0.6 * noise(rng, shape, (200, 14), 2)
    picture *= (1 + np.float32(0.035) * fibre)[..., None]
    if rng.random() < 0.6:
        edge = int(rng.uniform(0.03, 0.08) * min(shape))
        frame = np.ones(shape, np.float32)
        frame[edge:-edge, edge:-edge] = 0
        tone = np.array((0.5, 0.34, 0.18)) * rng.uniform(0.5, 1.5) * (1 + 0.12 * fibre[..., None])
        blend(picture, np.clip(tone, 0, 1), frame)
    return Painting(np.clip(picture, 0, 1), np.zeros(shape, np.uint8), "Icon", f"Panel painting on wood with {name}")


def _borders(labels: np.ndarray, width: int) -> np.ndarray:
    """Where labelled cells meet, `width` pixels wide (bool)."""
    edge = np.zeros(labels.shape, np.uint8)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    return cv2.dilate(edge, np.ones((width, width), np.uint8)).view(np.bool_)


def _tesserae(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    if content == "Geometric patterns":
        name, scene = "an interlaced pattern", _float(motifs.ornament(rng, shape, draw_palette(rng, 0.8)))
    else:
        name, scene = _scene(rng, shape, ["robed", "robed", "portrait", "flowers"], 1.0)
    height, width = shape
    size = float(np.clip(np.sqrt(height * width) / rng.uniform(50, 80), 6, 16))
    bend = size * 1.5
    x = np.arange(width, dtype=np.float32)[None] + bend * noise(rng, shape, size * 11, 2)
    y = np.arange(height, dtype=np.float32)[:, None] + bend * noise(rng, shape, size * 11, 2)
    y += np.float32(0.5 * size) * np.floor(x / size % 2)
    column, row = np.floor(x / size), np.floor(y / size)
    at_x = np.clip((column + 0.5) * size - (x - np.arange(width, dtype=np.float32)[None]), 0, width - 1)
    at_y = np.clip((row + 0.5) * size - (y - np.arange(height, dtype=np.float32)[:, None]), 0, height - 1)
    picture = cv2.remap(scene, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_NEAREST)
    jitter = rng.normal(0, 0.07, (97, 89)).astype(np.float32)
    picture *= 1 + jitter[(row.astype(int) % 97), (column.astype(int) % 89)][..., None]
    off = np.maximum(np.abs(x / size - column - 0.5), np.abs(y / size - row - 0.5))
    off += np.float32(0.03) * noise(rng, shape, 4, 1)
    picture *= (1.06 - 0.25 * ramp(off, 0.25, 0.45))[..., None]
    blend(picture, np.array((0.6, 0.56, 0.5)) * rng.uniform(0.35, 1.25), 0.9 * ramp(off, 0.41, 0.47))
    return Painting(np.clip(picture, 0, 1), np.zeros(shape, np.uint8), "Mosaic", f"Mosaic of {name}")


def _textile(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    name, scene = "a woven pattern", None
    if content == "Artistic depiction":
        name, scene = _scene(rng, shape, ["robed", "flowers", "landscape"], 1.2)
    height, width = shape
    stitch = int(rng.integers(2, 5))
    cloth = scene if scene is not None else _float(motifs.ornament(rng, shape, draw_palette(rng, 1.2)))
    coarse = cv2.resize(cloth, (width // stitch, height // stitch), interpolation=cv2.INTER_AREA)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    over = np.cos(np.float32(2 * np.pi / stitch) * x) * np.float32(0.5) + np.cos(np.float32(np.pi / stitch) * (x + 2 * y)) * np.float32(0.6)
    picture *= (1 + 0.09 * over + 0.05 * noise(rng, shape, (2.0, 30), 1) + 0.05 * noise(rng, shape, 120, 2))[..., None]
    return Painting(np.clip(picture, 0, 1), np.zeros(shape, np.uint8), "Textile", f"Woven cloth with {name}")


def _ceramic(rng: np.random.Generator, content: str, shape: tuple[int, int]) -> Painting:
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    name, glaze = "a painted pattern", _float(motifs.ornament(rng, shape, draw_palette(rng, 1.3)))
    if content == "Artistic depiction":
        name, glaze = _scene(rng, shape, ["flowers", "robed"], 1.3)
    if rng.random() < 0.5:
        return Painting(_glazed(rng, glaze), mask, "Tile", f"Glazed tile with {name}")
    center, radius = (width / 2, height / 2), (width * 0.49, height * 0.49)
    x, y = np.arange(width, dtype=np.float32)[None] / width - 0.5, np.arange(height, dtype=np.float32)[:, None] / height - 0.5
    away = np.sqrt(x * x + y * y) * 2
    spokes = float(rng.integers(6, 13))
    turned = np.abs(np.arctan2(y, x) * np.float32(spokes / np.pi) % 2 - 1)
    folded = cv2.remap(glaze, (turned * width * 0.3).astype(np.float32), (away * height * 0.45).astype(np.float32), cv2.INTER_LINEAR)
    picture = _glazed(rng, folded)
    picture *= (0.92 + 0.16 * np.cos(9 * away) * ramp(away, 0.4, 0.7))[..., None]
    plate = np.zeros(shape, np.uint8)
    polygon(plate, ring(center, radius, 0, 0.004 * np.cos(np.arange(120)), 120))
    backing = np.full(3, rng.choice((0.06, 0.45, 0.9))) + 0.01 * noise(rng, shape, 40, 2)[..., None]
    blend(picture, np.clip(backing, 0, 1), 1 - plate.astype(np.float32) / 255)
    mask[plate < 128] = IGNORE
    return Painting(np.clip(picture, 0, 1), mask, "Plate", f"Ceramic plate with {name}")


def _glazed(rng: np.random.Generator, glaze: Picture) -> Picture:
    """Fired colours that ran a little, with a soft reflection."""
    shape = glaze.shape[0], glaze.shape[1]
    ran = cv2.GaussianBlur(_brushed(rng, glaze, 6, 0.9), (0, 0), 0.8)
    shine = ramp(noise(rng, shape, max(shape) * 0.3, 2), 1.1, 2.2) * np.float32(rng.uniform(0.1, 0.4))
    return np.clip(ran * 0.95 + 0.03 + shine[..., None], 0, 1)


_RENDERINGS: dict[str, Callable[[np.random.Generator, str, tuple[int, int]], Painting]] = {
    "Paper": _paper_object,
    "Parchment": _parchment,
    "Glass": _glass,
    "Film emulsion": _film,
    "Canvas": _canvas,
    "Lime plaster": _plaster,
    "Wood": _wood,
    "Tesserae": _tesserae,
    "Textile": _textile,
    "Ceramic": _ceramic,
}


def paint(rng: np.random.Generator, material: str, content: str, shape: tuple[int, int]) -> Painting:
    """An undamaged object of `material` and `content` (see `patina.core.taxonomy`), `shape` = (height, width) pixels."""
    return _RENDERINGS[material](rng, content, shape)
