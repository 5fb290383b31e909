"""Signals that ask long work to stop at its next checkpoint.

The first Ctrl-C or SIGTERM sets a `Stop`, which the work asks between two steps: it
saves and leaves by `Interrupted`. The second signal kills the process at once.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ns_tf.run.signals import handle, handled_signals


class Interrupted(BaseException):
    """A signal stopped the work after it had saved its state.

    Not an `Exception`, so that no `except Exception` catches it.

    Args:
        signum: The signal's number.
    """

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


class Stop:
    """Whether a signal asked the work to stop.

    `interruptible` connects it with signals. Without that it never stops:

    >>> Stop().requested
    False

    Args:
        patient: Whether further signals are taken like the first one; otherwise the
            second one kills.
    """

    def __init__(self, *, patient: bool = False):
        self.patient = patient
        self.signum: int | None = None

    @property
    def requested(self) -> bool:
        """Whether a signal came: then save the state and call `leave`."""
        return self.signum is not None

    def ask(self) -> None:
        """Brings `requested` up to date, where several processes stop together.

        They ask each other between two steps. In a single one a signal has done it.
        """

    def leave(self) -> None:
        """Ends the work if a signal asked for it.

        Raises:
            Interrupted: a stop was requested.
        """
        if self.signum is not None:
            raise Interrupted(self.signum)

    def _on_signal(self, signum: int, frame: Any) -> None:
        """Handles a signal, as of `signal.signal`."""
        self.signum = signum
        if self.patient:
            return
        restore_signals()
        if sys.stderr.isatty():
            # Not print(), which fails if the signal came during another print().
            os.write(2, b"\nStopping at the next checkpoint; again to stop at once.\n")


def restore_signals() -> None:
    """Lets signals kill the process at once from now on, also within a C++ call."""
    handle(signal.SIG_DFL)


@contextlib.contextmanager
def by_default() -> Iterator[None]:
    """A block in which signals end the process at once, also within a C++ call.

    For waits in which there is nothing to save.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = handled_signals()
    before = {number: signal.getsignal(number) for number in numbers}
    restore_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible(*, patient: bool = False) -> Iterator[Stop]:
    """A context with a `Stop` that Ctrl-C and SIGTERM set.

    Save inside the block, as leaving it after a signal raises `Interrupted`. Outside of
    the main thread, which alone gets signals, the stop is never requested.

    Args:
        patient: Whether a second signal is taken like the first one. For processes that
            get a signal twice: from the system, and from the process that started them.

    Yields:
        The stop.

    Raises:
        Interrupted: at the end of the block, if a signal came.
    """
    stop = Stop(patient=patient)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {
        signum: signal.signal(signum, stop._on_signal) for signum in handled_signals()
    }
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    stop.leave()
