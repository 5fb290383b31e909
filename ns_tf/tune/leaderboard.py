"""The outcome of a tuning: table, figure and Pareto front of the trials that ended."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ns_tf import budgets
from ns_tf.base import InputError, Widths
from ns_tf.problem.score import Score
from ns_tf.render import plots, tables
from ns_tf.run import files
from ns_tf.run.folder import PLOTS, RESULT, TABLE, TABLE_CSV, TUNING
from ns_tf.train.job import network_costs
from ns_tf.train.results import read_failure, read_result, score_in
from ns_tf.tune.work import Tuning

# What a trial costs, by what is tuned: the other axis beside the score, its caption.
_AXES = {
    "network": ("params", budgets.get("params").unit),
    "search": ("search_steps", "training steps of the search"),
}


@dataclasses.dataclass(frozen=True)
class Place:
    """A trial that has ended: a row of the table.

    Widths and costs are None if the trial failed before it had a network, scores and
    seconds are None if its training failed.
    """

    trial: str  # Name of its folder.
    values: dict[str, Any]  # Of the hyperparameters, by name.
    widths: Widths | None  # Filters of every layer.
    params: int | None  # Trainable parameters.
    macs: int | None  # Multiply-adds of an image.
    search_steps: int | None  # Training steps of its search, if searches are tuned.
    epochs: int  # Of its recipe.
    validation_score: float | None  # Of the best epoch; orders the table.
    test_score: float | None  # Of the same epoch; decides nothing.
    seconds: float | None  # Of the training.
    failure: str | None  # Why it failed; None if it did not.
    front: bool = False  # Whether it is on the Pareto front.

    def told(self, score: str) -> dict[str, Any]:
        """The row as files have it.

        Args:
            score: Name of the task's score, which names two of the keys.
        """
        values = dataclasses.asdict(self)
        return {key.replace("_score", f"_{score}"): v for key, v in values.items()}


def write(work: Tuning) -> tuple[list[Place], str]:
    """Writes table.md, table.csv, tuning.json and the figure.

    Args:
        work: The tuning, of which at least one trial has ended.

    Returns:
        The rows, best validation score first and failures last, and the text of
        table.md.

    Raises:
        InputError: no trial is done.
    """
    (axis, caption), score = _AXES[work.tune.tune], work.problem.task.score
    rows = places(work)
    names = list(work.mode.space.members)
    text = _markdown(work, rows, names)
    files.write_text(work.folder / TABLE, text)
    table = _csv(rows, names, score.name)
    files.write_csv(work.folder / TABLE_CSV, *table, sealed=False)
    outcome = {
        "version": 1,
        "architecture": work.problem.architecture.name,
        "dataset": work.problem.dataset.name,
        "tune": work.tune.tune,
        "tuner": work.tune.tuner,
        "score": score.name,
        "rows": [row.told(score.name) for row in rows],
    }
    files.write_json(work.folder / TUNING, outcome)
    (work.folder / PLOTS).mkdir(exist_ok=True)
    with files.replacing(work.folder / PLOTS / f"{score.name}_{axis}.png") as file:
        plots.pareto(
            rows,
            axis,
            file,
            caption=caption,
            label=score.label,
            scale=score.scale,
        )
    return rows, text


def places(work: Tuning) -> list[Place]:
    """The rows of the trials that have ended, the best first and failures last.

    Args:
        work: The tuning.

    Raises:
        InputError: no trial is done, or a result is damaged.
    """
    axis, _ = _AXES[work.tune.tune]
    rows = [_row(work, name) for name in work.done()]
    if not rows:
        raise InputError(f"No trial of {work.folder} is done.")
    front = set(pareto([_point(row, axis) for row in rows]))
    rows = [dataclasses.replace(row, front=i in front) for i, row in enumerate(rows)]
    rows.sort(key=lambda row: (row.failure is not None, -(row.validation_score or 0.0)))
    return rows


def pareto(points: Sequence[tuple[float, float] | None]) -> list[int]:
    """The points that no other beats: as cheap, as accurate, and better in one.

    >>> pareto([(5, 0.7), (3, 0.6), None, (4, 0.6), (5, 0.8)])
    [1, 4]

    Args:
        points: (cost, score); None for a trial without either.

    Returns:
        Indices of the points of the front, cheapest first. Of equal points it has the
        first one.
    """
    known = [i for i, point in enumerate(points) if point is not None]
    best, front = float("-inf"), []
    for i in sorted(known, key=lambda i: (points[i][0], -points[i][1], i)):
        if points[i][1] > best:
            best = points[i][1]
            front.append(i)
    return front


def _point(row: Place, axis: str) -> tuple[float, float] | None:
    """(cost, score) of a row; None if the trial failed."""
    if row.validation_score is None:
        return None
    return getattr(row, axis), row.validation_score


def _row(work: Tuning, name: str) -> Place:
    """The row of a trial, from what its folders hold."""
    trial, folder = work.read(name), work.training(name)
    network = trial.get("found", {})
    widths = tuple(network["widths"]) if network else None
    costs = network_costs(work.problem.structure, widths) if widths else {}
    result: dict[str, Any] = {}
    failure = read_failure(folder)
    scores = {}
    if failure is None:
        result = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            scores = {of: score_in(result, of) for of in ("validation", "test")}
    return Place(
        trial=name,
        values=trial["values"],
        widths=widths,
        params=costs.get("params"),
        macs=costs.get("macs"),
        search_steps=network.get("search_steps"),
        epochs=work.mode.recipe(trial["values"]).epochs,
        validation_score=scores.get("validation"),
        test_score=scores.get("test"),
        seconds=result.get("seconds"),
        failure=failure,
    )


def _markdown(work: Tuning, rows: Sequence[Place], names: Sequence[str]) -> str:
    """The text of table.md.

    Args:
        work: The tuning.
        rows: In the order of the lines.
        names: Of the hyperparameters, in the order of the columns.
    """
    searched = work.tune.tune == "search"
    costs = ("params", "macs", *(["search_steps"] if searched else []))
    score = work.problem.task.score
    header = (
        "trial",
        "front",
        *map(_label, names),
        *costs,
        "epochs",
        "validation",
        "test",
        "s",
    )
    lines = [
        f"# {work.problem.architecture.name} on {work.problem.dataset.name}: "
        f"{work.tune.tune}, {work.tune.tuner}",
        "",
        *_missing(work, len(rows)),
        tables.markdown(
            header,
            [
                (
                    row.trial,
                    "*" if row.front else "",
                    *(_text(row.values.get(name)) for name in names),
                    *(_text(getattr(row, name)) for name in costs),
                    str(row.epochs),
                    _number(row.validation_score, score),
                    _number(row.test_score, score),
                    "-" if row.seconds is None else f"{row.seconds:.0f}",
                )
                for row in rows
            ],
        ),
        "",
        f"validation, test: {score.label}, of the epoch that validation images chose; "
        "test images chose nothing. front: no other trial "
        + ("searched in as few steps" if searched else "is as small")
        + " and as good on validation images.",
        "",
        *(f"* {row.trial} failed: {row.failure}" for row in rows if row.failure),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _missing(work: Tuning, done: int) -> list[str]:
    """Lines that say how many trials have not ended; none if all have."""
    _, total = work.counts()
    return [f"So far: {done} of {total} trials.", ""] if done < total else []


def _csv(
    rows: Sequence[Place], names: Sequence[str], score: str
) -> tuple[list[str], list[list]]:
    """Header and rows of table.csv; widths are joined by blanks, None is empty."""
    fields = [name for name in rows[0].told(score) if name != "values"]
    table = []
    for row in rows:
        values = row.told(score)
        values["widths"] = " ".join(map(str, row.widths or ()))
        cells = [row.values.get(name) for name in names]
        cells += [values[field] for field in fields]
        table.append(["" if cell is None else cell for cell in cells])
    return [*map(_label, names), *fields], table


def _label(name: str) -> str:
    """Name of a hyperparameter's column, different from those of `Place`'s fields.

    >>> _label("params"), _label("epochs"), _label("rate")
    ('params<=', 'epochs drawn', 'rate')
    """
    if name in budgets.BUDGETS.names():
        return f"{name}<="
    return f"{name} drawn" if name in Place.__annotations__ else name


def _text(value: Any) -> str:
    """A value for people.

    >>> _text(None), _text(1234567), _text(0.12345678), _text("flip")
    ('-', '1,234,567', '0.1235', 'flip')
    """
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float | None, score: Score) -> str:
    """A score as it is shown, without its unit; a dash for None."""
    return "-" if value is None else score.number(value)
