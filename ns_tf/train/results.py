"""Reading the folder of a training: result, failure, widths; writing a failure."""

import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import InputError, RunError, Widths
from ns_tf.problem.score import Score
from ns_tf.run import files
from ns_tf.run.folder import CELLS_FOLDER, FAILURE, RESULT, TRAIN, WIDTHS


def has_ended(folder: Path) -> bool:
    """Whether a training needs no more work: it has a result, or it failed.

    Args:
        folder: Of the training.
    """
    return any((folder / name).exists() for name in (RESULT, FAILURE))


def write_failure(folder: Path, reason: object) -> None:
    """Writes why a training failed, so that it is not tried again.

    The same seed would fail in the same way.

    Args:
        folder: Of the training; made if there is none.
        reason: The error, or its message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / FAILURE, {"version": 1, "error": str(reason)})


def read_failure(folder: Path) -> str | None:
    """Why a training failed; None if it did not.

    Args:
        folder: Of the training.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FAILURE
    if not path.exists():
        return None
    with files.readable(path, "failure"):
        return files.read_json(path, what="failure", version=1)["error"]


def read_result(folder: str | Path) -> dict[str, Any]:
    """What a finished training wrote: costs, scores, losses, seconds, by name.

    Args:
        folder: Of the training.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return files.read_json(Path(folder) / RESULT, what="result", version=1)


def score_in(result: Mapping[str, Any], split: str) -> float:
    """The score of a split in a result, whatever the task calls it.

    >>> score_in({"score": "accuracy", "test_accuracy": 0.9}, "test")
    0.9

    Args:
        result: As `read_result` returns it; older ones do not name their score.
        split: "validation", "test" or "best_test".
    """
    return result[f"{split}_{result.get('score', 'accuracy')}"]


def kept_widths(folder: Path) -> Widths | None:
    """The widths of the network that a folder trains; None if it trains none yet.

    Args:
        folder: Of the training.

    Raises:
        InputError: the file is damaged.
    """
    for name in (WIDTHS, RESULT):  # Older folders have them only in the result.
        if (folder / name).exists():
            with files.readable(folder / name, "training"):
                training = files.read_json(folder / name, what="training", version=1)
                return tuple(int(width) for width in training["widths"])
    return None


def kept_part(folder: Path) -> str | None:
    """The digest of the part of a network that a folder trains; None if it has none.

    Args:
        folder: Of the training.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / WIDTHS
    if not path.exists():
        return None
    return files.read_json(path, what="training", version=1).get("part")


def training_in(folder: Path, name: str | None) -> Path:
    """The folder of a finished training: this one, or one below it.

    Args:
        folder: Of a training, or of a search or comparison that holds trainings.
        name: Of the training; may be None if there is only one.

    Raises:
        InputError: there is none, or several to choose from.
    """
    finished = [
        path.parent
        for kind in (TRAIN, CELLS_FOLDER)
        for path in sorted(folder.glob(f"{kind}/*/{RESULT}"))
    ]
    if (folder / RESULT).exists() and name is None:
        return folder
    matches = [path for path in finished if name in (None, path.name)]
    if len(matches) == 1:
        return matches[0]
    if not finished:
        raise InputError(
            f"{folder} holds no finished training. Train first: python -m ns_tf.train "
            f"--run_dir={shlex.quote(str(folder))} --params=..., or give "
            "--model=FILE.keras."
        )
    names = ", ".join(path.name for path in finished[:8])
    raise InputError(
        f"{folder} holds {len(finished)} finished trainings; say which one by its "
        f"folder, {shlex.quote(str(finished[0]))}, or to ns_tf.export as "
        f"--training={finished[0].name}. There are: {names}"
        f"{', ...' if len(finished) > 8 else ''}."
    )


def check_numbers(when: str, loss: float, score: float, kind: Score) -> None:
    """Passes a loss that is finite and a score that is a number.

    A score that is none chooses no epoch, which the first one tells already.

    Args:
        when: The split and the epoch, as messages begin, with "{}" for what it is.
        loss: Of the split.
        score: Of the split.
        kind: What the score is.

    Raises:
        RunError: they are not.
    """
    if not math.isfinite(loss):
        raise RunError(
            f"The {when.format('loss')} is {loss}; use a lower learning rate (--rate)."
        )
    if math.isnan(score):
        raise RunError(
            f"The {when.format('score ' + kind.name)} is NaN, and chooses no epoch; "
            "score by another metric, or by --task=\"compiled(metric='loss')\"."
        )


def check_finite(result: Mapping[str, Any], model: Path) -> None:
    """Passes the result of a training whose losses and scores are finite numbers.

    Args:
        result: As `result.json` is to hold it.
        model: Where the network was kept.

    Raises:
        RunError: one of them is not; says where the network is.
    """
    for name, value in result.items():
        if isinstance(value, (float, np.floating)) and not math.isfinite(value):
            raise RunError(
                f"The training is done, and its {name} is {value}, so it has no "
                f"result; the network of its best epoch is kept: {model}. Score by "
                "another metric, or by --task=\"compiled(metric='loss')\"."
            )


def as_json(numbers: Iterable[float | None]) -> list[float | str | None]:
    """The numbers; infinity and NaN, which a score may be, in text: JSON has none.

    >>> as_json([1, 0.5, -math.inf, None])
    [1, 0.5, '-inf', None]
    """
    return [str(x) if x is not None and not math.isfinite(x) else x for x in numbers]


def from_json(numbers: Iterable[float | str | None]) -> list[float | None]:
    """The numbers that `as_json` returned.

    >>> from_json([1, 0.5, "-inf", None])
    [1, 0.5, -inf, None]
    """
    return [float(x) if isinstance(x, str) else x for x in numbers]
