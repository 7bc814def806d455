"""The damage classes in plain words, for readers of the report."""

from patina.core.taxonomy import CLASSES, DamageClass

_MEANING = {
    "Clean": "no damage; also the original work of the artist",
    "Material loss": "part of the object is gone, the ground or a hole shows",
    "Peel": "a surface layer lifts, flakes or has come off",
    "Dust": "small specks on the surface or on the film",
    "Scratch": "thin lines scored into the surface",
    "Hair": "hairs and fibres lying on the surface",
    "Dirt": "grime and soiling",
    "Fold": "creases and lines of folding",
    "Writing": "later writing that does not belong to the work",
    "Cracks": "fracture lines and craquelure",
    "Staining": "discoloured areas, for instance from water or mould",
    "Stamp": "stamps of owners, libraries or archives",
    "Sticker": "labels, tape and whatever else was stuck on",
    "Puncture": "holes of pins, nails or insects",
    "Burn marks": "scorched or charred places",
    "Lightleak": "fogging of photographic material by stray light",
}


def legend() -> list[tuple[DamageClass, str]]:
    """Each class with its meaning in a few words, in the order of the ids."""
    return [(item, _MEANING[item.name]) for item in CLASSES]
