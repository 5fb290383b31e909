"""What kept records say: scores over seeds, of comparisons and of bench/methods.py."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ns_tf.run import files

RECORDS = Path(__file__).resolve().parents[1] / "docs" / "runs"
COMPARISON = "comparison.json"  # Of a folder of a comparison.
# What a row of bench/methods.py is where a choice does not say otherwise.
USUAL = {
    "allocation": "uniform",
    "repair": "statistics",
    "rounds": None,
    "weigh": None,
    "least_share": None,
    "gate_epochs": None,
    "budget": "macs",
    "recipe": "plain",
    "epochs": 0,
    "stage": "repaired",
}
Choice = Mapping[str, Any]  # Names a row, and the score or stage that is read.


@dataclasses.dataclass(frozen=True)
class Sample:
    """One method over its seeds.

    Args:
        scores: By seed, from 0 to 1.
        seconds: By seed: of all that was done to get there.
    """

    scores: Mapping[str, float]
    seconds: Mapping[str, float]


def sample(folder: Path, choice: Choice) -> Sample:
    """The seeds of one method in a folder of records; none if it was not run.

    Args:
        folder: Of a comparison, or with a file of bench/methods.py for every seed.
        choice: The `method`; of a comparison also the `statistic`, "accuracies" (test
            images) or "best_epochs"; of bench/methods.py what differs from `USUAL`.

    Raises:
        InputError: a record is damaged.
    """
    if (folder / COMPARISON).exists():
        found = _compared(folder / COMPARISON, choice)
    else:
        found = _benched(folder, choice)
    scores, seconds = {}, {}
    for seed, score, taken in found:
        scores[seed], seconds[seed] = score, taken
    return Sample(scores, seconds)


def _compared(path: Path, choice: Choice) -> Iterator[tuple[str, float, float]]:
    """(seed, score, seconds) of a row of a comparison."""
    for row in files.read_json(path, what="comparison", version=1)["rows"]:
        if row["method"] == choice["method"]:
            scores = row[choice.get("statistic", "accuracies")]
            for seed, pair in enumerate(zip(scores, row["seconds"], strict=True)):
                yield (str(seed), *pair)


def _benched(folder: Path, choice: Choice) -> Iterator[tuple[str, float, float]]:
    """(seed, score, seconds) of the rows of bench/methods.py that are chosen."""
    wanted = {**USUAL, **choice}
    stage = wanted.pop("stage")
    for path in sorted(folder.glob("seed*.json")):
        for row in files.read_json(path, what="record of methods", version=1)["rows"]:
            if all(row.get(name) == value for name, value in wanted.items()):
                yield path.stem, row["accuracies"][stage], sum(row["seconds"].values())
