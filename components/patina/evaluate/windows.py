"""A picture of any size through a model of one tile size: overlapping windows, blended, with flat memory.

Windows come row by row. What is held is one row of windows (classes x tile x width floats), never the whole picture: its top
leaves as soon as the next row of windows cannot reach it. For the 133-Mpx picture of ARTeFACT (12,300 px wide, tile 384)
that is 0.3 GB instead of 8.5 GB.

Each window's logits become probabilities; where windows overlap these are averaged, weighted by a ramp that falls towards a
window's edge, where a model sees least around a pixel. Probabilities rather than logits are blended and scaled, so that the
number that decides a pixel's class is also the confidence that calibration judges.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_STRIP_VALUES = 1 << 23  # floats of one strip that is handed on: 32 MiB, a few copies of it fit beside a model


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where windows of `tile` pixels begin along a side of `length` pixels: evenly spread, the last one ends at the edge.

    Neighbours share at least `overlap` (0..0.75) of a window. A side shorter than the tile has one window at 0.
    """
    if length <= tile:
        return [0]
    steps = math.ceil((length - tile) / max(1, math.floor(tile * (1 - overlap))))
    return [round(step * (length - tile) / steps) for step in range(steps + 1)]


def ramp(tile: int, overlap: float) -> NDArray[np.float32]:
    """Weight of a window's pixels along one side, float32 [tile], in (0, 1]: rises over the overlap, flat between."""
    margin = max(1.0, tile * overlap)
    from_edge = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 0.5
    return np.minimum(from_edge / margin, 1).astype(np.float32)


class Segmenter:
    """A model with the way its input must look.

    Args:
        model: maps float32 [B, 3, tile, tile], normalised, to logits [B, C, tile, tile].
        mean: of the three colour channels at values 0..1.
        std: likewise.
        tile: edge of the square windows in pixels.
        overlap: share of a window shared with its neighbour, 0..0.75.
        batch: windows at once.
        device: where to compute; half precision on CUDA only.
    """

    def __init__(
        self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], tile: int, overlap: float, batch: int, device: torch.device
    ) -> None:
        self._model = model.to(device).to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]  # torch's stub lacks it
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(std, dtype=torch.float32, device=device).view(1, 3, 1, 1) * 255
        self._tile, self._overlap, self._batch, self._device = tile, overlap, batch, device

    @torch.inference_mode()
    def probability_rows(self, picture: NDArray[np.uint8]) -> Iterator[Tensor]:
        """Class probabilities of `picture` (uint8 [h, w, 3]) from top to bottom.

        Yields:
            float32 [C, n, w]; the strips' n add up to h, each pixel's probabilities to 1.
        """
        height, width = picture.shape[:2]
        tile = self._tile
        missing = max(0, tile - height), max(0, tile - width)
        if any(missing):
            picture = cv2.copyMakeBorder(picture, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)
        padded_width = picture.shape[1]
        side = torch.from_numpy(ramp(tile, self._overlap)).to(self._device)
        weight = side[:, None] * side[None, :]
        corners = [(y, x) for y in starts(height, tile, self._overlap) for x in starts(width, tile, self._overlap)]
        band, total, top = torch.empty(0), torch.zeros(tile, padded_width, device=self._device), 0
        for first in range(0, len(corners), self._batch):
            chosen = corners[first : first + self._batch]
            probabilities = self._forward(np.stack([picture[y : y + tile, x : x + tile] for y, x in chosen]))
            if not band.numel():
                band = torch.zeros(probabilities.shape[1], tile, padded_width, device=self._device)
            for (y, x), values in zip(chosen, probabilities, strict=True):
                if y > top:
                    yield from _mean(band, total, y - top, width)
                    _shift(band, y - top)
                    _shift(total[None], y - top)
                    top = y
                band[:, :, x : x + tile] += values * weight
                total[:, x : x + tile] += weight
        yield from _mean(band, total, height - top, width)

    def _forward(self, windows: NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(windows).to(self._device).permute(0, 3, 1, 2)
        with torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
            logits = self._model(((pixels - self._mean) / self._std).contiguous(memory_format=torch.channels_last))
        return logits.float().softmax(1)


def _mean(band: Tensor, total: Tensor, rows: int, width: int) -> Iterator[Tensor]:
    """The first `rows` of [C, tile, w] divided by their weights, in strips of bounded size."""
    step = max(1, _STRIP_VALUES // (band.shape[0] * width))
    for begin in range(0, rows, step):
        part = slice(begin, min(begin + step, rows))
        yield band[:, part, :width] / total[part, :width]


def _shift(band: Tensor, rows: int) -> None:
    """Drops the first `rows` of [C, tile, w] and adds as many empty ones below, in place: the overlap is small, the band is not."""
    kept = band[:, rows:].clone()
    band.zero_()
    band[:, : kept.shape[1]] = kept


@torch.inference_mode()
def to_native(strips: Iterator[Tensor], scaled: tuple[int, int], native: tuple[int, int]) -> Iterator[Tensor]:
    """Brings probabilities of a scaled picture to the pixels of the native one, strip by strip.

    Bilinear with pixel centres at .5, the same numbers as `interpolate(align_corners=False)` on the whole picture.

    Args:
        strips: float32 [C, n, w] from top to bottom, n adding up to h.
        scaled: (h, w) of the scaled picture.
        native: (H, W) of the native one.

    Yields:
        float32 [C, m, W]; the m add up to H.
    """
    if scaled == native:
        yield from strips
        return
    (height, width), (native_height, native_width) = scaled, native
    centers = (torch.arange(native_height, dtype=torch.float64) + 0.5) * (height / native_height) - 0.5
    centers = centers.clamp(0, height - 1)
    upper = centers.floor().long()
    lower = (upper + 1).clamp(max=height - 1)
    share = (centers - upper).float()
    held, first, done = torch.empty(0), 0, 0
    for strip in strips:
        held = torch.cat([held, strip], 1) if held.numel() else strip
        ready = int(torch.searchsorted(lower, first + held.shape[1]))
        rows = max(1, _STRIP_VALUES // (strip.shape[0] * max(width, native_width)))
        for begin in range(done, ready, rows):
            part = slice(begin, min(begin + rows, ready))
            above, below = (held[:, (index[part] - first).to(held.device)] for index in (upper, lower))
            between = torch.lerp(above, below, share[part].to(held.device)[None, :, None])
            yield functional.interpolate(between[None], size=(between.shape[1], native_width), mode="bilinear")[0]
        done = ready
        if done < native_height:
            keep = min(int(upper[done]) - first, held.shape[1])
            held, first = held[:, keep:], first + keep
