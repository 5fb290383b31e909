"""The folder aside that an export writes into, and that no killed export leaves.

It lies within the target, so on its file system, and its name is hidden. The process
that writes holds a lock on it, which the system releases when the process ends. So the
next export knows which of such folders nobody writes to any more, and removes them.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ns_tf.base import InputError

_HIDDEN = ".export."  # Begins the names of such folders.


@contextlib.contextmanager
def folder_in(target: Path) -> Iterator[Path]:
    """A folder within the target that is removed afterwards.

    The target is made if there is none; if the block fails, it is removed again with
    those of its parents that were made.

    Args:
        target: Where the files go in the end.

    Raises:
        InputError: the file system refuses something.
    """
    work, lock, made = None, None, []
    try:
        made = [path for path in (target, *target.parents) if not path.exists()]
        target.mkdir(parents=True, exist_ok=True)
        work, lock = _made(target)
        yield work
        made = []  # All of them are needed now.
    except OSError as error:
        full = " Free some space." if error.errno == errno.ENOSPC else ""
        raise InputError(
            f"{target} cannot be written: {error.strerror}.{full} Give another "
            "--out_dir; nothing was left half-written."
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _made(target: Path) -> tuple[Path, int | None]:
    """A new folder and its lock; those that nobody holds are removed before."""
    # One process at a time: a folder without a lock is never another one's new one.
    alone = _held(target, wait=True)
    try:
        for path in target.glob(f"{_HIDDEN}*"):
            lock = _held(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)
        work = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=target))
        return work, _held(work)
    finally:
        if alone is not None:
            os.close(alone)


def _held(folder: Path, *, wait: bool = False) -> int | None:
    """The descriptor that holds the lock of a folder.

    Args:
        folder: It exists.
        wait: Whether to wait for another process that holds it.

    Returns:
        The descriptor, to be closed; None if another process holds the lock, or the
        file system has none.
    """
    import fcntl  # Late: Windows has none.

    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return number
    except OSError:
        os.close(number)
        return None
