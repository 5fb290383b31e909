"""Files of users: only regular ones are read, and nothing else is replaced.

A FIFO with a name would block for ever, a device never end, and a file that is renamed
over a device takes its place for all programs of the machine.
"""

import contextlib
import errno
import os
import re
import reprlib
import stat
from pathlib import Path
from typing import BinaryIO

from ns_tf.base import InputError

# What files begin with, in small letters.
HTML = (b"<!doctype html", b"<html")
SVG = (b"<svg", b"<?xml")
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_MOST_PIPED = 2**20  # Bytes; flags are a few thousand.
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def as_path(value: object, name: str) -> Path:
    """A path that was given in Python, whether there is something or not.

    >>> as_path("runs/mine", "run_dir").name
    'mine'

    Args:
        value: Text, or a path object.
        name: Of the argument, for the error.

    Raises:
        InputError: it is neither, or no file system here can have it.
    """
    try:
        path = Path(value)
        str(path).encode()
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # It is for those who use it to say what is wrong with it.
    except (TypeError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{name} is the path of a file or folder; got {reprlib.repr(value)} "
            f"({reason})."
        ) from error
    return path


def opened(path: str | Path) -> BinaryIO:
    """A regular file, open for reading; the caller closes it.

    Args:
        path: The file, or a link to it.

    Raises:
        InputError: it is a FIFO, a device, a socket or a folder. Nothing is waited for.
        OSError: there is none, or it cannot be opened.
    """
    check_regular(path)
    return open(path, "rb")


def read_bytes(path: str | Path) -> bytes:
    """All of a regular file.

    Args:
        path: The file, or a link to it.

    Raises:
        InputError, OSError: as of `opened`.
    """
    with opened(path) as file:
        return file.read()


def read_given(path: str | Path) -> bytes:
    """All of a regular file, or of a pipe that the shell has opened for this process.

    Such a pipe, as of `<(...)`, has a writer, whose end ends it. It is read once.

    Args:
        path: The file, a link to it, or `/dev/fd/N`.

    Raises:
        InputError: it is something else, or more than `_MOST_PIPED` bytes come.
        OSError: there is none, or it cannot be read.
    """
    given = _DESCRIPTOR.fullmatch(str(path))
    if not given or not stat.S_ISFIFO(os.fstat(int(given[1])).st_mode):
        return read_bytes(path)
    with open(int(given[1]), "rb", closefd=False) as pipe:
        content = pipe.read(_MOST_PIPED + 1)
    if len(content) > _MOST_PIPED:
        raise InputError(
            f"{path} is a pipe of more than {_MOST_PIPED:,} bytes. Give a regular file."
        )
    return content


def check_regular(path: str | Path) -> None:
    """Passes a regular file.

    Args:
        path: The file, or a link to it.

    Raises:
        InputError: it is something else.
        OSError: there is none.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise InputError(f"{path} is {_kind(about)}. Give a regular file.")


def _kind(about: os.stat_result) -> str:
    """What something is by its `stat`, in words."""
    return _KINDS.get(stat.S_IFMT(about.st_mode), "no regular file")


def check_output(path: str | Path, flag: str) -> None:
    """Passes a place where a file can be written: a regular file, or a new name.

    Commands call it before their work begins.

    Args:
        path: Of the file to be.
        flag: That names it, for the error.

    Raises:
        InputError: something else is there, or there is no folder to hold it.
    """
    path = Path(path)
    try:
        check_replaceable(path)
        if not path.parent.is_dir():
            raise InputError(
                f"--{flag}={path}: there is no folder {path.parent}. Make it first, or "
                f"give another --{flag}."
            )
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}. Give another --{flag}."
        ) from error


def check_kind(path: str | Path, flag: str, starts: tuple[bytes, ...]) -> None:
    """Passes a name that nothing has, an empty file, or one of the kind to be written.

    Args:
        path: Of the file to be.
        flag: That names it, for the error.
        starts: What files of the kind begin with, as `HTML`.

    Raises:
        InputError: a file of another kind is there, and would be lost.
        OSError: it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError), opened(path) as file:
        begin = file.read(64).lstrip().lower()
        if begin and not begin.startswith(starts):
            raise InputError(
                f"--{flag}={path}: there is another kind of file already, which would "
                f"be lost. Give another --{flag}."
            )


def check_replaceable(path: str | Path) -> None:
    """Passes a regular file, a link to one, or a name that nothing has.

    Raises:
        InputError: something else has the name: a folder, a device, a FIFO, a socket.
        OSError: the name is none, or a folder on its way cannot be searched.
    """
    with contextlib.suppress(FileNotFoundError):
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise InputError(
                f"{path} cannot be written: it is {_kind(about)}. Give a new name, or "
                "that of a file that may be replaced."
            )
