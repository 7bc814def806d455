"""Objects in an S3 bucket: sent and fetched whole or not at all, their SHA-256 proven both ways.

A key that holds the SHA-256 of its object needs no lock: writers of the same key write the same bytes. What can differ
between writers is written by `put_new` once and for all, or is a small object that is replaced as a whole and written last.

Requests are repeated until a deadline (`patina.core.bucket_access.Patience`) where the fault may pass: refused or lost
connections, names that do not resolve, silence, 5xx, SlowDown, a body that arrived damaged. Wrong or expired credentials and
missing buckets fail at once.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeVar, cast

from minio.error import InvalidResponseError, MinioException, S3Error
from urllib3.exceptions import HTTPError

from patina.core import storage
from patina.core.bucket_access import CREDENTIAL_REMEDY, PARALLEL, GaveUp, Patience, Waiting, client, fault
from patina.core.errors import DataRefused, StorageError, UsageError

SCHEME: Final = "s3://"
PART: Final = 16 << 20
"""Bytes of one part of a large object: what a worker holds in memory, and what is sent again when a connection breaks."""
_BLOCK: Final = 1 << 20
_BODIES: Final = 3
"""How often an object may arrive with a wrong SHA-256."""
_MOST_PARTS: Final = 10_000
_URL: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#@]*))?")
_KEY: Final = re.compile(r"[A-Za-z0-9!_()'*., =+-]{1,200}(/[A-Za-z0-9!_()'*., =+-]{1,200}){0,15}")
_MISSING: Final = {"NoSuchKey", "NoSuchBucket", "NotFound"}
_NO_BUCKET: Final = {"NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "Redirect"}
_ABOUT_CREDENTIALS: Final = re.compile("Token|Expired|Credential|Auth|Signature|AccessKey")
"""Some servers refuse expired credentials with status 400."""

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Stored:
    """An object as the bucket lists it.

    Attributes:
        key: below the bucket's prefix.
        bytes: its size.
        modified: when it was written, with time zone.
    """

    key: str
    bytes: int
    modified: datetime


def is_bucket(url: str) -> bool:
    """Whether `url` names a bucket."""
    return url.startswith(SCHEME)


def check_key(key: str) -> str:
    """`key`, if it stays where it is put: parts of letters, digits and harmless signs.

    Raises:
        DataRefused: it is no such key.
    """
    if not _KEY.fullmatch(key) or {".", ".."} & set(key.split("/")):
        raise DataRefused(f"{key!r:.120} is no name for an object. Expected letters, digits, '-', '_' and '.', parted by '/'.")
    return key


class Bucket:
    """Objects below `s3://bucket/prefix`; every key is relative to it. Safe for threads.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`. The server's address and the credentials are this machine's: see
            `patina.core.bucket_access`.
        patience: with a server that stumbles.

    Raises:
        UsageError: `url` is no such address.
        StorageError: no credentials or refused ones, no such bucket, or no server until the deadline.
    """

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            shown = "an address with '@' (not repeated here)" if "@" in url else repr(url[:120])
            raise UsageError(f"{shown} names no bucket. Expected s3://bucket or s3://bucket/prefix.")
        self.name = match["bucket"]
        self._prefix = (match["prefix"] or "").strip("/")
        if self._prefix:
            check_key(self._prefix)
        self.url = f"{SCHEME}{self.name}/{self._prefix}".rstrip("/")
        self.patience = patience or Patience()
        self._minio, self._server = client(self.patience)
        with self._told("open"):
            next(iter(self._minio.list_objects(self.name, prefix=self._path("none-such"), recursive=True)), None)

    def __repr__(self) -> str:
        return f"Bucket({self.url!r})"

    def put_file(self, path: Path, key: str, sha256: str) -> None:
        """Sends the file `path` in parts of 16 MiB; the object appears when all have arrived.

        Args:
            path: what to send.
            key: where to.
            sha256: 64 hex digits that the file's content must have.

        Raises:
            DataRefused: the file has another content; nothing appears in the bucket.
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        try:
            with path.open("rb") as stream:
                size = path.stat().st_size
                part = max(PART, -(-size // (_MOST_PARTS - 1)))
                proven = cast("BinaryIO", _Proven(stream, size, sha256, path))
                with self._told(f"send {key}"):
                    self._minio.put_object(self.name, self._path(key), proven, size, part_size=part, num_parallel_uploads=1)
        except OSError as error:
            raise DataRefused(f"cannot read {path}: {error.strerror or error}.") from error

    def put_bytes(self, key: str, content: bytes) -> None:
        """Writes a small object, over an older one.

        Raises:
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        with self._told(f"write {key}"):
            self._minio.put_object(self.name, self._path(key), BytesIO(content), len(content))

    def put_new(self, key: str, content: bytes) -> bool:
        """Writes a small object unless there is one; of several writers at once one succeeds.

        minio's `put_object` sends a condition under another name, and overwrites: this sends the header itself.

        Returns:
            Whether `content` is there now, written by this call or by an earlier one.

        Raises:
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        headers: dict[str, str | list[str] | tuple[str]] = {"If-None-Match": "*", "Content-Type": "application/octet-stream"}
        with self._told(f"write {key}"):
            try:
                self._minio._execute(  # pyright: ignore[reportPrivateUsage] # a presigned URL would put the session token into logs
                    "PUT", self.name, self._path(key), body=content, headers=headers
                )
            except S3Error as error:
                if error.response.status != 412:
                    raise
            else:
                return True
        return self.read(key) == content  # a repeated request may have met what its first attempt wrote

    def read(self, key: str) -> bytes | None:
        """The content of a small object; None if there is none.

        Raises:
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        waiting = Waiting(self.patience)
        with self._told(f"read {key}"):
            while True:
                try:
                    with closing(self._minio.get_object(self.name, self._path(key))) as response:
                        return response.read()
                except S3Error as error:
                    if error.code not in _MISSING:
                        raise
                    return None
                except HTTPError as error:
                    waiting.failed(f"read {key}", fault(error))

    def fetch(self, key: str, path: Path, *, size: int, sha256: str) -> Path:
        """Brings an object into the file `path`, or finds it there.

        It grows as `NAME.part`, which outlives the process: a later call asks for the missing bytes only.

        Args:
            key: of the object.
            path: where to; its folder is made if it is missing.
            size: expected bytes.
            sha256: expected digest, 64 hex digits.

        Raises:
            DataRefused: no such object, or it arrived three times with another size or SHA-256.
            StorageError: the bucket refuses, cannot be reached until the deadline, or `path` cannot be written.
        """
        part = path.with_name(f"{path.name}.part")
        found = "?"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                path.replace(part)
            for _ in range(_BODIES):
                self._receive(key, part, size)
                found = storage.sha256_file(part)
                if found == sha256:
                    return part.replace(path)
                part.unlink()
        except OSError as error:
            raise StorageError(f"cannot keep {path}: {error.strerror or error}. Free space or choose a writable folder.") from error
        raise DataRefused(
            f"{key} of {self.url} has sha256 {found[:12]}, expected {sha256[:12]} ({_BODIES} attempts). It is damaged: send it again."
        )

    def listing(self, prefix: str = "") -> Iterator[Stored]:
        """Every object whose key begins with `prefix`, in the order of their keys.

        Raises:
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        root = f"{self._prefix}/" if self._prefix else ""
        with self._told("list"):
            for entry in self._minio.list_objects(self.name, prefix=root + prefix, recursive=True):
                if not entry.is_dir and entry.object_name and entry.last_modified:
                    yield Stored(entry.object_name.removeprefix(root), entry.size or 0, entry.last_modified)

    def remove(self, keys: Iterable[str]) -> None:
        """Removes objects; those that are gone already are no fault.

        Raises:
            StorageError: the bucket refuses, or cannot be reached until the deadline.
        """
        # one request each: Google's interoperable interface has no request for many
        in_parallel(self._remove, keys)

    def _path(self, key: str) -> str:
        check_key(key)
        return f"{self._prefix}/{key}" if self._prefix else key

    def _remove(self, key: str) -> None:
        with self._told(f"remove {key}"):
            try:
                self._minio.remove_object(self.name, self._path(key))
            except S3Error as error:
                if error.code not in _MISSING:
                    raise

    def _receive(self, key: str, part: Path, size: int) -> None:
        """Adds to `part` what it lacks; attempts that bring a block are no failures."""
        waiting = Waiting(self.patience)
        part.touch()
        with self._told(f"fetch {key}"):
            while (have := part.stat().st_size) != size:
                if have > size:
                    os.truncate(part, 0)
                    have = 0
                try:
                    self._append(key, part, have, size)
                    reason = "the body is too short or too long"
                except S3Error as error:
                    if error.code in _MISSING:
                        raise DataRefused(f"{self.url} has no object {key}. Send it again.") from None
                    if error.response.status == 416:
                        raise DataRefused(f"{key} of {self.url} is shorter than {size} bytes. It is damaged: send it again.") from None
                    raise
                except HTTPError as error:
                    reason = fault(error)
                now = part.stat().st_size
                if now >= have + _BLOCK:
                    waiting.gained()
                if now != size:
                    waiting.failed(f"fetch {key}", reason)

    def _append(self, key: str, part: Path, have: int, size: int) -> None:
        response = self._minio.get_object(self.name, self._path(key), offset=have)
        with closing(response), part.open("ab" if response.status == 206 else "wb") as stream:
            begins = have if response.status == 206 else 0
            announced = response.headers.get("Content-Length")
            if announced is not None and begins + int(announced) != size:
                raise DataRefused(
                    f"{key} of {self.url} has {begins + int(announced)} bytes, expected {size}. It is damaged: send it again."
                )
            for block in response.stream(_BLOCK):
                stream.write(block)
                stream.flush()  # a killed process leaves what had arrived
                if stream.tell() > size:
                    return

    @contextmanager
    def _told(self, what: str) -> Generator[None]:
        """Turns the library's errors into ours. Theirs are not kept as cause: they may quote headers and addresses."""
        try:
            yield
        except GaveUp as error:
            raise StorageError(f"cannot {what} at {self.url}: {error} (server {self._server}).") from None
        except S3Error as error:
            raise StorageError(f"cannot {what} at {self.url}: {self._refusal(error)}") from None
        except InvalidResponseError as error:
            status = cast("Any", error)._code  # the body is not repeated: a proxy's page may quote the request
            raise StorageError(
                f"cannot {what} at {self.url}: {self._server} answers {status} without saying why. Is it an S3 server?"
            ) from None
        except (MinioException, HTTPError, ValueError) as error:
            raise StorageError(f"cannot {what} at {self.url}: {type(error).__name__} from {self._server}. Is it an S3 server?") from None

    def _refusal(self, error: S3Error) -> str:
        status, code = error.response.status, error.code or "no code"
        if code in _NO_BUCKET or status == 404:
            return f"there is no bucket {self.name} ({code}, server {self._server}). Create it or correct the name."
        if "Skewed" in code:
            return f"refused with {code} (server {self._server}). Set this machine's clock."
        if status in (401, 403) or (status == 400 and _ABOUT_CREDENTIALS.search(code)):
            return f"refused with {code} (server {self._server}). {CREDENTIAL_REMEDY}"
        return f"refused with {code}, status {status} (server {self._server})."


def in_parallel(action: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    """The results of `action` for every item, in their order, four at a time. After an error nothing more begins, and it is raised."""
    stop = threading.Event()

    def guarded(item: _T) -> list[_R]:
        if stop.is_set():
            return []
        try:
            return [action(item)]
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(guarded, item) for item in items]
        try:
            return [result for future in futures for result in future.result()]
        finally:
            stop.set()  # an interruption from the keyboard comes here


class _Proven:
    """A stream that refuses its last bytes if all together have another SHA-256 than announced."""

    def __init__(self, stream: IO[bytes], size: int, sha256: str, path: Path) -> None:
        self._stream, self._left, self._expected, self._path = stream, size, sha256, path
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(min(size, self._left) if size >= 0 else self._left)
        self._digest.update(block)
        self._left -= len(block)
        if (self._left == 0 or not block) and (self._left or self._digest.hexdigest() != self._expected):
            raise DataRefused(f"{self._path} was changed while it was sent. Send it again when nobody writes it.")
        return block
