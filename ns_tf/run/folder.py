"""Run folders: each belongs to one run, and to one process at a time.

The names of everything in a run folder stand here. A folder may be several things at
once: the run folder of a search holds its trainings below `train/`, that of a
comparison its searches and its cells.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import InputError
from ns_tf.run import files, flagfile
from ns_tf.run.files import TEMPORARY

# Of every run.
FLAGS = "run.flags"  # Flags of the run: a flagfile.
LOCK = ".lock"  # Locked while a process writes to the folder.
PLOTS = "plots"  # Folder: drawings of the results.
LOGS = "logs"  # Folder: curves for TensorBoard.

# Of a search (`ns_tf.descend`).
DESCENT = "descent.json"  # Widths, laws and costs of every iteration.
TRACE = "trace_{:02d}.csv"  # By iteration: the rows that its law is fitted to.
HISTORY = "history_{:02d}.csv"  # By iteration: widths after every pruning event.
SCORES = "scores_{:02d}.csv"  # By iteration: what filters were worth at every event.
FILTERS = "filters_{:02d}.csv"  # By iteration: what all were worth before the first.
CHECKPOINTS = "checkpoints"  # Folder: the pruning under way.
PRUNING = "prune_{:02d}.npz"  # In it, by iteration: its checkpoint.
TRAIN = "train"  # Folder: a training of a network of the search in each folder.
REFINE = "refine"  # Folder: short trainings that chose a plan, a budget a folder.
REFINEMENT = "refinement.json"  # In it: the candidates, their scores, the choice.
WAY_DOWN = "way_down.npz"  # In a training of it: widths by the scores it came to.
MEASURED = "measured.json"  # In it: what candidates cost in budgets that are measured.
DEVICE = "device.json"  # How long the layers of its network take (`ns_tf.measure`).

# Of a training (`ns_tf.train`).
WIDTHS = "widths.json"  # The network that is trained.
RESULT = "result.json"  # The score; written last, so a folder that has it is done.
FAILURE = "failure.json"  # Why the training failed.
EPOCHS = "history.csv"  # Loss and score after every epoch.
MODEL = "model.keras"  # The trained network; in a search, the user's own network.
CHECKPOINT = "checkpoint.npz"  # The training under way.

# Of a trained network that is pruned (`ns_tf.prune`); what is left of it is a training.
SCORED = "scores"  # Folder: scores of channels, by criterion.
GATES = "gates.csv"  # Strength, and what was alive, while gates learned.
EARLIER = "earlier"  # Folder: the trainings of all recipes but the last.
KEPT = "kept.npz"  # Which single weights are left, as bits.
PRUNED = "pruned.json"  # Which channels are left, and how good it was by stage.

# Of a supernet (`ns_tf.slim`); the network of each share is a training.
SUPERNET = "supernet.npz"  # All its weights; while it trains, its checkpoint.
SHARES = "supernet.json"  # Cost and scores of every share; written last.

# Of a comparison (`ns_tf.compare`) and of a tuning (`ns_tf.tune`).
SEARCHES = "searches"  # Folder: searches that are asked for by flagfile.
CELLS = "cells.json"  # The trainings of a comparison that are to be done.
CELLS_FOLDER = "cells"  # Folder: one training a folder.
LATENCY = "latency.json"  # Times of the networks, measured together.
FLASH = "flash.json"  # Sizes of their files in int8, where those are asked for.
COMPARISON = "comparison.json"  # What came out of a comparison.
TRIALS = "trials.json"  # Trials of a tuning that were drawn: the state of its oracle.
TRIALS_FOLDER = "trials"  # Folder: one trial a folder.
TRIAL = "trial.json"  # What a trial drew, and what came out.
SOURCE = "source.json"  # The search whose laws a tuning draws from.
TUNING = "tuning.json"  # What came out of a tuning.
TABLE = "table.md"  # The results as a table for people,
TABLE_CSV = "table.csv"  # and for programs.
WORKERS = "workers"  # Folder: notes of keras-tuner, and logs of worker processes.
WORKER_FLAGS = "worker.flags"  # Flags of a worker process: a flagfile.

# Of an export (`ns_tf.export`) and a report (`ns_tf.report`).
EXPORT = "export.json"  # What was exported and checked; ends the name of the file.
EXPORT_FOLDER = "export"  # Folder beside the network: the exported files.
REPORT = "report.html"  # The page.

PREFIX = "python:"  # Begins the name of a network or data set that came as an object.


class InUse(InputError):
    """Another process is writing to the folder."""


class RunFolder:
    """A run folder that no other process writes to until it is closed.

    Made by `open_run`; a context that closes it at its end.

    Args:
        path: The folder.
        lock: The open descriptor that holds the lock; None in a process that reads what
            another one writes.
        flags: Text of `run.flags` for the run that opened it.
        new: Whether the run begins; False if an earlier one is continued.
    """

    def __init__(self, path: Path, lock: int | None, flags: str, *, new: bool):
        self.path = path
        self.new = new
        self.flags = flags
        self._lock = lock

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __truediv__(self, name: str) -> Path:
        """The path of a file or folder in the run folder."""
        return self.path / name

    def keep_flags(self) -> None:
        """Writes the flags it was opened with in place of those of the earlier run.

        Which differ from them in options that change no result (`identity=False`). Of a
        new run, `open_run` has written them.
        """
        if not self.new:
            files.write_lines(self / FLAGS, self.flags)

    def close(self) -> None:
        """Releases the lock. The system releases it too when the process ends."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def open_run(path: str | Path, configs: Sequence[Any], what: str) -> RunFolder:
    """The run folder, locked; created if there is none, continued if flags agree.

    Args:
        path: The folder.
        configs: Config dataclasses of the run (`ns_tf.run.option`): its flags. They may
            differ from those of the run that is continued in options that change no
            result (`identity=False`).
        what: What the run is ("search", "training"), for errors.

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
        # Checked again: another process may have written flags before the lock.
        new = is_new(path, configs, what)
        # Not below train/: trainings have locks of their own and may be running.
        for folder in (path, path / CHECKPOINTS, path / PLOTS):
            for stale in folder.glob(f".*{TEMPORARY}"):
                stale.unlink()
        text = flagfile.as_flagfile(configs)
        if new:
            files.write_lines(path / FLAGS, text)
        return RunFolder(path, lock, text, new=new)
    except BaseException as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, OSError):
            raise _no_folder(path, error) from error
        raise


def _no_folder(path: Path, error: OSError) -> InputError:
    """The error for a path that cannot be a run folder."""
    return InputError(
        f"{path} cannot be a run folder: {error.strerror}. Give another --run_dir."
    )


def is_new(path: str | Path, configs: Sequence[Any], what: str) -> bool:
    """Whether the folder holds no run yet. Writes nothing and takes no lock.

    Args:
        path: The folder, which need not exist.
        configs: As of `open_run`.
        what: As of `open_run`.

    Raises:
        InputError: it belongs to other flags or to something else.
    """
    path, text = Path(path), flagfile.as_flagfile(configs)
    try:
        names = sorted(one.name for one in path.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _no_folder(path, error) from error
    if FLAGS not in names:
        names = [name for name in names if not _is_leftover(name)]
        if not names:
            return True
        raise InputError(
            f"{path} holds {names[0]!r} but no {FLAGS}, so it is no run folder. "
            "Give a new or an empty --run_dir."
        )
    old = files.read_lines(path / FLAGS, what="list of flags")
    changed = flagfile.comparison(*(type(config) for config in configs))(old, text)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise InputError(
            f"{path} holds a {what} of other flags ({'; '.join(changed[:3])}{more}): "
            f"give another --run_dir, or the flags of {path / FLAGS}."
        )
    return False


def _is_leftover(name: str) -> bool:
    """Whether a run that was killed before it wrote its flags leaves such a file."""
    return name == LOCK or name.endswith(TEMPORARY)


def _locked(path: Path) -> int:
    """The descriptor that holds the folder's lock.

    Raises:
        InUse: another process holds it.
    """
    import fcntl  # Late: Windows has none, and can plan without a lock.

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
