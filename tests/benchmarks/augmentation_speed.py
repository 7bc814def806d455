"""Offline augmentation beside albumentations' own loop: the same transforms with the same parameters, in one run.

Prints three tables: how far the pixels of equal transforms lie apart; the time of each transform and of whole chains, ours and
theirs (one process, one thread, in the order ABBA); and our levels with one and two workers (processes, and threads as in the stage).

    uv run --with albumentations==2.0.8 python tests/benchmarks/augmentation_speed.py [--tiles 12] [--rounds 5]

2.0.8 is the last release under the MIT licence. AlbumentationsX (AGPL) has the same import name and is refused.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np

from patina.augment import appearance, shape
from patina.augment.levels import Transform, apply_all, draw, generator
from patina.core.taxonomy import IGNORE
from patina.core.tiles import Level
from patina.download.sample import generate_picture

SIDE = 384
_VERSION = "2.0.8"
LEVELS: tuple[Level, ...] = ("light", "medium", "heavy")
Tiles = list[tuple[np.ndarray, np.ndarray]]


def load_albumentations() -> Any:
    """The module, if it is the release that is compared; its look for updates on the network is off."""
    installed = {name.lower() for name in metadata.packages_distributions().get("albumentations", [])}
    if installed != {"albumentations"} or metadata.version("albumentations") != _VERSION:
        found = sorted(installed) or "nowhere"
        sys.exit(f"`albumentations` comes from {found}: expected albumentations {_VERSION}. See this script's first lines.")
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations


def make_tiles(count: int) -> Tiles:
    """`count` tiles of generated pictures with their masks."""
    tiles: Tiles = []
    for index in range(count):
        made = generate_picture(index, max(count, 8), seed=0)
        image, mask = (
            cv2.imdecode(np.frombuffer(data, np.uint8), flag) for data, flag in ((made.image, cv2.IMREAD_COLOR_RGB), (made.annotation, 0))
        )
        tiles.append((image[:SIDE, :SIDE].copy(), mask[:SIDE, :SIDE].copy()))
    return tiles


def theirs(a: Any, transform: Transform, border: int = cv2.BORDER_REFLECT_101) -> list[Any]:
    """The transforms of albumentations that do what `transform` does, with its parameters; none where it has no such."""
    outside = {"border_mode": border, "fill_mask": IGNORE, "p": 1}
    match transform:
        case {"name": "orient", "turns": turns, "mirror": mirror}:
            element = (("h", "t", "v", "hvt") if mirror else ("e", "r90", "r180", "r270"))[turns]
            fixed = a.D4(p=1)  # it draws one of the eight at random otherwise
            fixed.get_params = lambda: {"group_element": element}
            return [fixed]
        case {"name": "turn", "degrees": degrees, "scale": scale}:
            return [a.Affine(rotate=(degrees,) * 2, scale=(scale,) * 2, **outside)]
        case {"name": "elastic", "cells": cells, "strength": strength}:
            # Their field is white noise divided by its maximum (about 4.5 deviations) and blurred: this gives it our deviation.
            sigma = 0.4 * SIDE / cells
            return [a.ElasticTransform(alpha=strength * SIDE * 2 * sigma * np.sqrt(np.pi) * 4.5, sigma=sigma, **outside)]
        case {"name": "grid", "columns": columns}:
            return [a.GridDistortion(num_steps=len(columns), **outside)]
        case {"name": "optical", "bend": bend}:
            return [a.OpticalDistortion(distort_limit=(bend, bend), **outside)]
        case {"name": "tone", "gain": gain, "offset": offset, "gamma": gamma}:
            brightness = (127.5 * (1 - gain) + offset) / 255
            contrast = a.RandomBrightnessContrast(brightness_limit=(brightness,) * 2, contrast_limit=(gain - 1,) * 2, p=1)
            return [contrast] if gamma == 1 else [contrast, a.RandomGamma(gamma_limit=(100 * gamma,) * 2, p=1)]
        case {"name": "colour", "saturation": saturation, "hue": 0.0, "warmth": 0.0}:
            return [a.ColorJitter(brightness=(1, 1), contrast=(1, 1), saturation=(saturation,) * 2, hue=(0, 0), p=1)]
        case {"name": "blur", "sigma": sigma}:
            return [a.GaussianBlur(sigma_limit=(sigma, sigma), blur_limit=0, p=1)]
        case {"name": "noise", "sigma": sigma, "grain": 1.0}:
            return [a.GaussNoise(std_range=(sigma / 255,) * 2, per_channel=False, p=1)]
        case {"name": "low_resolution", "factor": factor}:
            ways = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
            return [a.Downscale(scale_range=(1 / factor,) * 2, interpolation_pair=ways, p=1)]
        case {"name": "jpeg", "quality": quality}:
            return [a.ImageCompression(quality_range=(quality, quality), p=1)]
        case _:
            return []


def shared(transforms: list[Transform]) -> list[Transform]:
    """Those of `transforms` that albumentations can do too, with the part of `colour` and `noise` that it has."""
    fixed = {"colour": {"hue": 0.0, "warmth": 0.0}, "noise": {"grain": 1.0}}
    absent = {"yellowing", "fading", "foxing", "scratch", "dust", "hair", "uneven_light", "vignette", "scanner_bands"}
    return [transform | fixed.get(transform["name"], {}) for transform in transforms if transform["name"] not in absent]


def their_tile(a: Any, transform: Transform, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What albumentations makes of a tile; it is handed our random field where the two draw theirs in different ways."""
    (made,) = theirs(a, transform)
    (outside,) = theirs(a, transform, cv2.BORDER_CONSTANT)  # for the mask: their reflection would bring labels back in
    parameters = {key: value for key, value in transform.items() if key != "name"}
    match transform["name"]:
        case "elastic" | "grid" | "optical":
            places = {"elastic": shape.elastic_places, "grid": shape.grid_places, "optical": shape.optical_places}
            x, y = places[transform["name"]](mask.shape, **parameters)
            return made.apply(image, map_x=x, map_y=y), outside.apply_to_mask(mask, map_x=x, map_y=y)
        case "noise":
            return made.apply(image, noise_map=appearance.noise_field(mask.shape, **parameters)[..., None].repeat(3, axis=2)), mask
        case "jpeg":
            # It hands RGB to an encoder that expects BGR, which swaps the weights of red and blue.
            return made(image=image[..., ::-1].copy())["image"][..., ::-1], mask
        case _:
            return made(image=image, mask=mask)["image"], outside(image=image, mask=mask)["mask"]


EXAMPLES: tuple[tuple[Transform, str], ...] = (
    *(({"name": "orient", "turns": turns, "mirror": mirror}, "") for mirror in (False, True) for turns in range(4)),
    ({"name": "turn", "degrees": 9.5, "scale": 1.12}, ""),
    ({"name": "turn", "degrees": -12.0, "scale": 0.85}, ""),
    ({"name": "elastic", "seed": 3, "cells": 5, "strength": 0.02}, "same displacement"),
    (
        {"name": "grid", "columns": [0.8, 1.2, 1.0, 0.9, 1.1], "rows": [1.1, 0.9, 1.0, 1.2, 0.8]},
        "same places; theirs repeat a line at each joint",
    ),
    ({"name": "optical", "bend": 0.15}, "same places; theirs lie half a pixel to the right and below"),
    ({"name": "optical", "bend": -0.15}, "likewise"),
    ({"name": "tone", "gain": 1.2, "offset": -20.0, "gamma": 1.0}, "theirs cuts decimals off, ours rounds"),
    ({"name": "tone", "gain": 1.0, "offset": 0.0, "gamma": 0.8}, "their gamma alone; cuts decimals off, ours rounds"),
    (
        {"name": "colour", "hue": 0.0, "saturation": 0.6, "warmth": 0.0},
        "saturation alone (our hue is another rotation); they round the grey first",
    ),
    ({"name": "blur", "sigma": 0.9}, ""),
    ({"name": "noise", "seed": 3, "sigma": 9.0, "grain": 1.0}, "same field; theirs cuts its decimals off, ours rounds"),
    ({"name": "low_resolution", "factor": 1.5}, ""),
    ({"name": "jpeg", "quality": 30}, "theirs takes red for blue; here it is given BGR"),
)


def pixel_table(a: Any, tiles: Tiles) -> str:
    """The table of differences between equal transforms."""
    lines = [f"{'transform':<16}{'image max':>10}{'differing':>11}{'mask differing':>16}   remark"]
    for transform, remark in EXAMPLES:
        image_max, image_share, mask_share = 0, [], []
        for image, mask in tiles:
            alone = transform["name"] == "tone" and transform["gamma"] != 1
            if alone:
                their_image, their_mask = theirs(a, transform)[1](image=image)["image"], mask
            else:
                their_image, their_mask = their_tile(a, transform, image, mask)
            our_image, our_mask = apply_all(image, mask, [transform])
            apart = cv2.absdiff(our_image, np.ascontiguousarray(their_image))
            image_max = max(image_max, int(apart.max()))
            image_share.append(np.mean(apart > 0))
            mask_share.append(np.mean(our_mask != their_mask))
        lines.append(f"{transform['name']:<16}{image_max:>10}{np.mean(image_share):>11.2%}{np.mean(mask_share):>16.3%}   {remark}")
    return "\n".join(lines)


def abba(first: Callable[[], Any], second: Callable[[], Any], rounds: int, clock: Callable[[], float]) -> tuple[float, float, float]:
    """Median seconds of `first` and `second`, and the median over the rounds of second / first, run as ABBA."""

    def seconds(work: Callable[[], Any]) -> float:
        start = clock()
        work()
        return clock() - start

    first(), second()
    pairs = []
    for _ in range(rounds):
        a1, b1, b2, a2 = (seconds(work) for work in (first, second, second, first))
        pairs.append((a1 + a2, b1 + b2))
    return (
        statistics.median(a for a, _ in pairs) / 2,
        statistics.median(b for _, b in pairs) / 2,
        statistics.median(b / a for a, b in pairs),
    )


def speed_table(a: Any, tiles: Tiles, rounds: int) -> str:
    """The table of times: each transform alone, then chains as the levels draw them. CPU time: other work on the machine matters less."""
    drawn = [shared(draw(level, generator(0, "speed", level, copy))) for copy in range(len(tiles)) for level in LEVELS]
    plain = [[transform for transform in chain if transform["name"] != "elastic"] for chain in drawn]
    rows = [(f"{transform['name']}", [[transform]] * len(tiles)) for transform, _ in EXAMPLES[3:]]
    rows += [("chains, no elastic", plain), ("chains", drawn)]
    lines = [f"\n{'CPU ms per tile':<20}{'ours':>8}{'theirs':>8}{'theirs / ours':>15}"]
    for name, chains in rows:
        composes = [a.Compose([made for transform in chain for made in theirs(a, transform)]) for chain in chains]
        work = [(*tiles[i % len(tiles)], chain, compose) for i, (chain, compose) in enumerate(zip(chains, composes, strict=True))]

        def our_loop(work: list[Any] = work) -> None:
            rng = np.random.default_rng(0)
            for image, mask, chain, _ in work:
                draw("medium", rng)  # theirs draws inside its call
                apply_all(image, mask, chain)

        def their_loop(work: list[Any] = work) -> None:
            for image, mask, _, compose in work:
                compose(image=image, mask=mask)

        ours, others, ratio = abba(our_loop, their_loop, rounds, time.process_time)
        lines.append(f"{name:<20}{1000 * ours / len(work):>8.2f}{1000 * others / len(work):>8.2f}{ratio:>15.2f}")
    return "\n".join(lines)


def one_picture(tile: tuple[np.ndarray, np.ndarray]) -> None:
    """Work of one picture: nine copies of a tile, drawn damage too."""
    for level in LEVELS:
        for copy in range(3):
            apply_all(*tile, draw(level, generator(0, "workers", level, copy)))


def worker_lines(tiles: Tiles, rounds: int) -> str:
    """Our levels with one worker and with two: threads as in the stage, and processes to show what the machine can give at that time."""
    lines = [f"\nour levels, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"]
    work = tiles * max(1, 48 // len(tiles))
    with (
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as process,
        ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes,
        ThreadPoolExecutor(1) as thread,
        ThreadPoolExecutor(2) as threads,
    ):
        for name, single, double in (("processes", process, processes), ("threads", thread, threads)):
            two, one, ratio = abba(
                lambda pool=double: list(pool.map(one_picture, work)),
                lambda pool=single: list(pool.map(one_picture, work)),
                rounds,
                time.perf_counter,
            )
            each = 1000 / (len(work) * 9)
            lines.append(f"{name:<10} one {each * one:.2f} ms per copy, two {each * two:.2f}, one / two {ratio:.2f}")
    return "\n".join(lines)


def main() -> None:
    """Prints the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("pixels", "speed", "workers"), help="one table instead of all")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    albumentations, tiles = load_albumentations(), make_tiles(chosen.tiles)
    parts = {
        "pixels": lambda: pixel_table(albumentations, tiles),
        "speed": lambda: speed_table(albumentations, tiles, chosen.rounds),
        "workers": lambda: worker_lines(tiles, chosen.rounds),
    }
    for name, part in parts.items():
        if chosen.only in (None, name):
            print(part(), flush=True)  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
