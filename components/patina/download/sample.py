"""A procedural sample in the shape of ARTeFACT: heritage-like pictures with damage drawn into picture and mask together.

It stands in for the 4 GB of real data in tests, tutorials and quick runs. Every picture has its own motif, palette, light,
sharpness, noise and look of damage; colours that mean damage in one picture belong to the motif in another. The pictures
depend on (index, count, seed) only, so any number of processes makes the same sample.
"""

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from patina.core.errors import UsageError
from patina.core.taxonomy import CLASS_NAMES, palette
from patina.damage.fields import Picture
from patina.damage.kinds import draw_all
from patina.damage.look import draw_look
from patina.download.sample_capture import capture
from patina.download.sample_materials import paint
from patina.download.sample_plan import plan_sample

_AHEAD = 2
"""Pictures per worker that may wait for their turn: bounds the memory of `generate_sample`."""


@dataclass(frozen=True)
class SamplePicture:
    """One row of the sample, in the columns of ARTeFACT.

    Attributes:
        id: 25 characters, "sample" and a hash of seed and index.
        image: JPEG or PNG bytes, RGB or (some photographs) greyscale.
        annotation: PNG bytes, single-channel class ids 0..15 and 255 for Background.
        annotation_rgb: PNG bytes, the same mask in the taxonomy's colours.
        material: one of `MATERIALS`.
        content: one of `CONTENTS`.
        type: what kind of object it is, for instance "Fresco".
        width: pixels.
        height: pixels.
        description: one sentence about motif and damage.
    """

    id: str
    image: bytes
    annotation: bytes
    annotation_rgb: bytes
    material: str
    content: str
    type: str
    width: int
    height: int
    description: str


def picture_id(index: int, seed: int) -> str:
    """The id of picture `index` of the sample `seed`: 25 characters, in the style of the data set's."""
    return "sample" + hashlib.sha256(f"patina sample {seed} {index}".encode()).hexdigest()[:19]


def _encoded(extension: str, pixels: NDArray[np.uint8], options: tuple[int, ...] = ()) -> bytes:
    """`pixels` (RGB or single-channel) as a file's bytes."""
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, data = cv2.imencode(extension, stored, options)
    return data.tobytes()


def _image_bytes(rng: np.random.Generator, picture: Picture, grey: bool) -> bytes:
    pixels = np.round(picture * 255).astype(np.uint8)
    if grey:
        return _encoded(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (cv2.IMWRITE_PNG_COMPRESSION, 3))
    if rng.random() < 0.06:
        return _encoded(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 3))
    return _encoded(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(93, 97))))


def _described(motif: str, kinds: list[int]) -> str:
    names = [CLASS_NAMES[kind].lower() for kind in kinds]
    if not names:
        return f"{motif}, without visible damage."
    return f"{motif}, with {', '.join(names[:-1]) + ' and ' if len(names) > 1 else ''}{names[-1]}."


def generate_picture(index: int, count: int, seed: int) -> SamplePicture:
    """Picture `index` of a sample of `count` pictures.

    Args:
        index: 0..count-1.
        count: size of the sample; it decides which materials and damages the picture gets.
        seed: not negative.

    Raises:
        UsageError: `index` or `seed` out of range.
    """
    if not 0 <= index < count or seed < 0:
        raise UsageError(f"sample picture {index} of {count} with seed {seed}: expected 0 <= index < count and seed >= 0")
    plan = plan_sample(count, seed)[index]
    rng = np.random.default_rng((seed, 1, index))
    painting = paint(rng, plan.material, plan.content, (plan.height, plan.width))
    mask = painting.mask
    picture = painting.picture
    draw_all(rng, picture, mask, draw_look(rng, picture), plan.damage)
    picture = capture(rng, picture)
    colors = palette()
    return SamplePicture(
        id=picture_id(index, seed),
        image=_image_bytes(rng, picture, painting.grey and 15 not in plan.damage),
        annotation=_encoded(".png", mask),
        annotation_rgb=_encoded(".png", colors[mask]),
        material=plan.material,
        content=plan.content,
        type=painting.type,
        width=plan.width,
        height=plan.height,
        description=_described(painting.description, sorted(set(np.unique(mask).tolist()) & set(plan.damage))),
    )


def _one_thread() -> None:
    cv2.setNumThreads(1)


def generate_sample(count: int, seed: int, workers: int) -> Iterator[SamplePicture]:
    """All pictures of a sample, in order.

    Args:
        count: number of pictures.
        seed: not negative; the same seed and count make the same bytes, whatever `workers` is.
        workers: processes; 1 or less works in this one. At most a few pictures per process are held at a time.
    """
    if workers <= 1 or count <= 1:
        for index in range(count):
            yield generate_picture(index, count, seed)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, count), mp_context=spawn, initializer=_one_thread) as pool:
        indices = iter(range(count))
        waiting: deque[Future[SamplePicture]] = deque(
            pool.submit(generate_picture, index, count, seed) for index in islice(indices, _AHEAD * workers)
        )
        while waiting:
            picture = waiting.popleft().result()
            for index in islice(indices, 1):
                waiting.append(pool.submit(generate_picture, index, count, seed))
            yield picture
