"""The weights artifact: only complete, finite, normalised weights are believed."""

import json

import numpy as np
import pytest

from patina.core.artifact import seal
from patina.core.errors import DataRefused, UsageError
from patina.core.weights import COUNTED, SCHEMES, read_class_weights, read_weights

EQUAL, RARE = [1.0] * 16, [0.5, 1.5] + [1.5] * 14


def content(**changes):
    """`weights.json` of four pictures with two classes; `changes` replace its keys."""
    schemes = dict.fromkeys(SCHEMES, EQUAL)
    good = {
        "schemes": {"pixel": schemes | {"inverse": RARE}, "picture": schemes},
        "shares": {"pixel": [0.75, 0.25] + [0.0] * 14, "picture": [0.5, 0.5] + [0.0] * 14},
        "present": [True, True] + [False] * 14,
        "pixels": [300, 100] + [0] * 14,
        "pictures": [3, 1] + [0] * 14,
    }
    return good | changes


def changed(scheme, values):
    """`content` with other weights per pixel for one scheme."""
    good = content()["schemes"]
    return content(schemes=good | {"pixel": good["pixel"] | {scheme: values}})


def artifact(folder, weights):
    (folder / "weights.json").write_text(json.dumps(weights))
    seal(folder, "weights", inputs={}, config={}, image="test")
    return folder


def test_reads_one_scheme_by_one_way_of_counting(tmp_path):
    weights = read_weights(artifact(tmp_path, content()), "inverse", "pixel")
    assert weights.dtype == np.float32
    assert weights.tolist() == RARE
    assert read_weights(tmp_path, "inverse", "picture").tolist() == EQUAL
    assert read_class_weights(tmp_path).pictures[:2] == [3, 1]


def test_an_unknown_scheme_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="none, inverse, inverse_sqrt, log, effective, median_frequency"):
        read_weights(artifact(tmp_path, content()), "sqrt", "pixel")


def test_an_unknown_way_of_counting_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="picture, pixel"):
        read_weights(artifact(tmp_path, content()), "inverse", "tile")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (content(pixels=[1] * 15), "15 entries"),
        (changed("log", EQUAL[:3]), r"schemes\.pixel\.log has 3 entries"),
        (content(schemes={"pixel": content()["schemes"]["pixel"]}), r"schemes\.picture\.effective, .* missing"),
        (content(schemes={"pixel": {"none": EQUAL}, "picture": {"none": EQUAL}}), r"schemes\.picture\.effective, .* missing"),
        (content(shares={"pixel": content()["shares"]["pixel"]}), r"shares\.picture missing"),
        (content(shares=dict.fromkeys(COUNTED, [0.75, 0.0] + [0.0] * 14)), "should sum to 1"),
        (changed("inverse", [0.0, 2.0] + [1.0] * 14), "greater than 0"),
        (changed("inverse", [2.0, 2.0] + [1.0] * 14), "mean 1"),
        (changed("inverse", [1.0, float("nan")] + [1.0] * 14), "finite"),
        (content(present=[False] * 16), "mean 1"),
    ],
)
def test_refuses_weights_that_would_break_a_loss(tmp_path, weights, message):
    with pytest.raises(DataRefused, match=message):
        read_weights(artifact(tmp_path, weights), "none", "pixel")
