from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from patina.evaluate import windows
from patina.evaluate.windows import Segmenter, ramp, starts, to_native

CPU = torch.device("cpu")


class Channels(torch.nn.Module):
    """Logits that depend on each pixel alone, so that any cutting into windows must give the same map."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, pixels):
        self.sizes.append(tuple(pixels.shape))
        return torch.cat([pixels, -pixels], 1)


def segmenter(tile=16, overlap=0.25, batch=3, model=None):
    return Segmenter(model or Channels(), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), tile, overlap, batch, CPU)


def noise(height, width):
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 400), st.integers(8, 64), st.sampled_from([0, 0.125, 0.25, 0.5, 0.75]))
def test_windows_reach_every_pixel_and_overlap_as_asked(length, tile, overlap):
    begin = starts(length, tile, overlap)
    assert begin[0] == 0
    if length <= tile:
        assert begin == [0]
    else:
        assert begin[-1] + tile == length
        steps = np.diff(begin)
        assert (steps > 0).all()
        assert steps.max() <= np.floor(tile * (1 - overlap)) + 1


@given(st.integers(1, 64), st.floats(0, 0.75))
def test_no_pixel_of_a_window_is_without_weight(tile, overlap):
    weight = ramp(tile, overlap)
    assert (weight > 0).all()
    assert (weight <= 1).all()
    np.testing.assert_array_equal(weight, weight[::-1])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([0, 0.25, 0.6]), st.integers(1, 9))
def test_blended_windows_show_what_the_network_says_of_each_pixel(height, width, overlap, batch):
    picture = noise(height, width)
    joined = torch.cat(list(segmenter(overlap=overlap, batch=batch).probability_rows(picture)), 1)
    rgb = (torch.from_numpy(picture).permute(2, 0, 1) / 255 - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[
        :, None, None
    ]
    expected = torch.cat([rgb, -rgb]).softmax(0)
    torch.testing.assert_close(joined, expected, rtol=1e-4, atol=1e-5)


def test_probabilities_add_up_to_one():
    total = torch.cat(list(segmenter().probability_rows(noise(50, 41))), 1).sum(0)
    torch.testing.assert_close(total, torch.ones_like(total))


def test_the_network_sees_whole_tiles_in_batches_only():
    model = Channels()
    list(segmenter(tile=16, batch=4, model=model).probability_rows(noise(9, 70)))
    assert all(size[1:] == (3, 16, 16) for size in model.sizes)
    assert max(size[0] for size in model.sizes) == 4


def test_what_is_held_of_a_tall_picture_is_one_row_of_windows():
    strips = [strip.shape[1] for strip in segmenter(tile=16).probability_rows(noise(400, 20))]
    assert max(strips) <= 16
    assert sum(strips) == 400


@st.composite
def scaled_and_cut(draw):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    native = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    cuts = sorted(draw(st.sets(st.integers(1, height), max_size=5)) - {height})
    return (height, width), native, [0, *cuts, height]


@settings(max_examples=60, deadline=None)
@given(scaled_and_cut())
def test_strips_at_native_size_equal_the_whole_map_interpolated(case):
    scaled, native, cuts = case
    whole = torch.from_numpy(np.random.default_rng(0).random((3, *scaled), dtype=np.float32))
    strips = (whole[:, first:last] for first, last in pairwise(cuts))
    expected = functional.interpolate(whole[None], size=native, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(torch.cat(list(to_native(strips, scaled, native)), 1), expected, rtol=1e-4, atol=1e-5)


def test_a_small_map_becomes_a_large_one_in_bounded_strips(monkeypatch):
    monkeypatch.setattr(windows, "_STRIP_VALUES", 3 * 200 * 10)
    strips = list(to_native(iter([torch.rand(3, 8, 8)]), (8, 8), (300, 200)))
    assert max(strip.shape[1] for strip in strips) <= 10
    assert sum(strip.shape[1] for strip in strips) == 300


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_batch_size_changes_nothing(batch):
    picture = noise(37, 53)
    reference = torch.cat(list(segmenter(batch=64).probability_rows(picture)), 1)
    torch.testing.assert_close(torch.cat(list(segmenter(batch=batch).probability_rows(picture)), 1), reference)
