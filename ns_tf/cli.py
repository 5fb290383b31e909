"""What every command shares: flags in, one line for an error, an exit code out.

A command is a `main(config, ...)` that takes config dataclasses (`ns_tf.run.option`)
and calls `run(main, Config, ...)`. Nothing heavy is imported here: `--help` and a wrong
flag are answered at once.
"""

import contextlib
import errno
import logging
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from absl import flags

from ns_tf.base import InputError, RunError
from ns_tf.run import flags as run_flags
from ns_tf.run import signals
from ns_tf.run.stop import Interrupted, interruptible, restore_signals

if TYPE_CHECKING:
    from ns_tf.run.watch import Watch

flags.disclaim_key_flags()


flags.DEFINE_bool(
    "debug", False, "Print the traceback of an error.", module_name=__name__
)


_HELP = ("--help", "-help", "--helpshort", "--h", "-h", "-?")
_COMMON = """Every command:
  --flagfile=PATH
      Read flags from a file; what follows on the command line overrides them.
  --[no]debug
      Print the traceback of an error.
  --helpfull
      Show absl's own flags as well."""
# Errors of the system that are about a path that was given, or about a disk.
_WRONG_NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LONGEST = 600  # Characters that are shown of an error of another library.


def run(main: Callable[..., int | None], *configs: type) -> NoReturn:
    """Calls `main` with an instance of every config, made from the flags; then exits.

    Exit codes are 0 (or what `main` returns); 2 for wrong flags or input; 1 for a
    failure under way; 130 and 143 if SIGINT or SIGTERM stopped it; 141 if nobody reads
    the output any more. Errors but the last print one line on standard error.

    Args:
        main: The command; returns its exit code, or None for 0.
        configs: Dataclasses of options, in the order of the arguments of `main`.
    """
    # TensorFlow reads both when it is imported, which `main` does.
    # What fails in C++ raises in Python as well, and is told once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Off by default on older CPUs, where it is faster too (docs/performance.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for config in configs:
        run_flags.define(config)
    status = _status(main, configs)
    restore_signals()  # What ends now needs no traceback, by a signal or
    sys.unraisablehook = _say_nothing  # by a thread pool of a worker that was lost.
    sys.exit(status)


def _status(main: Callable[..., int | None], configs: Sequence[type]) -> int:
    """Runs the command on `sys.argv`, prints its error if there is one; its exit code.

    Args:
        main: As of `run`.
        configs: As of `run`; their flags are defined.

    Raises:
        SystemExit: if `main` exits by itself.
    """
    try:
        signals.handle(_stop)
        if not _printed_help(sys.argv[1:]):
            run_flags.parse(sys.argv)
            status = main(*(run_flags.read(config) for config in configs))
            _flush()
            return status or 0
        _flush()
        return 0
    except SystemExit:
        raise
    except BaseException as error:
        restore_signals()  # A second Ctrl-C must not show a traceback.
        return _report(error)


def _say_nothing(unraisable: Any) -> None:
    """Passes over an error of an object that is taken apart at the end."""


def _flush() -> None:
    """Writes what was printed.

    Raises:
        OSError: if it cannot be written.
    """
    if sys.stdout is not None:  # It is None after `command >&-`.
        sys.stdout.flush()


def _stop(signum: int, frame: Any) -> None:
    """Handles Ctrl-C and SIGTERM where the work has no checkpoint."""
    if signals.importing(frame):  # Libraries lose exceptions, or print them.
        signals.end_at_once(signum)
    restore_signals()
    raise Interrupted(signum)


def _printed_help(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for help, which is printed then.

    The help begins with the docstring of the command's `__main__`.

    Args:
        arguments: Of the command line, without the command.
    """
    full = any(argument in ("--helpfull", "-helpfull") for argument in arguments)
    if not full and not any(argument in _HELP for argument in arguments):
        return False
    doc = (sys.modules["__main__"].__doc__ or "").strip()
    if "python " not in doc:
        doc = f"{doc}\n\nUsage: python -m {_name()} [--flag=value ...]".strip()
    options = flags.FLAGS.get_help().strip() if full else run_flags.help_text()
    print(doc, *filter(None, [options, None if full else _COMMON]), sep="\n\n")
    return True


def _name() -> str:
    """The command as `python -m` takes it, without `.__main__`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return spec.name.removesuffix(".__main__")
    return os.path.basename(sys.argv[0])


def _report(error: BaseException) -> int:
    """Prints an error, as one line or with --debug as a traceback; its exit code.

    Prints nothing if standard output is a pipe that nobody reads any more.
    """
    gone = isinstance(error, BrokenPipeError) and _nobody_reads()
    try:
        _flush()
    except OSError:
        # Otherwise Python tries to write again when it exits, and prints an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if gone:
        return 128 + signal.SIGPIPE
    text, status = _describe(error)
    with contextlib.suppress(OSError):
        if flags.FLAGS["debug"].value and not isinstance(error, Interrupted):
            traceback.print_exception(error)
        else:
            line = " ".join(text.split())
            print(f"{_name()}: {line}", file=sys.stderr, flush=True)
    return status


def _describe(error: BaseException) -> tuple[str, int]:
    """The line for an error, and the exit code.

    Errors of the library's own kinds are written for users; of others, the line has the
    type or the file, and the way to the traceback.
    """
    if isinstance(error, (KeyboardInterrupt, Interrupted)):
        signum = getattr(error, "signum", signal.SIGINT)
        return signals.STOPPED, 128 + signum
    if isinstance(error, InputError):
        return str(error), 2
    if isinstance(error, RunError):
        return str(error), 1
    text = str(error).rstrip()
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: " if error.filename is not None else ""
        text += f"{error.strerror}."
        if error.errno in _WRONG_NAMES:
            return f"{text} Give another path.", 2
        if error.errno in _FULL and error.filename is not None:
            return f"{text} Free some space, and run the same command again.", 1
    else:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ..."
    if not text.endswith((".", "!", "?")):
        text += "."
    return f"{text} Run again with --debug for the traceback.", 1


def _nobody_reads() -> bool:
    """Whether the reader of standard output or standard error is gone."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def quiet_tensorflow() -> Any:
    """The module `tensorflow`, imported without its C++ messages on standard error.

    They are printed if the import fails, or with --debug.

    Raises:
        ImportError: if TensorFlow cannot be imported.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        failed = True
        try:
            with signals.errors_at(saved):
                import tensorflow

                tensorflow.config.list_physical_devices()  # Prints the rest of them.
            # TensorFlow warns of a function that is traced again and again; the step of
            # a network that was rebuilt is another function.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            failed = False
            return tensorflow
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if failed or flags.FLAGS["debug"].value:
                notes.seek(0)
                os.write(2, notes.read())


def devices() -> str:
    """What TensorFlow computes on, in words: "1 GPU", or "CPU (8 cores)".

    Commands print it, so that a GPU that TensorFlow did not find is noticed.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores)"
    return f"{len(gpus)} GPU{'s' if len(gpus) > 1 else ''}"


@contextlib.contextmanager
def watching() -> Iterator["Watch"]:
    """A watch that shows progress, and asks the work to stop at Ctrl-C and SIGTERM.

    Raises:
        Interrupted: at the end of the block, if a signal came.
    """
    from ns_tf.run.progress import Progress  # Late: `plan` and `--help` need neither.
    from ns_tf.run.watch import Watch

    with interruptible() as stop:
        yield Watch(Progress(), stop)
