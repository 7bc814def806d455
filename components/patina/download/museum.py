"""A museum's own scans: a folder with `images/`, `masks/` and, if wanted, `pictures.csv`.

Picture and mask have the same name but for the ending. The whole folder is looked at before any picture is decoded, and every
fault of it is named at once: who repairs 300 files does not want to start the stage 300 times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patina.core.errors import DataRefused
from patina.core.raw import check_id
from patina.download.rows import SourceRow
from patina.download.table import TABLE, PictureTable, read_table

IMAGES: Final = "images"
MASKS: Final = "masks"
UNKNOWN: Final = "unknown"
"""Material, content and type of a picture of which the table says nothing."""
_PICTURE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_MASK_ENDINGS: Final = (".png",)
_OF_THE_SYSTEM: Final = {"Thumbs.db", "desktop.ini"}
_LARGEST_FILE: Final = 2_000_000_000
"""Bytes; a Parquet column of Arrow's `binary` type holds 2^31 - 1 in one piece."""
_NAMED: Final = 5
_NOTICE_LENGTH: Final = 400


@dataclass(frozen=True)
class Museum:
    """A folder whose names agree; nothing is decoded yet.

    Attributes:
        pictures: id -> file of the picture, sorted by id.
        masks: id -> file of the mask.
        table: what `pictures.csv` says.
        licence: first lines of the file LICENCE or LICENSE, or "".
        citation: first lines of the file CITATION, or "".
    """

    pictures: dict[str, Path]
    masks: dict[str, Path]
    table: PictureTable
    licence: str
    citation: str

    def rows(self) -> Iterator[SourceRow]:
        """The rows in the order of their ids, each file read when its row is asked for; masks hold ids or colours.

        Raises:
            DataRefused: a file that cannot be read any more.
        """
        for identifier, picture in self.pictures.items():
            texts = self.table.texts.get(identifier, {})
            material, content, kind = (texts.get(name) or UNKNOWN for name in ("material", "content", "type"))
            yield SourceRow(identifier, _read(picture), _read(self.masks[identifier]), None, material, content, kind)


def open_museum(folder: Path) -> Museum:
    """Reads the names in `folder` and its table.

    Raises:
        DataRefused: names that are no safe ids, links that lead out of the folder, other files, pictures without mask, masks
            without picture, several files or rows for one id, rows without picture: all of them, counted, the first few named.
    """
    faults: dict[str, list[str]] = {}
    pictures = _scan(folder, IMAGES, _PICTURE_ENDINGS, faults)
    masks = _scan(folder, MASKS, _MASK_ENDINGS, faults)
    path = folder / TABLE
    table = PictureTable({}, {}, ())
    if _leads_out(path, folder):
        faults["links that lead out of the folder"] = [*faults.get("links that lead out of the folder", []), TABLE]
    elif path.exists():
        table = read_table(path, faults)
    _note(faults, "pictures without a mask", set(pictures) - set(masks))
    _note(faults, "masks without a picture", set(masks) - set(pictures))
    if table.texts:
        _note(faults, f"rows of {TABLE} without a picture", set(table.texts) - set(pictures))
        _note(faults, f"pictures without a row in {TABLE}", set(pictures) - set(table.texts))
    if faults:
        listed = "; ".join(f"{len(names)} {what} ({_first(names)})" for what, names in faults.items())
        raise DataRefused(f"data folder {folder.name}: {listed}. Rename, complete or remove them.")
    if not pictures:
        raise DataRefused(f"data folder {folder.name}: {IMAGES} holds no picture. Expected PNG, JPEG or TIFF files.")
    return Museum(
        pictures={identifier: pictures[identifier] for identifier in sorted(pictures)},
        masks=masks,
        table=table,
        licence=_notice(folder, ("LICENCE", "LICENSE")),
        citation=_notice(folder, ("CITATION",)),
    )


def _scan(folder: Path, name: str, endings: tuple[str, ...], faults: dict[str, list[str]]) -> dict[str, Path]:
    """Files in the folder `name` by id; what is wrong with its names goes into `faults`."""
    place = folder / name
    if not place.is_dir():
        raise DataRefused(f"data folder {folder.name} has no folder {name}. Expected {IMAGES} and {MASKS} with files of equal names.")
    if _leads_out(place, folder):
        raise DataRefused(f"data folder {folder.name}: {name} is a link that leads out of the folder. Copy what it points to.")
    found: dict[str, list[Path]] = {}
    for path in sorted(place.iterdir()):
        shown = f"{name}/{path.name}"
        if path.name.startswith(".") or path.name in _OF_THE_SYSTEM:
            continue
        if _leads_out(path, folder):
            _note(faults, "links that lead out of the folder", [shown])
        elif not path.is_file() or path.suffix.lower() not in endings:
            _note(faults, f"entries other than {', '.join(endings)} files", [shown])
        elif path.stat().st_size > _LARGEST_FILE:
            _note(faults, "files of more than 2 GB", [shown])
        elif not _safe(path.stem):
            _note(faults, "names that are no safe ids (A-Z a-z 0-9 . _ -)", [shown])
        else:
            found.setdefault(path.stem, []).append(path)
    for paths in found.values():
        if len(paths) > 1:
            _note(faults, "ids with several files", [" and ".join(f"{name}/{path.name}" for path in paths)])
    return {identifier: paths[0] for identifier, paths in found.items()}


def _safe(identifier: str) -> bool:
    try:
        check_id(identifier)
    except DataRefused:
        return False
    return True


def _leads_out(path: Path, folder: Path) -> bool:
    return not path.resolve().is_relative_to(folder.resolve())


def _note(faults: dict[str, list[str]], what: str, names: set[str] | list[str]) -> None:
    if names:
        faults.setdefault(what, []).extend(sorted(names))


def _first(names: list[str]) -> str:
    shown = ", ".join(f"{name:.80}" for name in names[:_NAMED])
    return f"{shown}, ..." if len(names) > _NAMED else shown


def _notice(folder: Path, names: tuple[str, ...]) -> str:
    """The first lines of a text file, on one line; "" if there is none."""
    for path in (folder / f"{name}{ending}" for name in names for ending in ("", ".txt", ".md")):
        if path.is_file() and not _leads_out(path, folder):
            with path.open("rb") as stream:
                text = " ".join(stream.read(4 * _NOTICE_LENGTH).decode(errors="replace").split())
            return text if len(text) <= _NOTICE_LENGTH else f"{text[:_NOTICE_LENGTH]} ..."
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataRefused(f"{path.parent.name}/{path.name} cannot be read ({error.strerror}). Check the file.") from error
