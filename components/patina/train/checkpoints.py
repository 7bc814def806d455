"""Where a stopped training finds its last state. No artifact: it outlives the process, and is removed when the model is sealed.

A state is a pair: `step-<n>.pt` (tensors, numbers and strings, read with `weights_only`, so nothing is unpickled), then
`step-<n>.json` with its size and SHA-256, written last. The newest two pairs stay: a kill while writing, or a bit that flips
later, costs the work since the pair before, never the run.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from patina.core import storage
from patina.core.errors import DataRefused, StorageError

_KEPT = 2
_LOG = logging.getLogger(__name__)


class _Hashing:
    """A stream that hashes what passes through, so that 500 MB need not be read again."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


class CheckpointStore:
    """The states of one training in `<folder>/<key>/`. One process writes it at a time.

    Args:
        folder: what all trainings share.
        identity: whatever decides the course of the training (digests of inputs and configuration, seed, ...).

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder / storage.digest_of(dict(identity))[:32]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot make the checkpoint folder {self.folder}: {error.strerror or error}. Choose a writable one."
            ) from error
        for stray in self.folder.glob(".*.tmp"):  # a writer was killed
            stray.unlink(missing_ok=True)

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Makes `state` (tensors, numbers, strings, lists and dicts of these) the newest one.

        Args:
            step: steps done since the training began; a state of the same step is replaced.
            state: everything that the training needs to go on.

        Raises:
            StorageError: nothing was changed: disk full, read-only, ...
        """
        path = self.folder / f"step-{step:09d}.pt"
        with storage.atomic_file(path) as stream:
            hashing = _Hashing(stream)
            torch.save(dict(state), hashing)  # pyright: ignore[reportArgumentType] # asks for IO[bytes], calls write and flush
        storage.write_json(path.with_suffix(".json"), {"bytes": hashing.bytes, "sha256": hashing.digest.hexdigest()})
        for old in self._paths()[_KEPT:]:
            old.with_suffix(".json").unlink(missing_ok=True)
            old.unlink(missing_ok=True)

    def newest(self) -> dict[str, Any] | None:
        """The newest state that is whole, on the CPU; None if there is none. Damaged ones are logged and removed."""
        for path in self._paths():
            try:
                return _checked(path)
            except DataRefused as error:
                _LOG.warning("%s Trying the checkpoint before it.", error)
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
        return None

    def clear(self) -> None:
        """Removes the folder: the training has ended well."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        """Paths of all states, newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)


def _checked(path: Path) -> dict[str, Any]:
    record = path.with_suffix(".json")
    expected = storage.read_json(record) if record.is_file() else None
    if expected is None:
        raise DataRefused(f"{path} has no digest beside it: its writer was stopped.")
    found = {"bytes": path.stat().st_size, "sha256": storage.sha256_file(path)}
    if found != expected:
        raise DataRefused(f"{path} is damaged: expected {expected}, found {found}.")
    return torch.load(path, map_location="cpu", weights_only=True)
