"""Signals that stop a command: Ctrl-C and SIGTERM.

TensorFlow takes seconds to import. An exception in the middle of an import shows where
it was, or is lost in an extension; so a signal then ends the process by one line, as
nothing was begun. Nothing heavy is imported here: `ns_tf.run.starting` comes first.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

STOPPED = "stopped; run the same command again to continue"
_IMPORTS = "<frozen importlib._bootstrap>"
_errors = 2  # Descriptor of standard error.


def is_command() -> bool:
    """Whether the process runs a command of ns_tf, no program that imports it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec is not None and spec.name.startswith("ns_tf.")


def end_at_once(signum: int, frame: object = None) -> NoReturn:
    """Ends the process by one line, as a signal handler does.

    Args:
        signum: Of the signal; decides the exit code.
        frame: As Python passes it; not read.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name = spec.name.removesuffix(".__main__") if spec else sys.argv[0]
    # Not print(), which may be under way.
    os.write(_errors, f"{name}: {STOPPED}\n".encode())
    os._exit(128 + signum)


@contextlib.contextmanager
def errors_at(number: int) -> Iterator[None]:
    """A block in which the line of `end_at_once` is written elsewhere.

    Args:
        number: Of a descriptor, where descriptor 2 is something else for the time.
    """
    global _errors
    _errors = number
    try:
        yield
    finally:
        _errors = 2


def importing(frame: object) -> bool:
    """Whether a signal came in the middle of an import.

    Args:
        frame: What the signal interrupted.
    """
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTS:
            return True
        frame = frame.f_back
    return False


def handled_signals() -> list[int]:
    """Numbers of the signals that stop work: SIGINT and SIGTERM, unless turned off.

    `nohup` and a shell's `&` turn signals off for the processes that they start.
    """
    off = (signal.SIG_IGN, None)
    both = (signal.SIGINT, signal.SIGTERM)
    return [signum for signum in both if signal.getsignal(signum) not in off]


def handle(handler: object) -> None:
    """Sets what handles the signals.

    Args:
        handler: As of `signal.signal`.
    """
    for signum in handled_signals():
        signal.signal(signum, handler)
