"""Every way to ask for an orderly stop ends in the same place."""

import os
import signal
import time

import pytest

from patina_pipelines.interrupts import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_scheduler_s_signals_are_what_ctrl_c_is(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)


def test_the_time_limit_interrupts_a_wait() -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interruptible(0.05):
        signal.pause()
    assert time.monotonic() - began >= 0.05


def test_a_block_that_ends_in_time_leaves_no_alarm_and_the_old_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)]
    with interruptible(60.0):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)] == before


def test_a_stop_that_was_asked_for_is_not_broken_into_by_the_clock() -> None:
    left = [60.0]

    def stop() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            left[0] = signal.getitimer(signal.ITIMER_REAL)[0]

    with pytest.raises(KeyboardInterrupt), interruptible(60.0):
        stop()
    assert left == [0.0]
