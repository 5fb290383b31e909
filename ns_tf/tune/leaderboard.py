"""The outcome of a tuning: table, figure, Pareto front, from the trials it kept."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ns_tf.base import InputError, Widths
from ns_tf.budgets import BUDGETS
from ns_tf.render import plots, tables
from ns_tf.run import files
from ns_tf.run.folder import PLOTS, TABLE, TABLE_CSV, TUNING
from ns_tf.train.job import network_costs
from ns_tf.train.results import read_failure, read_result
from ns_tf.tune.work import Tuning

_AXES = {"network": "params", "search": "search_steps"}


@dataclasses.dataclass(frozen=True)
class Place:
    """A trial that is done."""

    trial: str  # The folder's name.
    values: dict[str, Any]  # Of the hyperparameters.
    widths: Widths | None  # None, like all below, if none were found.
    params: int | None
    macs: int | None
    search_steps: int | None  # Of a tuned search.
    epochs: int
    validation_accuracy: float | None  # None, like all below, if its training failed.
    test_accuracy: float | None  # Chooses nothing.
    seconds: float | None
    failure: str | None
    front: bool = False  # Whether no other is as cheap and as good, and better in one.


def write(work: Tuning) -> tuple[list[Place], str]:
    """Writes table.md, table.csv, tuning.json and the figure.

    Args:
        work: The tuning; its trials are done, or some of them.

    Returns:
        The rows, best validation accuracy first, and the text of table.md.

    Raises:
        InputError: no trial is done.
    """
    axis = _AXES[work.tune.tune]
    rows = [_row(work, name) for name in work.done()]
    if not rows:
        raise InputError(f"No trial of {work.folder} is done.")
    front = set(pareto([_point(row, axis) for row in rows]))
    rows = [dataclasses.replace(row, front=i in front) for i, row in enumerate(rows)]
    rows.sort(key=lambda row: -(row.validation_accuracy or 0.0))
    names = list(work.mode.space.members)
    text = _markdown(work, rows, names)
    files.write_text(work.folder / TABLE, text)
    files.write_csv(work.folder / TABLE_CSV, *_csv(rows, names))
    told = {
        "version": 1,
        "architecture": work.problem.architecture.name,
        "dataset": work.problem.dataset.name,
        "tune": work.tune.tune,
        "tuner": work.tune.tuner,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    files.write_json(work.folder / TUNING, told)
    (work.folder / PLOTS).mkdir(exist_ok=True)
    with files.replacing(work.folder / PLOTS / f"accuracy_{axis}.png") as file:
        plots.pareto(rows, axis, file)
    return rows, text


def pareto(points: Sequence[tuple[float, float] | None]) -> list[int]:
    """Which points (cost, accuracy) no other beats: cheapest first.

    Of equal points the first one is taken; None is never.
    """
    there = [i for i, point in enumerate(points) if point is not None]
    best, front = float("-inf"), []
    for i in sorted(there, key=lambda i: (points[i][0], -points[i][1], i)):
        if points[i][1] > best:
            best = points[i][1]
            front.append(i)
    return front


def _point(row: Place, axis: str) -> tuple[float, float] | None:
    if row.validation_accuracy is None:
        return None
    return getattr(row, axis), row.validation_accuracy


def _row(work: Tuning, name: str) -> Place:
    kept, folder = work.read(name), work.training(name)
    found = kept.get("found", {})
    widths = tuple(found["widths"]) if found else None
    costs = network_costs(work.problem.structure, widths) if widths else {}
    result: dict[str, Any] = {}
    failure = read_failure(folder)
    if failure is None:
        result = read_result(folder)
    return Place(
        trial=name,
        values=kept["values"],
        widths=widths,
        params=costs.get("params"),
        macs=costs.get("macs"),
        search_steps=found.get("search_steps"),
        epochs=work.mode.recipe(kept["values"]).epochs,
        validation_accuracy=result.get("validation_accuracy"),
        test_accuracy=result.get("test_accuracy"),
        seconds=result.get("seconds"),
        failure=failure,
    )


def _markdown(work: Tuning, rows: Sequence[Place], names: Sequence[str]) -> str:
    searched = work.tune.tune == "search"
    costs = ("params", "macs", *(["search_steps"] if searched else []))
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
                    _percent(row.validation_accuracy),
                    _percent(row.test_accuracy),
                    "-" if row.seconds is None else f"{row.seconds:.0f}",
                )
                for row in rows
            ],
        ),
        "",
        "Accuracy in %, of the epoch that validation images chose; test images chose "
        "nothing. front: no other trial "
        + ("searched in as few steps" if searched else "is as small")
        + " and as accurate on validation images.",
        "",
        *(f"* {row.trial} failed: {row.failure}" for row in rows if row.failure),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _missing(work: Tuning, done: int) -> list[str]:
    """Lines about the trials that are still to come."""
    _, total = work.counts()
    return [f"So far: {done} of {total} trials.", ""] if done < total else []


def _csv(rows: Sequence[Place], names: Sequence[str]) -> tuple[list[str], list[list]]:
    """Header and rows for programs; widths are joined by blanks."""
    fields = [f.name for f in dataclasses.fields(Place) if f.name != "values"]
    table = []
    for row in rows:
        told = dataclasses.asdict(row)
        told["widths"] = " ".join(map(str, row.widths or ()))
        cells = [row.values.get(name) for name in names]
        cells += [told[field] for field in fields]
        table.append(["" if cell is None else cell for cell in cells])
    return [*map(_label, names), *fields], table


def _label(name: str) -> str:
    """A hyperparameter's column, where a cost's has the same name: `params<=`."""
    if name in BUDGETS.names():
        return f"{name}<="
    return f"{name} drawn" if name in Place.__annotations__ else name


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
