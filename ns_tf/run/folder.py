"""Folders of runs: each belongs to one run, and to one process at a time."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import InputError
from ns_tf.run import files, flagfile
from ns_tf.run.files import TEMPORARY
from ns_tf.run.flagfile import as_flagfile

CELLS = "cells.json"
COMPARISON = "comparison.json"
RESULT = "result.json"
FAILURE = "failure.json"
WIDTHS = "widths.json"
PREFIX = "python:"
MODEL = "model.keras"
DESCENT = "descent.json"
FLAGS = "run.flags"
LOCK = ".lock"


class InUse(InputError):
    """Another process is writing to the folder."""


class RunFolder:
    """A run folder that no other process writes to until it is closed."""

    def __init__(self, path: Path, lock: int, flags: str, *, new: bool):
        self.path = path
        self.flags = flags  # The text of `run.flags` for this run.
        self.new = new  # False if an earlier run is continued.
        self._lock: int | None = lock

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def keep_flags(self) -> None:
        """Keeps the flags of this run in place of those of the run it continues."""
        if not self.new:
            files.write_text(self / FLAGS, self.flags)

    def close(self) -> None:
        """Lets other processes write to the folder; the death of this one does, too."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_run(path: str | Path, configs: Sequence[Any], what: str) -> RunFolder:
    """The run folder, made if there is none; continued if it was made by these flags.

    Args:
        path: The folder.
        configs: The settings of this run; their options are its flags.
        what: What the run is, for errors: "search", "training".

    Raises:
        InUse: another process is writing to it. Nothing was written.
        InputError: the folder belongs to other flags or to something else, or it
            cannot be written. Nothing was written.
    """
    path, lock = Path(path), None
    try:
        is_new(path, configs, what)
        path.mkdir(parents=True, exist_ok=True)
        lock = _locked(path)
        # Once more: another process may have been first.
        new = is_new(path, configs, what)
        # Not below train/: what lies there belongs to trainings, which may be running.
        for folder in (path, path / "checkpoints", path / "plots"):
            for stale in folder.glob(f".*{TEMPORARY}"):
                stale.unlink()
        flags = as_flagfile(configs)
        if new:
            files.write_text(path / FLAGS, flags)
        return RunFolder(path, lock, flags, new=new)
    except BaseException as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, OSError):
            raise InputError(
                f"{path} cannot be a run folder: {error.strerror}. Give another "
                "--run_dir."
            ) from error
        raise


def is_new(path: str | Path, configs: Sequence[Any], what: str) -> bool:
    """Whether the folder holds no run yet; looks only, the arguments as of `open_run`.

    Raises:
        InputError: it belongs to other flags or to something else.
    """
    path = Path(path)
    if not path.exists():
        return True
    try:
        old = (path / FLAGS).read_text(encoding="utf-8")
    except FileNotFoundError:
        names = sorted(p.name for p in path.iterdir() if not _ours(p.name))
        if not names:
            return True
        raise InputError(
            f"{path} holds {names[0]!r} but no {FLAGS}, so it is no run folder. "
            "Give a new or an empty --run_dir."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path / FLAGS} is damaged ({error}). Give another --run_dir."
        ) from error
    compare = flagfile.comparison(*(type(config) for config in configs))
    changed = compare(old, as_flagfile(configs))
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise InputError(
            f"{path} holds a {what} of other flags ({'; '.join(changed[:3])}{more}): "
            f"give another --run_dir, or the flags of {path / FLAGS}."
        )
    return False


def _ours(name: str) -> bool:
    """Whether a run that was killed before it wrote its flags leaves such a file."""
    return name == LOCK or name.endswith(TEMPORARY)


def _locked(path: Path) -> int:
    """The descriptor that holds the folder's lock; InUse if another one does."""
    import fcntl

    number = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return number
    except BaseException as error:
        os.close(number)
        if isinstance(error, BlockingIOError):
            raise InUse(
                f"{path} is in use by another process. Wait for it, stop it, or give "
                "another --run_dir."
            ) from error
        raise
