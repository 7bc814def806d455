"""The ways in which a person, a scheduler or the clock asks for an orderly stop: all of them are what Ctrl-C is, `KeyboardInterrupt`."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(seconds: float | None = None) -> Generator[None]:
    """Makes SIGTERM, SIGHUP and, after `seconds` of wall time, the clock raise `KeyboardInterrupt` inside the block; main thread only.

    Args:
        seconds: time after which the block is interrupted; None sets no limit.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)  # the clock must not break into the orderly stop that follows
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
