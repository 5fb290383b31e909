"""The outcome of a comparison: tables, figures and verdict of its finished cells.

Written: table.md for people, table.csv and comparison.json for programs, latency.json
with what was measured, and a figure for every axis of `AXES`.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import RunError
from ns_tf.compare import latencies, stages, verdicts
from ns_tf.compare.cells import FINETUNE, TRUNK, Cell
from ns_tf.compare.csv_table import csv_rows
from ns_tf.compare.verdicts import TEST, Line
from ns_tf.compare.work import Comparison
from ns_tf.render import plots
from ns_tf.run import files
from ns_tf.run.folder import CELLS, COMPARISON, PLOTS, RESULT, TABLE, TABLE_CSV
from ns_tf.run.watch import Watch
from ns_tf.train.job import ELSEWHERE
from ns_tf.train.results import read_failure, read_result, score_in

AXES = ("params", "macs", "latency_ms")  # What the figures show scores over.


def write(
    work: Comparison, listed: Mapping[str, Cell], watch: Watch | None = None
) -> str:
    """Writes table.md, table.csv, comparison.json and figures.

    Args:
        work: The comparison.
        listed: Its cells by name, all done.
        watch: Shows the progress of measuring latency.

    Returns:
        The text of table.md.

    Raises:
        RunError: a cell is not done.
        InputError: a result, or the list of latencies, is damaged.
    """
    missing = [name for name, cell in listed.items() if not work.done(cell)]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(listed)} cells are not done, {missing[0]} among "
            "them; run the same command again."
        )
    cells = _without_trunks(listed.values())
    times = latencies.measured(work, cells, watch or Watch())
    rows, text = _write_tables(work, cells, times, "")
    (work.folder / PLOTS).mkdir(exist_ok=True)
    score = work.problem.task.score
    for axis in AXES:
        with files.replacing(_figure(work, axis)) as file:
            plots.comparison(rows, axis, file, label=score.label, scale=score.scale)
    return text


def so_far(work: Comparison, listed: Mapping[str, Cell]) -> None:
    """Writes the tables of the cells that are done, while others are worked on.

    It draws no figures, removes those of an earlier table, and measures no latency: to
    compare, all networks take turns on a machine that does nothing else. Nothing is
    written before the first cell is done or once all are.

    Args:
        work: The comparison.
        listed: Its cells by name.

    Raises:
        InputError: a result, or the list of latencies, is damaged.
    """
    done = [cell for cell in listed.values() if work.done(cell)]
    cells = _without_trunks(done)
    if cells and len(done) < len(listed):
        missing = f"So far: {len(done)} of {len(listed)} cells are done."
        _write_tables(work, cells, latencies.kept(work), missing)
        for axis in AXES:
            _figure(work, axis).unlink(missing_ok=True)


def _figure(work: Comparison, axis: str) -> Path:
    """The path of the figure over an axis."""
    return work.folder / PLOTS / f"{work.problem.task.score.name}_{axis}.png"


def _without_trunks(listed: Iterable[Cell]) -> list[Cell]:
    """The cells that tables show: a trunk is at no budget."""
    return [cell for cell in listed if cell.kind != TRUNK]


def _write_tables(
    work: Comparison, cells: list[Cell], times: Mapping[str, Any], missing: str
) -> tuple[list[Line], str]:
    """Writes table.md, table.csv and comparison.json.

    Args:
        work: The comparison.
        cells: Cells that are done, no trunks.
        times: Latencies [median, p95] in ms by network.
        missing: A sentence on cells that are not done; empty if all are.

    Returns:
        The rows of the table, and the text of table.md.
    """
    rows = [_row(work, group, times) for group in _groups(cells).values()]
    pairs = verdicts.differences(rows)
    pruned = any(cell.kind == FINETUNE for cell in cells)
    about = {**_about(work, pruned=pruned), "missing": missing}
    text = verdicts.markdown(rows, pairs, about)
    files.write_text(work.folder / TABLE, text)
    files.write_csv(work.folder / TABLE_CSV, *csv_rows(rows), sealed=False)
    table = {
        "version": 1,
        **about,
        "test": TEST,
        "rows": [_finite(row.to_json()) for row in rows],
        "differences": [
            {**dataclasses.asdict(pair), "certain": pair.certain} for pair in pairs
        ],
    }
    files.write_json(work.folder / COMPARISON, table)
    return rows, text


def _groups(cells: Sequence[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """Cells by budget and method, both in the order of the list.

    Args:
        cells: No trunks; a group has a cell a seed.
    """
    groups: dict[tuple[str, str], list[Cell]] = {}
    for budget in dict.fromkeys(cell.budget for cell in cells):
        for cell in cells:
            if cell.budget == budget:
                groups.setdefault((budget, cell.method), []).append(cell)
    return groups


def _row(work: Comparison, group: list[Cell], times: Mapping[str, Any]) -> Line:
    """The row of a method at a budget.

    Args:
        work: The comparison.
        group: The method's cells at the budget, one a seed, all done.
        times: Latencies [median, p95] in ms by network.

    Raises:
        InputError: a result is damaged.
    """
    results, failures, elsewhere = [], [], set()
    for cell in group:
        folder = work.jobs.folder_of(cell)
        failure = read_failure(folder)
        if failure is not None:
            failures.append(failure)
            continue
        result = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            scores = score_in(result, "test"), score_in(result, "best_test")
            results.append((*scores, result["seconds"]))
            if ELSEWHERE in result:
                elsewhere.add(str(result[ELSEWHERE]))
    scores, best, seconds = zip(*results, strict=True) if results else ((), (), ())
    by_stage, by_step = _stages(work, group)
    return Line(
        method=group[0].method,
        budget=group[0].budget,
        accuracies=scores,
        best_epochs=best,
        seconds=seconds,
        failures=tuple(failures),
        elsewhere=tuple(sorted(elsewhere)),
        stages=by_stage,
        stage_seconds=by_step,
        **_network_facts(work, group, times),
    )


def _stages(work: Comparison, group: list[Cell]) -> tuple[stages.ByName, stages.ByName]:
    """Scores by stage and seconds by step of a row of pruned networks; else none."""
    jobs = work.jobs
    return stages.read(
        [
            (jobs.folder_of(cell), jobs.trunk_of(cell))
            for cell in group
            if cell.kind == FINETUNE and read_failure(jobs.folder_of(cell)) is None
        ]
    )


def _network_facts(
    work: Comparison, group: list[Cell], times: Mapping[str, Any]
) -> dict[str, Any]:
    """Widths, costs and latency of a row: means over the seeds where they differ.

    Args:
        work: The comparison.
        group: Cells of a method at a budget, one a seed, all done.
        times: Latencies [median, p95] in ms by network.
    """
    known = [cell for cell in group if work.jobs.widths(cell) is not None]
    if not known:  # What they are pruned from has failed.
        return {"widths": (), "params": None, "macs": None}
    costs = [work.jobs.costs(cell) for cell in known]
    measured = [times.get(latencies.network_of(work, cell)) for cell in known]
    latency = (None, None)
    if None not in measured:
        latency = tuple(float(value) for value in np.mean(measured, axis=0))
    widths = tuple(work.jobs.widths(cell) for cell in known)
    return {
        "widths": widths[0],
        "params": round(np.mean([cost["params"] for cost in costs])),
        "macs": round(np.mean([cost["macs"] for cost in costs])),
        "latency_ms": latency[0],
        "latency_p95_ms": latency[1],
        "seed_widths": widths if group[0].widths is None else (),
    }


def _about(work: Comparison, *, pruned: bool) -> dict[str, Any]:
    """Title, recipe, date, score, way of measuring, and gaps, for the tables.

    Args:
        work: The comparison.
        pruned: Whether some of its networks are pruned.

    Raises:
        InputError: the list of cells is damaged.
    """
    solver = work.solver
    path = work.folder / CELLS
    with files.readable(path, "list of cells"):
        gaps = files.read_json(path, what="list of cells")["gaps"]
    return {
        "title": f"{work.problem.architecture.name} on {work.problem.dataset.name}",
        "recipe": _recipe(work, pruned=pruned),
        "score": dataclasses.asdict(work.problem.task.score),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "latency": (
            f"one forward pass of {solver.latency_batch} images, median of "
            f"{solver.latency_repeats} after {solver.latency_warmup} to warm up, the "
            f"networks taking turns, on {latencies.machine()}."
        ),
        "gaps": [f"{method} at {budget}: {reason}" for method, budget, reason in gaps],
    }


def _recipe(work: Comparison, *, pruned: bool) -> str:
    """How networks are trained, and how pruned ones are trained on if there are any."""
    train, compare = work.recipe, work.compare
    recipe = (
        f"{train.epochs} epochs, batch {train.batch}, SGD {train.rate:g} "
        f"({train.schedule}), momentum {train.momentum:g}, weight decay "
        f"{train.weight_decay:g}."
    )
    after = (
        f" Pruned networks: {compare.finetune_epochs} epochs at "
        f"{compare.finetune_rate:g} ({compare.finetune_schedule}) after the cut."
    )
    return recipe + after if pruned else recipe


def _finite(table: Mapping[str, Any]) -> dict[str, Any]:
    """The values with None in place of NaN, which JSON does not have.

    >>> _finite({"accuracy_mean": float("nan"), "params": 3})
    {'accuracy_mean': None, 'params': 3}
    """
    return {
        name: None if isinstance(value, float) and value != value else value
        for name, value in table.items()
    }
