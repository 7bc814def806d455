"""What an unfinished tile set keeps, so that a killed stage goes on where it was.

A folder of fixed name beside the output holds the tiles of finished pictures in two files that only grow, and a journal with one line per
picture. Data reach the disk before the line that counts on them. On the next start the journal is believed as far as each
line parses and the tiles' checksum fits; the rest is cut off. A folder of other inputs, settings or code is removed.
"""

import json
import os
import shutil
import time
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from patina.augment.pictures import Cut
from patina.core import storage
from patina.core.errors import DataRefused, StorageError
from patina.core.tiles import TileRecord

_KEY, _JOURNAL, _IMAGES, _MASKS = "key.json", "journal.jsonl", "images.bin", "masks.bin"
SYNC_SECONDS = 5.0
"""At most this much work is lost to a kill, and a short stage never waits for the disk."""


class Journal:
    """The tiles of finished pictures; used as a context manager, which keeps the folder until `discard`.

    Args:
        output: the artifact's folder; the journal's lies beside it.
        key: digest of all that decides the tiles.
        tile_size: side of a tile in pixels.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, output: Path, key: str, tile_size: int) -> None:
        self._folder = output.parent / f".{output.name}.unfinished"
        self._key = key
        self._size = tile_size
        self._lines: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._waiting: list[str] = []
        self._tiles = 0
        self._synced = time.monotonic()
        self._files: dict[str, IO[bytes]] = {}

    @property
    def finished(self) -> list[str]:
        """Ids of the pictures whose tiles are here, sorted."""
        return sorted(self._lines)

    def __enter__(self) -> Self:
        with self._writing():
            if not self._is_mine():
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir(parents=True)
                storage.write_json(self._folder / _KEY, self._key)
            for name in (_JOURNAL, _IMAGES, _MASKS):
                (self._folder / name).touch()
                self._files[name] = (self._folder / name).open("rb+")
            end = self._believed()
            for name, length in ((_JOURNAL, end), (_IMAGES, self._tiles * self._image_bytes), (_MASKS, self._tiles * self._mask_bytes)):
                self._files[name].truncate(length)
                self._files[name].seek(length)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._files:
            with suppress(StorageError):  # what cannot be kept is made again
                self._sync()
        self._close()

    def add(self, source: str, cuts: Sequence[Cut]) -> None:
        """Keeps all tiles of the picture `source`."""
        records = [vars(record) for _, _, record in cuts]
        crc = 0
        with self._writing():
            for name, position in ((_IMAGES, 0), (_MASKS, 1)):
                for cut in cuts:
                    content = np.ascontiguousarray(cut[position]).data
                    crc = zlib.crc32(content, crc)
                    self._files[name].write(content)
        line = {"source": source, "records": records, "crc": crc}
        self._waiting.append(json.dumps(line, default=list, allow_nan=False))
        self._lines[source] = self._tiles, records
        self._tiles += len(cuts)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self._sync()

    def tiles(self, source: str) -> Iterator[Cut]:
        """The tiles of a finished picture, in the order in which they were added."""
        first, records = self._lines[source]
        with self._writing():
            for tile, record in enumerate(records, start=first):
                image = self._read(_IMAGES, tile * self._image_bytes, self._image_bytes)
                mask = self._read(_MASKS, tile * self._mask_bytes, self._mask_bytes)
                yield image.reshape(self._size, self._size, 3), mask.reshape(self._size, self._size), TileRecord(**record)

    def discard(self) -> None:
        """Removes the folder: the artifact is complete."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _image_bytes(self) -> int:
        return 3 * self._size**2

    @property
    def _mask_bytes(self) -> int:
        return self._size**2

    def _is_mine(self) -> bool:
        with suppress(DataRefused):
            return not self._folder.is_symlink() and storage.read_json(self._folder / _KEY) == self._key
        return False

    def _believed(self) -> int:
        """Reads the journal; returns the bytes of it that hold."""
        end = 0
        for text in self._files[_JOURNAL]:
            try:
                line = json.loads(text)
                source, records, crc = line["source"], line["records"], line["crc"]
            except (ValueError, KeyError, TypeError):
                break  # the line at which the kill struck
            count = len(records)
            images = self._read(_IMAGES, self._tiles * self._image_bytes, count * self._image_bytes)
            masks = self._read(_MASKS, self._tiles * self._mask_bytes, count * self._mask_bytes)
            if not text.endswith(b"\n") or zlib.crc32(masks.tobytes(), zlib.crc32(images.tobytes())) != crc:
                break
            self._lines[source] = self._tiles, records
            self._tiles += count
            end += len(text)
        return end

    def _read(self, name: str, start: int, length: int) -> NDArray[np.uint8]:
        stream = self._files[name]
        stream.flush()
        return np.frombuffer(os.pread(stream.fileno(), length, start), np.uint8)

    def _sync(self) -> None:
        with self._writing():
            for name in (_IMAGES, _MASKS):
                self._files[name].flush()
                os.fsync(self._files[name].fileno())
            journal = self._files[_JOURNAL]
            journal.write("".join(f"{line}\n" for line in self._waiting).encode())
            journal.flush()
            os.fsync(journal.fileno())
        self._waiting.clear()
        self._synced = time.monotonic()

    def _close(self) -> None:
        for stream in self._files.values():
            with suppress(OSError):  # closing writes what is buffered; on a full disk that fails once more
                stream.close()
        self._files.clear()

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"cannot write {self._folder}: {why}. Free space or choose a writable folder.") from error
