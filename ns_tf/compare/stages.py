"""How pruned networks came about: scores and seconds by stage, over the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.problem.score import Score
from ns_tf.prune.results import STAGES, told_in
from ns_tf.render import tables
from ns_tf.run import files
from ns_tf.run.folder import PRUNED, RESULT
from ns_tf.train.results import read_result

# By the name of a step: what it does, as the table says it.
STEPS = {
    "train": "train",
    "score": "score",
    "solve": "find widths",
    "cut": "cut and repair",
    "tune": "fine-tune",
}
NOTE = (
    "Scores are of the validation images, seconds of one network: means over the "
    "seeds. All rows of a seed share the trained network and the scores of a criterion."
)

ByName = dict[str, tuple[float, ...]]  # By stage or step: a value a seed.


def read(folders: Sequence[tuple[Path, Path]]) -> tuple[ByName, ByName]:
    """Scores by stage and seconds by step of the cells of a row.

    Args:
        folders: Of each cell that is done: its own, and that of the network that it was
            pruned from.

    Returns:
        (scores, seconds), each with a value a cell. Both are empty for cells that are
        not pruned.

    Raises:
        InputError: a file is damaged.
    """
    rows = [_one(*pair) for pair in folders if (pair[0] / PRUNED).exists()]
    scores = {name: tuple(row[0][name] for row in rows) for name in STAGES if rows}
    seconds = {name: tuple(row[1][name] for row in rows) for name in STEPS if rows}
    return scores, seconds


def _one(folder: Path, trunk: Path) -> tuple[dict[str, float], dict[str, float]]:
    """(score by stage, seconds by step) of one pruned network."""
    told = told_in(folder)
    with files.readable(folder / PRUNED, "pruned network"):
        scores = {stage: float(told["accuracies"][stage]) for stage in STAGES}
        seconds = {step: float(told["seconds"].get(step, 0.0)) for step in STEPS}
    if (trunk / RESULT).exists():
        seconds["train"] = float(read_result(trunk)["seconds"])
    return scores, seconds


def header(score: Score) -> tuple[str, ...]:
    """The heads of the columns of the table."""
    stages = (score.heading(stage) for stage in STAGES)
    steps = (f"{label}, s" for label in STEPS.values())
    return ("method", "budget", *stages, *steps)


def cells(method: str, budget: str, row: Any, score: Score) -> list[str]:
    """The texts of a row, one for every column of `header`.

    Args:
        method: As the table calls it.
        budget: The text of `--budgets`.
        row: Has `stages` and `stage_seconds`, as `read` returns them.
        score: Of the comparison.
    """
    scores = [score.number(float(np.mean(row.stages[stage]))) for stage in STAGES]
    seconds = [f"{np.mean(row.stage_seconds[step]):.1f}" for step in STEPS]
    return [method, budget, *scores, *seconds]


def rows_of(rows: Sequence[Any], score: Score) -> list[list[str]]:
    """The rows of the table: those of pruned networks.

    Args:
        rows: Of a comparison: `ns_tf.compare.verdicts.Line`.
        score: Of the comparison.
    """
    return [cells(row.method, row.budget, row, score) for row in rows if row.stages]


def markdown(rows: Sequence[Any], score: Score) -> list[str]:
    """The section of table.md, in lines; none if nothing is pruned.

    Args:
        rows: Of a comparison.
        score: Of the comparison.
    """
    texts = rows_of(rows, score)
    if not texts:
        return []
    heads = header(score)
    table = tables.markdown(heads, texts, align="<" * len(heads), padded=False)
    return ["", "## Pruned networks, stage by stage", "", NOTE, "", table]


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values with a column for every stage and step.

    >>> row = flat({"method": "a", "stages": {}, "stage_seconds": {"cut": (3.0, 5.0)}})
    >>> row["method"], row["seconds_cut"], row["stage_cut"]
    ('a', (3.0, 5.0), None)

    Args:
        table: As `ns_tf.compare.verdicts.Line.to_json` has them.
    """
    named = {f"stage_{name}": table["stages"].get(name) for name in STAGES}
    steps = {f"seconds_{name}": table["stage_seconds"].get(name) for name in STEPS}
    return {**without(table), **named, **steps}


def without(table: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values but for those of stages, and the widths of single seeds.

    Args:
        table: As `ns_tf.compare.verdicts.Line.to_json` has them.
    """
    names = ("stages", "stage_seconds", "seed_widths")
    return {name: value for name, value in table.items() if name not in names}
