"""Files over HTTP that arrive whole or not at all: resumed where a connection was cut, retried within bounds, proven by SHA-256.

A file grows as `NAME.part` and becomes `NAME` when its SHA-256 is right. `NAME.part` outlives the process, so that a later
call asks for the missing bytes only.

`huggingface_hub` gives the session (proxies, certificates, offline mode), the token and the errors. Its downloader is not
used: version 2.4 deletes a partial file when the process ends or the connection is reset, waits as long as `Retry-After`
says, and lists a repository without a time-out.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from patina.core import storage
from patina.core.errors import PatinaError, StorageError

REMEDY: Final = "Check the connection (HF_ENDPOINT names a mirror), or use --data with a folder, or --data sample."
_REMEDIES: Final = {
    401: "Renew or unset HF_TOKEN, or use --data with a folder.",
    403: "Set HF_TOKEN to a token that may read it, or use --data with a folder.",
    404: "Check that HF_ENDPOINT names a hub that has it, or use --data with a folder, or --data sample.",
}
_PASSING: Final = {408, 425, 429}
"""Client errors that pass with time; the others are final."""
_BODIES: Final = 3
"""How often a file may arrive with a wrong SHA-256."""
_GAIN: Final = 1 << 20
"""Bytes that make an attempt count as fruitful: a file of 400 MB can be cut 400 times and still arrives."""
_ADDRESS: Final = re.compile(r"\bhttps?://\S+")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Patience:
    """How long a server that stumbles is waited for: with the defaults half a minute, and two of silence.

    Attributes:
        attempts: fruitless attempts in a row after which the server is given up, at least 1.
        first_wait: seconds before the second attempt; every further wait is twice as long.
        longest_wait: bound of a wait in seconds, also where the server asks for more (`Retry-After`).
        silence: seconds without a byte after which an attempt has failed.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    silence: float = 20.0


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, as its listing describes it.

    Attributes:
        name: path in the repository; its last part is a safe file name.
        url: where it is.
        size: in bytes, at least 1.
        sha256: 64 hex digits.
    """

    name: str
    url: str
    size: int
    sha256: str


class _Faltered(Exception):
    """The server answered with something else than what was asked for; the message says what."""


def fetch(file: RemoteFile, folder: Path, patience: Patience) -> Path:
    """Brings `file` into `folder` (made if missing), or finds it there, and returns its path.

    Raises:
        StorageError: out of patience, refused, thrice another SHA-256, or `folder` cannot be written.
    """
    whole = folder / Path(file.name).name
    part = whole.with_name(f"{whole.name}.part")
    origin = without_password(file.url.removesuffix(f"/{file.name}"))
    found = "?"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if whole.exists():  # from an earlier call: it is proven again like one that has just arrived
            whole.replace(part)
        for _ in range(_BODIES):
            insist(lambda: _receive(file, part, patience.silence), f"fetch {file.name} from {origin}", patience, lambda: _size(part))
            found = storage.sha256_file(part)
            if found == file.sha256:
                return part.replace(whole)
            _log.warning("%s arrived with sha256 %s, expected %s: from the beginning again", file.name, found, file.sha256)
            part.unlink()
    except OSError as error:
        raise StorageError(f"cannot keep {whole}: {error.strerror or error}. Free space or choose a writable folder.") from error
    raise StorageError(
        f"{file.name} from {origin} has sha256 {found[:12]}, the hub lists {file.sha256[:12]} ({_BODIES} attempts). "
        "Try again later, or without the mirror or proxy in between."
    )


def insist(action: Callable[[], _T], what: str, patience: Patience, progress: Callable[[], int] = lambda: 0) -> _T:
    """The result of `action`, tried again while the fault may pass; attempts that add `_GAIN` to `progress()` are not counted.

    Args:
        action: makes one request.
        what: completes "cannot ..." in messages.
        patience: bounds.
        progress: bytes that are there.

    Raises:
        StorageError: refused, out of patience, or a local fault (disk, certificates).
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    failures, reached = 0, progress()
    while True:
        asked = 0.0
        try:
            return action()
        except PatinaError:
            raise
        except OfflineModeIsEnabled as error:
            raise StorageError(f"cannot {what}: HF_HUB_OFFLINE is set. {REMEDY}") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if 400 <= status < 500 and status not in _PASSING:
                raise StorageError(f"cannot {what}: refused with HTTP status {status}. {_REMEDIES.get(status, REMEDY)}") from error
            fault, reason, asked = error, f"HTTP status {status}", _seconds(error.response.headers.get("Retry-After", ""))
        except OSError as error:
            raise StorageError(f"cannot {what}: {error}. Check the free space, the folder's rights and SSL_CERT_FILE.") from error
        except Exception as error:  # the HTTP library's errors: huggingface_hub 1 and 2 use different libraries
            fault, reason = error, _reason(error)
        fruitful = progress() >= reached + _GAIN
        reached = max(reached, progress())
        failures = 0 if fruitful else failures + 1
        _log.warning("cannot %s yet (%s): %d of %d fruitless attempts", what, reason, failures, patience.attempts)
        if failures >= patience.attempts:
            raise StorageError(f"cannot {what} after {failures} attempts ({reason}). {REMEDY}") from fault
        time.sleep(min(patience.longest_wait, max(asked, patience.first_wait * 2 ** max(0, failures - 1))))


def request_headers(**headers: str) -> dict[str, str]:
    """`headers` with the token, where there is one, and the client's name."""
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers(library_name="patina", headers=headers)


def without_password(url: str) -> str:
    """`url` without user and password, for messages."""
    return re.sub(r"//[^/@]*@", "//", url)


def _receive(file: RemoteFile, part: Path, silence: float) -> None:
    """Adds to `part` what it lacks, with one request."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import hf_raise_for_status

    have = _size(part)
    if have == file.size:
        return
    if have > file.size:
        part.unlink()
        have = 0
    headers = request_headers(**{"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {}))
    with get_session().stream("GET", file.url, headers=headers, timeout=silence) as response:
        shown = response.headers.get("Content-Range", "")
        if response.status_code == 416 or (response.status_code == 206 and not shown.startswith(f"bytes {have}-")):
            part.unlink(missing_ok=True)  # ranges mean something else to this server: the next attempt asks for the whole
            raise _Faltered(f"bytes from {have} asked for, {response.status_code} with {shown!r:.60} came")
        hf_raise_for_status(response)
        with part.open("ab" if response.status_code == 206 else "wb") as stream:  # 200: everything from the beginning
            for block in response.iter_bytes():
                stream.write(block)
                stream.flush()  # a killed process leaves what had arrived
                if stream.tell() > file.size:
                    break
    received = _size(part)
    if received > file.size:
        part.unlink()
        raise _Faltered(f"more came than the {file.size} bytes that are listed")
    if received < file.size:
        raise _Faltered(f"the body ended after {received} of {file.size} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _reason(error: Exception) -> str:
    """The first line of `error` without addresses: those of storage servers carry signatures."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {_ADDRESS.sub('...', lines[0]):.160}" if lines else type(error).__name__
