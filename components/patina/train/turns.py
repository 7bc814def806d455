"""When a training may run, and when it must stop: the lease of a GPU, and requests from outside to end."""

import fcntl
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from patina.core.errors import StorageError

_LOG = logging.getLogger(__name__)


@contextmanager
def lease(device: str) -> Generator[None]:
    """Waits until no other training of this user on this machine holds `device`, and holds it for the block.

    The lock is the kernel's: it ends with the process, however that ends.

    Args:
        device: name of the device, unique on the machine (a GPU's UUID); letters, digits, `-`.

    Raises:
        StorageError: the lock file cannot be opened.
    """
    path = Path(tempfile.gettempdir()) / f"patina-{os.getuid()}-{device}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"cannot open the lock file {path}: {error.strerror or error}. Remove it.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOG.info("waiting for %s: another training holds it", device)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def stop_requests() -> Generator[Callable[[], bool]]:
    """Turns SIGTERM and SIGINT into a question: yields a function that says whether one has come.

    A second signal of the same kind does what it did before the block. Outside the main thread, where Python takes no
    signal handlers, the answer stays no.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)}

    def remember(kind: int, _: FrameType | None) -> None:
        asked.set()
        signal.signal(kind, before[signal.Signals(kind)])

    for kind in before:
        signal.signal(kind, remember)
    try:
        yield asked.is_set
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
