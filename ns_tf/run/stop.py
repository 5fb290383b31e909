"""Signals that ask long work to stop at its next checkpoint."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


class Interrupted(BaseException):
    """A signal stopped the work, which had its chance to write a checkpoint.

    No Exception, so that nobody's `except Exception` swallows it.
    """

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


class Stop:
    """Whether a signal asked the work to stop; never, for one made by hand.

    Args:
        patient: Whether further signals are taken like the first; else they kill.
    """

    def __init__(self, *, patient: bool = False):
        self.patient = patient
        self.signum: int | None = None

    @property
    def requested(self) -> bool:
        """True once a signal came: write a checkpoint, then call `leave`."""
        return self.signum is not None

    def leave(self) -> None:
        """Ends the work if a signal asked for it.

        Raises:
            Interrupted: if a stop was requested.
        """
        if self.signum is not None:
            raise Interrupted(self.signum)

    def _on_signal(self, signum: int, frame: Any) -> None:
        self.signum = signum
        if self.patient:
            return
        restore_signals()
        if sys.stderr.isatty():
            # print() may not be entered twice; a signal can come in the midst of one.
            os.write(2, b"\nStopping at the next checkpoint; again to stop at once.\n")


def handled_signals() -> list[int]:
    """Signals that stop the work; those that `nohup` or `&` turned off do not."""
    off = (signal.SIG_IGN, None)
    both = (signal.SIGINT, signal.SIGTERM)
    return [signum for signum in both if signal.getsignal(signum) not in off]


def restore_signals() -> None:
    """From now on signals kill at once, even inside a long C++ call."""
    for signum in handled_signals():
        signal.signal(signum, signal.SIG_DFL)


@contextlib.contextmanager
def interruptible(*, patient: bool = False) -> Iterator[Stop]:
    """A `Stop` that Ctrl-C and SIGTERM set, instead of ending the work at any line.

    Save inside the block: leaving it after a signal raises `Interrupted`.

    Args:
        patient: Whether a second signal is taken like the first. For processes that
            hear both from the system and from the process that started them.

    Raises:
        Interrupted: at the end of the block, if a signal came.
    """
    stop = Stop(patient=patient)
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Signals only ever reach the main thread.
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
