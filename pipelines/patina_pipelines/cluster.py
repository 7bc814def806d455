"""The connection to a Kubeflow Pipelines backend: who asks, how long a call may take, and which failures are worth another try.

`kfp.Client` knows how to authenticate, and is used for all calls. It has no timeouts, gives up on a 503, and prints; this module
adds what a program needs that waits for hours.
"""

import contextlib
import io
import json
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import kfp
import urllib3
from kfp.client.token_credentials_base import TokenCredentialsBase
from kfp_server_api import ApiException

from patina.core.errors import PatinaError, StorageError, UsageError

REQUEST_SECONDS = (5.0, 60.0)
"""Longest wait for a connection and for an answer; an answer with many tasks takes the backend a few seconds."""
PATIENCE_SECONDS = 120.0
"""How long an unreachable backend is asked again before a run exists; a rolling update of its API server takes about a minute."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0
_PASSING = (429, 500, 502, 503, 504)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Login:
    """Where the backend is and how to introduce oneself. Secrets are paths, so that no command line or log holds one."""

    host: str | None = None
    """Address of the API or of the UI; None for `kfp.Client`'s own search: in-cluster, then kubeconfig."""
    namespace: str | None = None
    """Namespace of the runs, for a backend in multi-user mode."""
    token_file: Path | None = None
    """File with a bearer token; read again for every request, because mounted tokens are renewed."""
    cookies_file: Path | None = None
    """File with the value of the `Cookie` header, as a login proxy wants it."""
    ca_file: Path | None = None
    """Certificate authority of the backend, in PEM."""
    ui: str | None = None
    """Address that people open, where it differs from `host`."""

    def link(self, run_id: str) -> str:
        """The page of a run in the UI, or its id where no address is known."""
        place = self.ui or self.host
        return f"{place.rstrip('/')}/#/runs/details/{run_id}" if place else f"run {run_id}"

    def place(self) -> str:
        """How messages name the backend."""
        return self.host or "the cluster's own backend"


class _TokenFile(TokenCredentialsBase):
    def __init__(self, path: Path) -> None:
        self.path = path

    def refresh_api_key_hook(self, config: Any) -> None:  # the client calls it before every request
        config.api_key["authorization"] = read_secret(self.path, "--token-file")


class _Client(kfp.Client):
    """`kfp.Client` without its 25 seconds of retries on a refused login, and without the file that it writes into the home folder."""

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - the base class's signature
        _harden(self._healthz_api.api_client)  # the constructor asks, before anybody else can
        return self._healthz_api.healthz_service_get_healthz()

    def set_user_namespace(self, namespace: str) -> None:
        self._context_setting["namespace"] = namespace


@dataclass(frozen=True)
class Backend:
    """An open connection."""

    client: Any
    """A `kfp.Client`; its generated models call every field optional, which no type checker can use."""
    login: Login

    def ask(self, call: Callable[[], Result], *, until: float | None = None, again: Callable[[], Result] | None = None) -> Result:
        """Calls the backend until it answers, with growing waits.

        Args:
            call: what to ask by `client`; must be safe to repeat unless `again` is given.
            until: `time.monotonic()` after which a failure is final; by default `PATIENCE_SECONDS` after the first one.
            again: called instead of a plain repetition after a failure that leaves open whether the request was carried out.

        Raises:
            UsageError: the backend refuses the request; its words are in the message.
            StorageError: it refuses the login (at once), or is out of reach for too long.
        """
        return _insist(call, self.login, until, again)

    def log(self, run_id: str, pod: str) -> str:
        """The log of a pod of a run, as far as the backend can still read it.

        Raises:
            ApiException: it cannot.
            urllib3.exceptions.HTTPError: the connection failed.
        """
        api = self.client._run_api.api_client  # kfp.Client itself has no call for logs
        path = "/apis/v1alpha1/runs/{run}/nodes/{pod}/log"
        values = {"run": run_id, "pod": pod}
        return api.call_api(path, "GET", values, response_type="str", auth_settings=["Bearer"], _return_http_data_only=True)


def connect(login: Login) -> Backend:
    """Opens a connection to the backend of `login`.

    Raises:
        UsageError, StorageError: as `Backend.ask`.
    """
    for path, option in ((login.token_file, "--token-file"), (login.cookies_file, "--cookies-file")):
        if path is not None:
            read_secret(path, option)
    client: Any = _insist(lambda: _open(login), login)
    _harden(client._run_api.api_client)
    return Backend(client, login)


def read_secret(path: Path, option: str) -> str:
    """The content of a secret's file, for a header: one line.

    Raises:
        UsageError: the file cannot be read, is empty, or has several lines.
    """
    try:
        content = path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{option}: cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}. Name a file that holds it."
        ) from None
    if not content or len(content.splitlines()) > 1:
        raise UsageError(f"{option}: {path} should hold one line, but is empty or longer.")
    return content


def _open(login: Login) -> kfp.Client:
    return _Client(
        host=login.host,
        namespace=login.namespace or "kubeflow",  # kfp's word for "none given"
        credentials=_TokenFile(login.token_file) if login.token_file else None,
        cookies=read_secret(login.cookies_file, "--cookies-file") if login.cookies_file else None,
        ssl_ca_cert=str(login.ca_file) if login.ca_file else None,
        ui_host=login.ui,
    )


def _harden(api: Any) -> None:
    """Gives every request of the object that makes them all a time limit, and its errors the body that the library wants to decode."""
    if "request" in vars(api):
        return
    plain = api.request

    def request(*arguments: Any, **options: Any) -> Any:
        options["_request_timeout"] = options.get("_request_timeout") or REQUEST_SECONDS
        try:
            response = plain(*arguments, **options)
            if str(response.urllib3_response.headers.get("content-type")).startswith("text/html"):
                raise ApiException(status=401, reason="a page for people")  # a proxy leads who is not logged in to its login page
        except ApiException as error:
            error.body = error.body or (error.reason or "").encode()
            raise
        return response

    api.request = request


def _insist(call: Callable[[], Result], login: Login, until: float | None = None, again: Callable[[], Result] | None = None) -> Result:
    wait, ask = _FIRST_WAIT, call
    while True:
        try:
            with _quiet():
                return ask()
        except ApiException as error:
            failure: Exception = error
            if error.status not in _PASSING:
                raise _refused(error, login) from None
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            failure = error
        ask = again or call
        until = time.monotonic() + PATIENCE_SECONDS if until is None else until
        if time.monotonic() + wait > until:
            words = _without_secrets(_words(failure), login)
            raise StorageError(f"{login.place()} is out of reach: {words}. Check the address and the connection, then ask again.") from None
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _refused(error: ApiException, login: Login) -> PatinaError:
    # the body of a refused login is not shown: a proxy may repeat the header in it
    match error.status:
        case 401 | 403:
            word = "does not know who asks (401)" if error.status == 401 else "knows who asks and forbids it (403)"
            remedy = (
                f"Renew what {login.token_file or login.cookies_file} holds"
                if login.token_file or login.cookies_file
                else "Give --token-file"
            )
            where = f"namespace {login.namespace}" if login.namespace else "the backend"
            return StorageError(f"{login.place()} {word}. {remedy}, or ask for access to {where}.")
        case 0:
            return StorageError(f"{login.place()} shows a certificate that cannot be believed: {_words(error)}. Give --ca-file.")
        case _:
            return UsageError(f"{login.place()} refuses the request ({error.status}): {_without_secrets(_words(error), login)}")


def _without_secrets(text: str, login: Login) -> str:
    for path, option in ((login.token_file, "--token-file"), (login.cookies_file, "--cookies-file")):
        text = text.replace(read_secret(path, option), "(secret)") if path else text
    return text


def _words(error: Exception) -> str:
    """What went wrong, in one short line."""
    if isinstance(error, ApiException):
        text = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or error.reason or "")
        with contextlib.suppress(ValueError):
            answer = json.loads(text)
            text = str(answer.get("message") or answer.get("error") or text) if isinstance(answer, dict) else text
        text = f"{error.status} {text}" if error.status in _PASSING else text
    else:
        cause = getattr(error, "reason", None) or error
        text = f"{type(cause).__name__}: {str(cause).rpartition('>: ')[2]}"
    return " ".join(text.split())[:300]


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keeps kfp's own prints (links to every object) and its warning about old servers off the screen."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)
        yield
