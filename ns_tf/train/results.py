"""What the folder of a training holds, read back: result, failure, widths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ns_tf.base import InputError, Widths
from ns_tf.run import files
from ns_tf.run.folder import CELLS_FOLDER, FAILURE, RESULT, TRAIN, WIDTHS


def has_ended(folder: Path) -> bool:
    """Whether a training needs no more work: it is done, or it failed."""
    return any((folder / name).exists() for name in (RESULT, FAILURE))


def write_failure(folder: Path, reason: object) -> None:
    """Keeps why a training failed: a second try would fail in the same way."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / FAILURE, {"version": 1, "error": str(reason)})


def read_failure(folder: Path) -> str | None:
    """Why a training failed; None if it did not.

    Raises:
        InputError: what is kept of it is damaged.
    """
    path = folder / FAILURE
    if not path.exists():
        return None
    with files.readable(path, "failure"):
        return files.read_json(path, what="failure", version=1)["error"]


def read_result(folder: str | Path) -> dict[str, Any]:
    """What a finished training wrote.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return files.read_json(Path(folder) / RESULT, what="result", version=1)


def score_in(result: Mapping[str, Any], split: str) -> float:
    """The score of a split in a result, whatever the task calls it.

    >>> score_in({"score": "accuracy", "test_accuracy": 0.9}, "test")
    0.9
    """
    return result[f"{split}_{result.get('score', 'accuracy')}"]


def kept_widths(folder: Path) -> Widths | None:
    """The widths of the network that a folder trains; None if it trains none yet.

    Raises:
        InputError: the file is damaged.
    """
    for name in (WIDTHS, RESULT):  # Older folders have them in the result alone.
        if (folder / name).exists():
            with files.readable(folder / name, "training"):
                training = files.read_json(folder / name, what="training", version=1)
                return tuple(int(width) for width in training["widths"])
    return None


def training_in(folder: Path, name: str | None) -> Path:
    """The folder of the training that is meant.

    Args:
        folder: Of a training, or of a search or comparison that holds trainings.
        name: Of the training; None if there is only one.

    Raises:
        InputError: there is none, or several to choose from.
    """
    below = [
        path.parent
        for kind in (TRAIN, CELLS_FOLDER)
        for path in sorted(folder.glob(f"{kind}/*/{RESULT}"))
    ]
    if (folder / RESULT).exists() and name is None:
        return folder
    meant = [path for path in below if name in (None, path.name)]
    if len(meant) == 1:
        return meant[0]
    if not below:
        raise InputError(
            f"{folder} holds no finished training. Train first: python -m ns_tf.train "
            f"--run_dir={folder} --params=..., or give --model=FILE.keras."
        )
    names = ", ".join(path.name for path in below[:8])
    raise InputError(
        f"{folder} holds {len(below)} finished trainings; say which one, as "
        f"--training={below[0].name}. There are: {names}"
        f"{', ...' if len(below) > 8 else ''}."
    )
