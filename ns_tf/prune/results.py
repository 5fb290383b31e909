"""What a pruned network's folder tells; read without Keras, as reports do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ns_tf.run import files
from ns_tf.run.folder import EARLIER, PRUNED, RESULT
from ns_tf.train.results import as_json, from_json, read_result, score_in

# After which a network is judged, in order.
STAGES = ("trained", "cut", "repaired", "tuned")


def told_in(folder: Path) -> dict[str, Any]:
    """What `pruned.json` holds, with what the training has added if it is done.

    Args:
        folder: Of the pruned network.

    Raises:
        InputError: a file is missing or damaged.
    """
    told = files.read_json(folder / PRUNED, what="pruned network", version=1)
    with files.readable(folder / PRUNED, "pruned network"):
        _check(told)
        stages = told["accuracies"]
        scores = dict(zip(stages, from_json(stages.values()), strict=True))
        seconds = dict(told["seconds"])
    if (folder / RESULT).exists():
        result = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            scores["tuned"] = score_in(result, "validation")
            told["test"] = score_in(result, "test")
            if result["epochs"]:
                seconds["tune"] = tuning_seconds(folder)
    return {**told, "accuracies": scores, "seconds": seconds}


def _check(told: Mapping[str, Any]) -> None:
    """Passes a record whose lists are lists of whole numbers, and tables are tables.

    Raises:
        ValueError: one is something else, as after a change by hand.
    """
    for name in ("whole", "widths", "channels"):
        numbers = told.get(name, [])
        listed = isinstance(numbers, list) and all(type(n) is int for n in numbers)
        if not listed or min(numbers, default=0) < 0:
            raise ValueError(f"{name!r} is no list of whole numbers")
    for name in ("costs", "targets", "accuracies", "seconds"):
        if not isinstance(told.get(name, {}), dict):
            raise ValueError(f"{name!r} is no table")


def write_told(folder: Path, told: Mapping[str, Any]) -> None:
    """Writes `pruned.json`; a network may be infinitely bad once it is cut.

    Args:
        folder: Of the pruned network.
        told: As `told_in` returns it.
    """
    stages = told["accuracies"]
    texts = dict(zip(stages, as_json(stages.values()), strict=True))
    files.write_json(folder / PRUNED, {**told, "accuracies": texts})


def tuning_seconds(folder: Path) -> float:
    """Seconds of all trainings after the cut; 0 where nothing was trained.

    Args:
        folder: Of the pruned network; it has a result.

    Raises:
        InputError: a result is missing or damaged.
    """
    seconds = 0.0
    for path in [folder / RESULT, *sorted(folder.glob(f"{EARLIER}/*/{RESULT}"))]:
        with files.readable(path, "result"):
            seconds += read_result(path.parent)["seconds"]
    return seconds
