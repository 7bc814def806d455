import subprocess
import sys
from typing import get_args

import pytest

from patina.core.errors import UsageError
from patina.models.architectures import ARCHITECTURES, QUICK, STANDARD, Architecture, family, parse_architecture, parse_architectures


def test_command_line_can_read_the_names_without_torch() -> None:
    code = "import sys, patina.models.architectures, patina.train.recipes; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize("line_up", [STANDARD, QUICK])
def test_a_line_up_compares_one_architecture_of_each_family(line_up: tuple[Architecture, ...]) -> None:
    assert set(line_up) <= set(get_args(Architecture))
    assert sorted(family(name) for name in line_up) == ["cnn", "hybrid", "transformer"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_valid_name_is_itself(name: str) -> None:
    assert parse_architecture(name) == name


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown architecture 'unet-mitb3'.*unet-mit_b3"):
        parse_architecture("unet-mitb3")


def test_a_name_like_no_other_is_answered_with_the_whole_list() -> None:
    with pytest.raises(UsageError, match=", ".join(ARCHITECTURES)):
        parse_architecture("q")


def test_a_list_keeps_its_order_and_forgives_spaces() -> None:
    assert parse_architectures(" unet-mit_b0, unet-convnext_atto,") == ("unet-mit_b0", "unet-convnext_atto")


@pytest.mark.parametrize("text", ["", " , "])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no architecture named"):
        parse_architectures(text)
