import pytest
from pydantic import Field, ValidationError

from patina.core.config import Config, key_paths, override, parse, parse_assignments
from patina.core.errors import UsageError


class Loss(Config):
    dice: float = Field(default=0.5, ge=0, le=1)
    focal: float = 0.0


class Training(Config):
    epochs: int = Field(default=50, gt=0)
    learning_rate: float = 1e-3
    name: str = "standard"
    loss: Loss = Loss()
    warm_up: Loss | None = None


def test_missing_keys_take_their_defaults():
    assert parse(Training, '{"loss": {"dice": 0.25}}', "settings") == Training(loss=Loss(dice=0.25))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"epoch": 3}', ["unknown key 'epoch'", "Did you mean: epochs"]),
        ('{"loss": {"dise": 1}}', ["unknown key 'loss.dise'", "loss.dice"]),
        ('{"qqqq": 1}', ["unknown key 'qqqq'", "Valid keys: epochs, learning_rate, name, loss, warm_up."]),
        ('{"epochs": "3"}', ["epochs", "integer", "'3'"]),
        ('{"epochs": 2.5}', ["epochs", "integer", "2.5"]),
        ('{"epochs": 0}', ["epochs", "greater than 0", "0"]),
        ('{"loss": {"dice": 7}}', ["loss.dice", "less than or equal to 1", "7"]),
        ('{"epochs": 0, "name": 1}', ["epochs", "and 1 more"]),
        ('{"learning_rate": NaN}', ["learning_rate", "finite number"]),
        ('{"learning_rate": 1e999}', ["learning_rate", "finite number"]),
        ("{epochs: 3}", ["Invalid JSON"]),
        ("", ["Invalid JSON"]),
        ("[]", ["object"]),
    ],
)
def test_a_wrong_setting_names_its_path_what_came_and_what_was_expected(text, parts):
    with pytest.raises(UsageError) as refusal:
        parse(Training, text, "train settings")
    message = str(refusal.value)
    assert message.startswith("train settings: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_long_wrong_value_is_cut():
    with pytest.raises(UsageError) as refusal:
        parse(Training, f'{{"epochs": "{"9" * 10_000}"}}', "settings")
    assert len(str(refusal.value)) < 300


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        Training().epochs = 3  # pyright: ignore[reportAttributeAccessIssue]  # the point of the test


def test_overrides_reach_nested_keys_and_leave_the_rest_and_the_original():
    original = Training(name="mine")
    changed = override(original, {"loss.dice": 1.0, "epochs": 7}, "--set")
    assert changed == Training(name="mine", epochs=7, loss=Loss(dice=1.0))
    assert original == Training(name="mine")


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("loss.dise", "loss.dice"),
        ("los.dice", "loss.dice"),
        ("epoch", "epochs"),
        ("learning_rat", "learning_rate"),
        ("epochs.first", "epochs"),
        ("warm_up.dice", "warm_up.dice"),
    ],
)
def test_an_unknown_override_names_the_nearest_keys(path, nearest):
    with pytest.raises(UsageError, match=rf"^--set: unknown key '{path}'\. Did you mean: .*{nearest}"):
        override(Training(), {path: 1}, "--set")


@pytest.mark.parametrize("change", [{"epochs": -1}, {"epochs": "many"}, {"loss": 3}, {"learning_rate": float("nan")}])
def test_an_override_is_checked_like_any_setting(change):
    with pytest.raises(UsageError, match=rf"^--set: {next(iter(change))}"):
        override(Training(), change, "--set")


def test_key_paths_name_every_setting_nested_ones_too():
    assert key_paths(Training) == [
        "epochs",
        "learning_rate",
        "name",
        "loss",
        "loss.dice",
        "loss.focal",
        "warm_up",
        "warm_up.dice",
        "warm_up.focal",
    ]


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("key=3", 3),
        ("key=0.5", 0.5),
        ("key=true", True),
        ("key=null", None),
        ('key=["a", 1]', ["a", 1]),
        ("key=unet-mit_b0", "unet-mit_b0"),
        ("key=hf://a/b?c=d", "hf://a/b?c=d"),
        ("key=", ""),
        ('key="3"', "3"),
    ],
)
def test_an_assignments_value_is_json_or_else_text(assignment, value):
    assert parse_assignments([assignment]) == {"key": value}


@pytest.mark.parametrize("assignment", ["epochs", "", "=3"])
def test_what_is_no_assignment_is_refused_with_an_example(assignment):
    with pytest.raises(UsageError, match=r"key=value.*Example: --set"):
        parse_assignments([assignment])
