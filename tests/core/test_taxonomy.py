import numpy as np
import pytest

from patina.core.taxonomy import BACKGROUND, CLASS_NAMES, CLASSES, COARSE_GROUPS, IGNORE, NUM_CLASSES, View, palette, view

VIEWS = ("full", "binary", "coarse")

# Names and colours as the card of danielaivanova/damaged-media gives them.
CARD = {
    "Clean": "#000000",
    "Material loss": "#1CE6FF",
    "Peel": "#FF34FF",
    "Dust": "#FF4A46",
    "Scratch": "#008941",
    "Hair": "#006FA6",
    "Dirt": "#A30059",
    "Fold": "#FFA500",
    "Writing": "#7A4900",
    "Cracks": "#0000A6",
    "Staining": "#63FFAC",
    "Stamp": "#004D43",
    "Sticker": "#8FB0FF",
    "Puncture": "#997D87",
    "Burn marks": "#809693",
    "Lightleak": "#F6FF1B",
}


def test_the_classes_are_those_of_the_data_set_in_its_order():
    assert {c.name: "#{:02X}{:02X}{:02X}".format(*c.color) for c in CLASSES} == CARD
    assert tuple(CARD) == CLASS_NAMES
    assert [c.id for c in CLASSES] == list(range(NUM_CLASSES)) == list(range(16))


def test_the_palette_has_one_distinct_colour_per_class():
    colors = palette()
    assert (colors.shape, colors.dtype) == ((256, 3), np.uint8)
    assert len({tuple(colors[i]) for i in (*range(NUM_CLASSES), IGNORE)}) == NUM_CLASSES + 1
    assert all(tuple(colors[c.id]) == c.color for c in (*CLASSES, BACKGROUND))
    assert not colors[NUM_CLASSES:IGNORE].any()


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_gives_every_value_a_class_or_ignores_it(name):
    merged = view(name)
    image = set(merged.lookup.tolist()) - {IGNORE}
    assert image == set(range(len(merged.classes)))
    assert (merged.lookup.shape, merged.lookup.dtype) == ((256,), np.uint8)


@pytest.mark.parametrize("name", VIEWS)
def test_what_has_no_label_never_gets_one(name):
    assert (view(name).lookup[NUM_CLASSES:] == IGNORE).all()


def test_the_full_view_changes_nothing():
    mask = np.array([[*range(NUM_CLASSES), IGNORE]], np.uint8)
    assert (view("full").lookup[mask] == mask).all()
    assert view("full").classes == CLASS_NAMES


def test_the_binary_view_calls_everything_but_clean_damage():
    names = [view("binary").classes[i] for i in view("binary").lookup[:NUM_CLASSES]]
    assert names == ["Clean"] + ["Damage"] * 15


def test_the_coarse_view_puts_every_damage_in_one_group_and_leaves_clean_out():
    grouped = sorted(i for ids in COARSE_GROUPS.values() for i in ids)
    assert grouped == list(range(1, NUM_CLASSES))
    coarse = view("coarse")
    assert coarse.lookup[0] == IGNORE
    for group, ids in COARSE_GROUPS.items():
        assert {coarse.classes[coarse.lookup[i]] for i in ids} == {group}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({3: 7}, "do not cover"),
        ({1: 0}, "do not cover"),
        ({IGNORE: 0}, "255 must stay 255"),
    ],
)
def test_a_view_with_a_hole_or_a_label_for_the_unlabelled_cannot_be_made(change, named):
    lookup = view("binary").lookup.copy()
    lookup[2:NUM_CLASSES] = IGNORE
    for source, target in change.items():
        lookup[source] = target
    with pytest.raises(ValueError, match=named):
        View("binary", ("Clean", "Damage"), lookup)
