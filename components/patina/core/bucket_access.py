"""How a bucket is reached: address, certificates and credentials of this machine, and patience with a server that stumbles.

| where it stands | what it says |
|---|---|
| `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` | address of the server; without them AWS |
| `AWS_REGION`, `AWS_DEFAULT_REGION` | region; seldom needed elsewhere than on AWS |
| `AWS_CA_BUNDLE`, `SSL_CERT_FILE` | file with the certificates of an authority of one's own |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | credentials |
| `PATINA_S3_SECRET` | folder with files of these three names: a mounted Kubernetes secret |
| `AWS_SHARED_CREDENTIALS_FILE`, `~/.aws/credentials`, `AWS_PROFILE` | credentials in a file |
| instance, container or web identity role | credentials of the machine or service account |

All of it says where data lie and who asks, never what becomes of them. Files are read anew for every request, so that a
credential that is renewed in a mounted file is used from then on. No error or log line of this module quotes a credential, and
errors are raised without the library's own one, whose text may.
"""

import configparser
import logging
import os
import re
import secrets
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, EnvAWSProvider, IamAwsProvider, Provider
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError, SSLError

from patina.core.errors import StorageError, UsageError

PARALLEL: Final = 4
"""Objects that are sent or fetched at once. More gains little on one disk, and each holds a part of 16 MiB in memory."""
CREDENTIAL_REMEDY: Final = "Renew the credentials (AWS_ACCESS_KEY_ID, PATINA_S3_SECRET or AWS_SHARED_CREDENTIALS_FILE) or their rights."
_AWS: Final = "s3.amazonaws.com"
_PASSING_STATUS: Final = {408, 425, 429}
_PASSING_CODES: Final = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
}
"""Refusals that pass with time, or with a body that arrives whole; they come with status 4xx from some servers."""
_CODE: Final = re.compile(rb"<Code>(\w{1,60})</Code>")

_log = logging.getLogger(__name__)
_chance = secrets.SystemRandom()  # spreads waits only; the generators that decide results are not touched


@dataclass(frozen=True)
class Patience:
    """How long a server that stumbles is waited for.

    Attributes:
        deadline: seconds from the first failure of a request until it is given up; at most 600, because a signed request is
            valid for 15 minutes.
        first_wait: seconds before the second attempt; every further wait is twice as long, less up to a half by chance, so that
            many clients do not come back at once.
        longest_wait: bound of a wait in seconds, also where the server asks for more (`Retry-After`).
        silence: seconds without a byte after which an attempt has failed.
    """

    deadline: float = 120.0
    first_wait: float = 0.25
    longest_wait: float = 15.0
    silence: float = 20.0


class GaveUp(Exception):
    """The server cannot be reached, or stumbled until the deadline; the message says how, without credentials."""


class Waiting:
    """The failures of one request in a row."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._until = 0.0

    def gained(self) -> None:
        """Forgets the failures: the last attempt brought something."""
        self._failures = 0

    def failed(self, what: str, reason: str, asked: float = 0.0) -> None:
        """Waits before the next attempt.

        Args:
            what: the request, for the log.
            reason: what went wrong.
            asked: seconds that the server asks to wait.

        Raises:
            GaveUp: the deadline would pass meanwhile.
        """
        now = time.monotonic()
        if self._failures == 0:
            self._until = now + self._patience.deadline
        self._failures += 1
        wait = self._patience.first_wait * 2 ** min(self._failures - 1, 30) * _chance.uniform(0.5, 1)
        wait = min(self._patience.longest_wait, max(asked, wait))
        if now + wait > self._until:
            raise GaveUp(f"{reason}; {self._failures} attempts in {self._patience.deadline:g} s")
        _log.warning("%s failed (%s): again in %.1f s", what, reason, wait)
        time.sleep(wait)


class PatientPool(urllib3.PoolManager):
    """Connections that repeat a request while its fault may pass. Bodies are bytes, so that they can be sent again."""

    def __init__(self, patience: Patience, certificates: str) -> None:
        timeout = urllib3.Timeout(connect=patience.silence, read=patience.silence)
        super().__init__(timeout=timeout, retries=False, maxsize=PARALLEL, cert_reqs="CERT_REQUIRED", ca_certs=certificates)
        self.patience = patience

    def urlopen(  # pyright: ignore[reportIncompatibleMethodOverride] # urllib3's overloads are wider than what minio calls
        self, method: str, url: str, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """What `urllib3.PoolManager.urlopen` does, until the deadline; redirections are answers like others.

        Raises:
            GaveUp: the deadline has passed, or the server's certificate is not trusted.
        """
        waiting = Waiting(self.patience)
        what = f"{method} {urlsplit(url).path}"  # the query may hold a signature
        while True:
            asked = 0.0
            try:
                response = super().urlopen(method, url, redirect=False, **options)
                reason = _passing(response, whole=options.get("preload_content", True))
                if reason is None:
                    return response
                asked = seconds(response.headers.get("Retry-After", ""))
                response.release_conn()
            except HTTPError as error:
                if isinstance(error, SSLError) and error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
                    raise GaveUp(f"its certificate is not trusted ({error.args[0].verify_message}); set AWS_CA_BUNDLE") from None
                reason = fault(error)
            if method == "DELETE" and "uploadId=" in url:  # tidying after a failed upload, which has waited already
                raise GaveUp(reason)
            waiting.failed(what, reason, asked)


def client(patience: Patience) -> tuple[Minio, str]:
    """A client as this machine is set up, and the server's address for messages.

    Raises:
        UsageError: an address or certificate file that is none.
        StorageError: no credentials.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or f"https://{_AWS}"
    parts = urlsplit(endpoint)
    if parts.username or parts.password or "@" in endpoint:
        raise UsageError("AWS_ENDPOINT_URL holds a user or password (not repeated here). Give the bare address; credentials go elsewhere.")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError(f"AWS_ENDPOINT_URL is {endpoint!r:.80}, expected https (or http) and a host, perhaps with a port.")
    certificates = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()
    try:
        ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise UsageError(f"AWS_CA_BUNDLE names {certificates}, which is no file of certificates ({error.strerror or error}).") from error
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or (None if parts.hostname == _AWS else "us-east-1")
    chain = _Chain(patience)
    chain.retrieve()
    pool = PatientPool(patience, certificates)
    minio = Minio(parts.netloc, secure=parts.scheme == "https", region=region, http_client=pool, credentials=chain)
    return minio, f"{parts.scheme}://{parts.netloc}"


def fault(error: BaseException) -> str:
    """What went wrong on the line, in words that quote neither address nor header."""
    match error:
        case NameResolutionError():
            return "the server's name is not known"
        case NewConnectionError():
            return "connection refused or unreachable"
        case ReadTimeoutError() | urllib3.exceptions.TimeoutError():
            return "the server fell silent"
        case _:
            return f"connection lost, {type(error).__name__}"


def seconds(text: str) -> float:
    """The seconds of a `Retry-After` header; 0 if it holds none."""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _passing(response: urllib3.BaseHTTPResponse, *, whole: bool) -> str | None:
    """Why an answer is worth another attempt; None if it is final. A body that is not yet read is left to the caller."""
    code = _CODE.search(response.data) if whole and response.status >= 400 else None
    name = code[1].decode() if code else ""
    if (response.status >= 500 and response.status != 501) or response.status in _PASSING_STATUS or name in _PASSING_CODES:
        return f"status {response.status} {name}".rstrip()
    return None


class _Chain(Provider):
    """Credentials from the first place that has any. A role's are kept by its provider until they expire."""

    def __init__(self, patience: Patience) -> None:
        # a machine without a role has nobody who answers, and should hear so at once
        role = urllib3.PoolManager(timeout=urllib3.Timeout(min(2.0, patience.silence)), retries=False)
        self._places: list[Provider] = [EnvAWSProvider(), _Mounted(), AWSConfigProvider()]
        if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
            self._places.append(IamAwsProvider(http_client=role))

    def retrieve(self) -> Credentials:
        unreadable = None
        for provider in self._places:
            try:
                return provider.retrieve()
            except (ValueError, KeyError, OSError, HTTPError):
                continue
            except configparser.Error as error:
                unreadable = type(error).__name__
        if unreadable is not None:  # raised here, without context: the parser's error quotes the line that it cannot read, the secret
            raise StorageError(
                f"the file of credentials cannot be read ({unreadable}). Expected [default], aws_access_key_id = ..., "
                "aws_secret_access_key = ..."
            )
        raise StorageError(
            "no credentials for the bucket. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PATINA_S3_SECRET to the folder of a "
            "mounted secret, or AWS_SHARED_CREDENTIALS_FILE."
        )


class _Mounted(Provider):
    """Credentials in the files of a mounted secret."""

    def retrieve(self) -> Credentials:
        folder = os.environ.get("PATINA_S3_SECRET")
        if not folder:
            raise ValueError("no mounted secret")
        token = Path(folder, "AWS_SESSION_TOKEN")
        return Credentials(
            access_key=Path(folder, "AWS_ACCESS_KEY_ID").read_text(encoding="utf-8").strip(),
            secret_key=Path(folder, "AWS_SECRET_ACCESS_KEY").read_text(encoding="utf-8").strip(),
            session_token=(token.read_text(encoding="utf-8").strip() or None) if token.is_file() else None,
        )
