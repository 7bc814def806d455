"""Where a stopped training finds its last state. No artifact: it outlives the process, and is removed when the model is sealed.

A state is a pair: `step-<n>.pt` (tensors, numbers and strings, read with `weights_only`, so nothing is unpickled), then
`step-<n>.json` with its size and SHA-256, written last. The newest two pairs stay: a kill while writing, or a bit that flips
later, costs the work since the pair before, never the run.

The store is a folder, or a prefix of a bucket. There the tensors lie under their SHA-256, so that two pods that believe they
run the same training never mix their states, and a thread sends them: a bucket that is away for a while costs nothing but the
states of that while.
"""

import hashlib
import json
import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import torch

from patina.core import storage
from patina.core.bucket import Bucket, Stored, is_bucket
from patina.core.bucket_access import Patience
from patina.core.errors import DataRefused, Interrupted, PatinaError, StorageError

_KEPT = 2
_POINTER = re.compile(r"step-(\d{9})\.json")
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

    Attributes:
        folder: of this training.
        where: the same, for messages.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder / _key(identity)
        self.where = str(self.folder)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to do: what was saved is there."""

    def _paths(self) -> list[Path]:
        """Paths of all states, newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)


class BucketStore(CheckpointStore):
    """The states of one training in `<bucket url>/<key>/`, sent by a thread from a folder of this machine.

    `save` returns when the state lies in that folder. A state that cannot be sent is logged and left for the next one. The end of
    the `with` block waits until the last state is in the bucket, with the bucket's patience.

    Args:
        url: `s3://bucket/prefix` that all trainings share.
        identity: as for `CheckpointStore`.
        patience: with a bucket that stumbles.

    Raises:
        UsageError, StorageError: as `patina.core.bucket.Bucket`.
    """

    def __init__(self, url: str, identity: Mapping[str, Any], patience: Patience | None = None) -> None:
        self._bucket = Bucket(f"{url.rstrip('/')}/{_key(identity)}", patience)
        self._spool = Path(tempfile.mkdtemp(prefix="patina-checkpoints-"))
        super().__init__(self._spool, identity)
        self.where = self._bucket.url
        self._wake = threading.Condition()
        self._saved: int | None = None  # newest step here
        self._sent: int | None = None  # newest step there
        self._closing = False
        self._fault: PatinaError | None = None
        self._thread = threading.Thread(target=self._send_all, name="checkpoints", daemon=True)
        self._thread.start()

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Makes `state` the newest one here, and has it sent.

        Raises:
            StorageError: this machine's folder for temporary files is full or read-only.
        """
        super().save(step, state)
        with self._wake:
            self._saved = step
            self._wake.notify()

    def newest(self) -> dict[str, Any] | None:
        """The newest state in the bucket that is whole, on the CPU; None if there is none. Damaged ones are logged and removed.

        Raises:
            StorageError: the bucket cannot be read.
        """
        for pointer in self._pointers():
            try:
                record = json.loads(self._bucket.read(pointer.key) or b"")
                path = self.folder / Path(pointer.key).with_suffix(".pt")
                self._bucket.fetch(f"{record['sha256']}.pt", path, size=record["bytes"], sha256=record["sha256"])
                storage.write_json(path.with_suffix(".json"), record)
            except (DataRefused, ValueError, KeyError, TypeError) as error:
                _LOG.warning("%s/%s is damaged (%s). Trying the checkpoint before it.", self.where, pointer.key, error)
                self._bucket.remove([pointer.key])
            else:
                self._saved = self._sent = _step(pointer)
                return super().newest()
        return None

    def clear(self) -> None:
        """Removes what is in the bucket: the training has ended well, so that a fault here is logged only."""
        self._stop(send=False)
        try:
            self._bucket.remove([stored.key for stored in self._bucket.listing()])
        except StorageError as error:
            _LOG.warning("the checkpoints of a finished training are left over: %s `patina prune` removes them.", error)
        super().clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Insists that the last state reaches the bucket; tells of the older one if it does not."""
        self._stop(send=True)
        shutil.rmtree(self._spool, ignore_errors=True)
        if self._saved != self._sent and self._fault is not None:
            _LOG.warning("the last state did not reach the bucket: %s", self._fault)
            if isinstance(error, Interrupted):
                older = "nothing is saved there" if self._sent is None else f"the one of step {self._sent} is there"
                raise Interrupted(
                    f"stopped; the last state did not reach {self.where}, {older} ({self._fault}) Run again to go on."
                ) from None

    def _pointers(self) -> list[Stored]:
        return sorted((each for each in self._bucket.listing("step-") if _POINTER.fullmatch(each.key)), key=_step, reverse=True)

    def _stop(self, *, send: bool) -> None:
        with self._wake:
            self._closing = True
            if not send:
                self._saved = self._sent
            self._wake.notify()
        self._thread.join()

    def _send_all(self) -> None:
        """The thread: sends the newest state whenever there is a newer one."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._saved != self._sent)
                step, last = self._saved, self._closing
            if step is not None and step != self._sent:
                self._send(step)
            with self._wake:
                if last and self._closing:
                    return
                if self._saved == step != self._sent:  # it failed: the next state, or the end, is the next attempt
                    self._wake.wait_for(lambda failed=step: self._closing or self._saved != failed)

    def _send(self, step: int) -> None:
        path = self.folder / f"step-{step:09d}.pt"
        try:
            record = storage.read_json(path.with_suffix(".json"))
            payload = f"{record['sha256']}.pt"
            self._bucket.put_file(path, payload, record["sha256"])
            self._bucket.put_bytes(f"step-{step:09d}.json", json.dumps(record).encode())
            self._sent, self._fault = step, None
            self._forget(payload)
        except PatinaError as error:
            self._fault = error
            _LOG.warning("the state of step %d is not in the bucket: %s The training goes on; the next one will be sent.", step, error)

    def _forget(self, newest: str) -> None:
        """Removes all but the newest states: the pointers first, so that none leads nowhere."""
        pointers = self._pointers()
        if old := [each.key for each in pointers[_KEPT:]]:
            named = {json.loads(self._bucket.read(each.key) or b"{}").get("sha256") for each in pointers[:_KEPT]}
            gone = {json.loads(self._bucket.read(key) or b"{}").get("sha256") for key in old} - named - {None}
            self._bucket.remove(old)
            self._bucket.remove([f"{sha256}.pt" for sha256 in gone if f"{sha256}.pt" != newest])


def open_store(checkpoints: str, identity: Mapping[str, Any]) -> CheckpointStore:
    """The store that `checkpoints` names: a folder, or `s3://bucket/prefix`. Use it in a `with` block.

    Raises:
        UsageError, StorageError: as the stores.
    """
    return BucketStore(checkpoints, identity) if is_bucket(checkpoints) else CheckpointStore(Path(checkpoints), identity)


def _key(identity: Mapping[str, Any]) -> str:
    return storage.digest_of(dict(identity))[:32]


def _step(stored: Stored) -> int:
    return int(Path(stored.key).stem.partition("-")[2])


def _checked(path: Path) -> dict[str, Any]:
    record = path.with_suffix(".json")
    expected = storage.read_json(record) if record.is_file() else None
    if expected is None:
        raise DataRefused(f"{path} has no digest beside it: its writer was stopped.")
    found = {"bytes": path.stat().st_size, "sha256": storage.sha256_file(path)}
    if found != expected:
        raise DataRefused(f"{path} is damaged: expected {expected}, found {found}.")
    return torch.load(path, map_location="cpu", weights_only=True)
