"""Files that are written whole or not at all, and say if they changed since.

JSON and tables hold floats exactly: what is read is what was written, bit by bit. All
state but arrays carries a checksum (`ns_tf.run.seal`); arrays have one in their
format. No pickle anywhere.
"""

import contextlib
import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ns_tf.base import InputError
from ns_tf.run import npz, paths, seal

TEMPORARY = ".writing"  # How the names of half-written files end.
_META = "__meta__"  # Name of the member of an .npz that holds JSON.


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well.

    It is written beside `path` under another name, and renamed once it is on the disk.
    If the block raises, it is removed, and what was at `path` stays.

    Args:
        path: The file; its folder exists. If it is a link, what it leads to is
            replaced.

    Raises:
        OSError: if it cannot be written; it names the file.
        InputError: something else than a file has the name, as a folder or a device.
    """
    path = Path(path)
    paths.check_replaceable(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Writes the folder's list of names to the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)  # Without it, a power cut may undo the renaming.
    finally:
        os.close(number)


def write_text(path: str | Path, text: str) -> None:
    """Writes the text as UTF-8, for people and other programs: without a checksum.

    Args:
        path: The file.
        text: All that it will hold.

    Raises:
        OSError: if it cannot be written; what was there before is still there.
    """
    with replacing(path) as file:
        file.write(text.encode())


def write_lines(path: str | Path, text: str) -> None:
    """Writes lines in which `#` begins a comment, as a flagfile; with a checksum.

    Args:
        path: The file.
        text: All lines.

    Raises:
        OSError: if it cannot be written; what was there before is still there.
    """
    _write_sealed(path, text, seal.LINES)


def read_lines(path: str | Path, *, what: str, remedy: str | None = None) -> str:
    """The text that `write_lines` wrote.

    Args:
        path: The file.
        what: What it is, for errors.
        remedy: What to do if it is damaged.

    Raises:
        InputError: the file is missing or damaged.
    """
    with readable(path, what, remedy or _REMEDY):
        return _read_sealed(path, seal.LINES)


def _write_sealed(path: str | Path, text: str, form: seal.Form) -> None:
    """Writes the text with its checksum."""
    with replacing(path) as file:
        file.write(seal.sealed(text.encode(), form))


def _read_sealed(path: str | Path, form: seal.Form) -> str:
    """The text that `_write_sealed` wrote; ValueError if it is another one."""
    return seal.content_of(paths.read_bytes(path), form).decode()


def write_json(path: str | Path, value: Mapping[str, Any]) -> None:
    """Writes the object as JSON: floats exactly, NumPy values as numbers and lists.

    Args:
        path: The file.
        value: By name: numbers, text, lists, dicts, arrays; at least one.

    Raises:
        ValueError: NaN or infinity is in it, or nothing.
        TypeError: something is in it that JSON has no word for.
        OSError: if it cannot be written; what was there before is still there.
    """
    try:
        text = json.dumps(value, indent=1, allow_nan=False, default=_plain)
    except ValueError as error:
        raise ValueError(f"{path} would not be JSON: {error}.") from error
    _write_sealed(path, f"{text}\n", seal.JSON)


def _plain(value: Any) -> Any:
    """NumPy values as Python's; called by `json` for what it does not know."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"Expected numbers, text, lists, dicts or arrays; got {value!r}.")


_REMEDY = "Restore it from a copy, or give another --run_dir."


def read_json(
    path: str | Path,
    *,
    what: str,
    version: int | None = None,
    remedy: str = _REMEDY,
) -> Any:
    """The value that `write_json` wrote.

    Args:
        path: The file.
        what: What it is, for errors.
        version: If not None, the file holds an object whose "version" is this.
        remedy: What to do if it is damaged.

    Raises:
        InputError: the file is missing, damaged or of another version.
    """
    with readable(path, what, remedy):
        text = _read_sealed(path, seal.JSON)
        value = json.loads(text, parse_constant=_no_constant)
        if version is not None and not isinstance(value, dict):
            raise ValueError("no JSON object")
    if version is not None and value.get("version") != version:
        raise InputError(
            f"{path} is a {what} of version {value.get('version')}; this ns_tf reads "
            f"version {version}. Use the ns_tf that wrote it, or another --run_dir."
        )
    return value


def _no_constant(name: str) -> None:
    """Refuses NaN and Infinity, which Python reads though JSON has no such words."""
    raise ValueError(f"{name} is no JSON number")


@contextlib.contextmanager
def readable(path: str | Path, what: str, remedy: str = _REMEDY) -> Iterator[None]:
    """A block in which every error becomes an InputError about a file that is read.

    Args:
        path: The file, for the error.
        what: What it is, for the error.
        remedy: What to do if it is damaged, for the error.

    Raises:
        InputError: the block raised: the file is missing, unreadable or damaged.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"There is no {what} at {path}. {remedy}") from error
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(
            f"The {what} {path} cannot be read: {error.strerror}."
        ) from error
    except Exception as error:  # A damaged file can raise anything.
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"The {what} {path} is damaged ({reason}). {remedy}"
        ) from error


def write_csv(
    path: str | Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    sealed: bool = True,
) -> None:
    """Writes a table; floats exactly.

    Args:
        path: The file.
        header: Names of the columns.
        rows: Numbers and text.
        sealed: Whether it carries a checksum, in a first line that begins with `#`.
            Tables that are for other programs alone have none.

    Raises:
        ValueError: a row is not as long as the header.
        OSError: if it cannot be written; what was there before is still there.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        # .tolist(): str() of a float32 is not the number as a float64.
        row = [v.tolist() if isinstance(v, np.generic) else v for v in row]
        if len(row) != len(header):
            raise ValueError(f"Expected rows of {len(header)} values; got {row}.")
        writer.writerow(row)
    if sealed:
        _write_sealed(path, text.getvalue(), seal.LINES)
    else:
        write_text(path, text.getvalue())


def read_csv(
    path: str | Path,
    *,
    what: str = "table",
    remedy: str = _REMEDY,
    edited: bool = False,
) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of a table; cells that read as numbers are int or float.

    Args:
        path: The file.
        what: What it is, for errors.
        remedy: What to do if it is damaged, for errors.
        edited: Whether a person's program wrote it. Such ones begin it with a byte
            order mark, or leave out the end of the last line.

    Raises:
        InputError: the file is missing or damaged.
    """
    with readable(path, what, remedy):
        text = _read_sealed(path, seal.LINES)
        if edited:
            text = text.removeprefix("\ufeff")
        elif not text.endswith("\n"):
            raise ValueError("its end is missing")
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} of {len(header)} values")
        return header, [[_number(cell) for cell in row] for row in rows]


def _number(cell: str) -> int | float | str:
    """A cell as int or float if it reads as one."""
    if "_" not in cell:  # int("1_000") is 1000, but names have underscores.
        for kind in (float,) if "." in cell else (int, float):
            with contextlib.suppress(ValueError):
                return kind(cell)
    return cell


def write_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Writes arrays and a little JSON as one uncompressed .npz.

    The same content gives the same bytes. `numpy.load` reads it, too.

    Args:
        path: The file.
        arrays: By name: numbers, booleans or text of any shape.
        meta: What JSON can hold.

    Raises:
        ValueError: an array that needs pickle, or whose type NumPy would forget
            (bfloat16); NaN in meta; an array of a reserved name.
        OSError: if it cannot be written; what was there before is still there.
    """
    if _META in arrays:
        raise ValueError(f"{_META!r} is no name for an array: meta is kept there.")
    text = json.dumps(meta, allow_nan=False, default=_plain)
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in {**arrays, _META: np.array(text)}.items():
            array = np.asarray(array)
            if array.dtype.kind not in "biufcSU":
                raise ValueError(f"Array {name!r} is {array.dtype}; make it float32.")
            # A ZipInfo of no date: the time of writing is no part of the content.
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_arrays(
    path: str | Path, *, what: str = "checkpoint", remedy: str = _REMEDY
) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays by name, and meta, that `write_arrays` wrote.

    Args:
        path: The file.
        what: What it is, for errors.
        remedy: What to do if it is damaged, for errors.

    Raises:
        InputError: the file is missing or damaged.
    """
    with readable(path, what, remedy):
        arrays = npz.read(path)
        return arrays, json.loads(str(arrays.pop(_META)))


def file_name(name: str) -> str:
    """A name as files may have it.

    >>> file_name("vgg11(norm=True)")
    'vgg11-norm-True-'
    """
    return re.sub(r"[^\w.+-]+", "-", name) or "model"
