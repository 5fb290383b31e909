"""The outcome of a comparison: tables, figures and verdict of its finished cells.

Written: table.md for people, table.csv and comparison.json for programs, latency.json
with what was measured, and a picture for every axis (`ns_tf.compare.axes`).
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import RunError
from ns_tf.compare import axes, latencies, stages, verdicts
from ns_tf.compare.cells import FINETUNE, Cell, read_gaps
from ns_tf.compare.csv_table import csv_rows
from ns_tf.compare.figures import Figures
from ns_tf.compare.verdicts import TEST, Line
from ns_tf.compare.work import Comparison
from ns_tf.prune.results import tuning_seconds
from ns_tf.run import files
from ns_tf.run.folder import COMPARISON, PLOTS, RESULT, TABLE, TABLE_CSV
from ns_tf.run.watch import Watch
from ns_tf.train.job import ELSEWHERE
from ns_tf.train.results import read_failure, read_result, score_in


def write(
    work: Comparison, listed: Mapping[str, Cell], watch: Watch | None = None
) -> str:
    """Writes table.md, table.csv, comparison.json and figures.

    Args:
        work: The comparison.
        listed: Its cells by name, all done.
        watch: Shows the progress of measuring.

    Returns:
        The text of table.md.

    Raises:
        RunError: a cell is not done.
        InputError: a result, or a list of what was measured, is damaged.
    """
    missing = [name for name, cell in listed.items() if not work.done(cell)]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(listed)} cells are not done, {missing[0]} among "
            "them; run the same command again."
        )
    cells = _without_trunks(listed.values())
    figures = Figures.measured(work, cells, watch or Watch())
    rows, text = _write_tables(work, cells, figures, "")
    (work.folder / PLOTS).mkdir(exist_ok=True)
    score = work.problem.task.score
    for axis in axes.complete(rows):
        with files.replacing(_picture(work, axis)) as file:
            axis.draw(rows, file, score)
    return text


def so_far(work: Comparison, listed: Mapping[str, Cell]) -> None:
    """Writes the tables of the cells that are done, while others are worked on.

    It draws no pictures, removes those of an earlier table, and measures nothing: to
    compare, all networks take turns on a machine that does nothing else. Nothing is
    written before the first cell is done or once all are.

    Args:
        work: The comparison.
        listed: Its cells by name.

    Raises:
        InputError: a result, or a list of what was measured, is damaged.
    """
    done = [cell for cell in listed.values() if work.done(cell)]
    cells = _without_trunks(done)
    if cells and len(done) < len(listed):
        missing = f"So far: {len(done)} of {len(listed)} cells are done."
        _write_tables(work, cells, Figures.kept(work), missing)
        for axis in axes.AXES:
            _picture(work, axis).unlink(missing_ok=True)


def _picture(work: Comparison, axis: axes.Axis) -> Path:
    """The path of the picture over an axis."""
    return work.folder / PLOTS / f"{work.problem.task.score.name}_{axis.name}.png"


def _without_trunks(listed: Iterable[Cell]) -> list[Cell]:
    """The cells that tables show: a trunk is at no budget."""
    return [cell for cell in listed if cell.shown]


def _write_tables(
    work: Comparison, cells: list[Cell], figures: Figures, missing: str
) -> tuple[list[Line], str]:
    """Writes table.md, table.csv and comparison.json.

    Args:
        work: The comparison.
        cells: Cells that are done, no trunks.
        figures: What was measured.
        missing: A sentence on cells that are not done; empty if all are.

    Returns:
        The rows of the table, and the text of table.md.
    """
    groups = list(_groups(cells).values())
    facts = [_network_facts(work, group, figures) for group in groups]
    rows = [
        _row(work, group, known)
        for group, (known, _) in zip(groups, facts, strict=True)
    ]
    unknown = dict.fromkeys(reason for _, reasons in facts for reason in reasons)
    pairs = verdicts.differences(rows)
    pruned = any(cell.kind == FINETUNE for cell in cells)
    about = {
        **_about(work, pruned=pruned),
        "missing": missing,
        "unknown": list(unknown),
    }
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


def _row(work: Comparison, group: list[Cell], known: Mapping[str, Any]) -> Line:
    """The row of a method at a budget.

    Args:
        work: The comparison.
        group: The method's cells at the budget, one a seed, all done.
        known: Widths and costs.

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
            pruned = cell.kind == FINETUNE
            spent = tuning_seconds(folder) if pruned else result["seconds"]
            results.append((*scores, spent))
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
        **known,
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
    work: Comparison, group: list[Cell], figures: Figures
) -> tuple[dict[str, Any], list[str]]:
    """Widths and costs of a row, means over the seeds where they differ.

    Args:
        work: The comparison.
        group: Cells of a method at a budget, one a seed, all done.
        figures: What was measured.

    Returns:
        Fields of the row, and why some of its costs are not known.
    """
    # Where what they are pruned from has failed, nobody knows the networks.
    known = [cell for cell in group if work.jobs.widths(cell) is not None]
    networks = [figures.network(cell) for cell in known]
    costs, reasons = axes.costs_of(axes.wanted(work), networks)
    widths = tuple(work.jobs.units(cell) for cell in known)
    facts = {
        "widths": widths[0] if widths else (),
        "costs": costs,
        "seed_widths": widths if group[0].widths is None else (),
    }
    return facts, reasons


def _about(work: Comparison, *, pruned: bool) -> dict[str, Any]:
    """Title, recipe, date, score, way of measuring, and gaps, for the tables.

    Args:
        work: The comparison.
        pruned: Whether some of its networks are pruned.

    Raises:
        InputError: the list of cells is damaged.
    """
    return {
        "title": f"{work.problem.architecture.name} on {work.problem.dataset.name}",
        "recipe": _recipe(work, pruned=pruned),
        "score": dataclasses.asdict(work.problem.task.score),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "latency": latencies.about(work),
        "gaps": read_gaps(work.folder),
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
