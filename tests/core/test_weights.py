"""The weights artifact: only complete, finite, normalised weights are believed."""

import json

import numpy as np
import pytest

from patina.core.artifact import seal
from patina.core.errors import DataRefused, UsageError
from patina.core.weights import read_class_weights, read_weights

GOOD = {
    "schemes": {"none": [1.0] * 16, "inverse": [0.5, 1.5] + [1.5] * 14, "inverse_sqrt": [0.8, 1.2] + [1.2] * 14},
    "present": [True, True] + [False] * 14,
    "pixels": [300, 100] + [0] * 14,
    "pictures": [3, 1] + [0] * 14,
}


def artifact(folder, content):
    (folder / "weights.json").write_text(json.dumps(content))
    seal(folder, "weights", inputs={}, config={}, image="test")
    return folder


def test_reads_one_scheme(tmp_path):
    weights = read_weights(artifact(tmp_path, GOOD), "inverse")
    assert weights.dtype == np.float32
    assert weights.tolist() == [0.5] + [1.5] * 15
    assert read_class_weights(tmp_path).pictures[:2] == [3, 1]


def test_an_unknown_scheme_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="none, inverse, inverse_sqrt"):
        read_weights(artifact(tmp_path, GOOD), "sqrt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": [1] * 15}, "15 entries"),
        ({"schemes": {"none": [1.0] * 16}}, "missing"),
        ({"schemes": GOOD["schemes"] | {"inverse": [0.0, 2.0] + [1.0] * 14}}, "greater than 0"),
        ({"schemes": GOOD["schemes"] | {"inverse": [2.0, 2.0] + [1.0] * 14}}, "mean 1"),
        ({"schemes": GOOD["schemes"] | {"inverse": [1.0, float("nan")] + [1.0] * 14}}, "finite"),
        ({"present": [False] * 16}, "mean 1"),
    ],
)
def test_refuses_weights_that_would_break_a_loss(tmp_path, change, message):
    with pytest.raises(DataRefused, match=message):
        read_weights(artifact(tmp_path, GOOD | change), "none")
