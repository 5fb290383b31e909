"""The outcome of a comparison: tables, figures and verdict of its finished cells.

Written: table.md for people, table.csv and comparison.json for programs, latency.json
with what was measured, and a figure for every axis of `AXES`.
"""

import contextlib
import dataclasses
import datetime
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import RunError
from ns_tf.budgets import latency
from ns_tf.compare import verdicts
from ns_tf.compare.cells import TRUNK, Cell
from ns_tf.compare.verdicts import TEST, Line
from ns_tf.compare.work import Comparison
from ns_tf.render import plots
from ns_tf.run import files
from ns_tf.run.folder import CELLS, COMPARISON, LATENCY, PLOTS, RESULT, TABLE, TABLE_CSV
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
    times = _latencies(work, cells, watch or Watch())
    rows, text = _write_tables(work, cells, times, "")
    (work.folder / PLOTS).mkdir(exist_ok=True)
    for axis in AXES:
        with files.replacing(_figure(work, axis)) as file:
            plots.comparison(rows, axis, file)
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
        _write_tables(work, cells, _kept_latencies(work), missing)
        for axis in AXES:
            _figure(work, axis).unlink(missing_ok=True)


def _figure(work: Comparison, axis: str) -> Path:
    """The path of the figure over an axis."""
    return work.folder / PLOTS / f"accuracy_{axis}.png"


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
    about = {**_about(work), "missing": missing}
    text = verdicts.markdown(rows, pairs, about)
    files.write_text(work.folder / TABLE, text)
    files.write_csv(work.folder / TABLE_CSV, *verdicts.csv_rows(rows))
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
        folder = work.cell_folder(cell)
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
    costs = work.costs(group[0])
    median, p95 = times.get(_network(group[0]), (None, None))
    return Line(
        method=group[0].method,
        budget=group[0].budget,
        widths=group[0].widths,
        params=costs["params"],
        macs=costs["macs"],
        accuracies=scores,
        best_epochs=best,
        seconds=seconds,
        failures=tuple(failures),
        latency_ms=median,
        latency_p95_ms=p95,
        elsewhere=tuple(sorted(elsewhere)),
    )


def _network(cell: Cell) -> str:
    """The key of a cell's network in latency.json: architecture and widths.

    Cells of several seeds or methods may share a network, which is measured once.
    """
    return f"{cell.architecture} {','.join(map(str, cell.widths))}"


def _latencies(
    work: Comparison, cells: Sequence[Cell], watch: Watch
) -> dict[str, list[float]]:
    """[median, p95] in ms by network, all measured in turns and kept.

    One new network has all of them measured again: only times taken in turns compare.

    Args:
        work: The comparison; its solver says how latency is measured.
        cells: No trunks.
        watch: Shows how many rounds are measured.
    """
    networks = {_network(cell): cell for cell in cells}
    before, measure = _kept_latencies(work), _measure(work)
    if networks.keys() <= before.keys():
        return {name: before[name] for name in networks}
    timed = {
        name: latency.forward_pass(
            work.build(cell), work.problem.dataset.image_shape, measure["batch"]
        )
        for name, cell in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in timed}
    warmup = max(measure["warmup"], 1)  # The first pass traces.
    rounds = warmup + measure["repeats"]
    with watch.bar(rounds, label="latency", unit="rounds") as bar:
        for _ in range(rounds):
            for name, run in timed.items():
                times[name].append(run())
            bar.update(1)
    statistics = {
        name: list(latency.percentiles(np.array(values[warmup:])))
        for name, values in times.items()
    }
    files.write_json(work.folder / LATENCY, {"version": 1, **measure, "ms": statistics})
    return statistics


def _kept_latencies(work: Comparison) -> dict[str, list[float]]:
    """[median, p95] in ms by network, measured before in the same way and machine.

    Raises:
        InputError: the list of latencies is damaged.
    """
    path = work.folder / LATENCY
    if not path.exists():
        return {}
    what, remedy = "list of latencies", "Delete it: it is made anew."
    with files.readable(path, what, remedy):
        before = files.read_json(path, what=what, version=1, remedy=remedy)
        same = all(before.get(name) == value for name, value in _measure(work).items())
        return before["ms"] if same else {}


def _measure(work: Comparison) -> dict[str, Any]:
    """Batch, warm-up and repeats of the measurement, and the machine in words."""
    solver = work.solver
    return {
        "batch": solver.latency_batch,
        "warmup": solver.latency_warmup,
        "repeats": solver.latency_repeats,
        "machine": _machine(),
    }


def _machine() -> str:
    """GPUs or CPU, and the versions of TensorFlow and Keras."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        model = tf.config.experimental.get_device_details(gpus[0]).get("device_name")
        device = f"{len(gpus)} x {model}"
    else:
        device = f"{os.cpu_count()} cores of {_processor()}"
    return f"{device}, TensorFlow {tf.__version__}, Keras {keras.__version__}"


def _processor() -> str:
    """The model name of the CPU, or its architecture where no system says."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _about(work: Comparison) -> dict[str, Any]:
    """Title, recipe, date, way of measuring, and gaps, in words for the tables.

    Raises:
        InputError: the list of cells is damaged.
    """
    train, solver = work.recipe, work.solver
    path = work.folder / CELLS
    with files.readable(path, "list of cells"):
        gaps = files.read_json(path, what="list of cells")["gaps"]
    return {
        "title": f"{work.problem.architecture.name} on {work.problem.dataset.name}",
        "recipe": (
            f"{train.epochs} epochs, batch {train.batch}, SGD {train.rate:g} "
            f"({train.schedule}), momentum {train.momentum:g}, weight decay "
            f"{train.weight_decay:g}."
        ),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "latency": (
            f"one forward pass of {solver.latency_batch} images, median of "
            f"{solver.latency_repeats} after {solver.latency_warmup} to warm up, the "
            f"networks taking turns, on {_machine()}."
        ),
        "gaps": [f"{method} at {budget}: {reason}" for method, budget, reason in gaps],
    }


def _finite(table: Mapping[str, Any]) -> dict[str, Any]:
    """The values with None in place of NaN, which JSON does not have.

    >>> _finite({"accuracy_mean": float("nan"), "params": 3})
    {'accuracy_mean': None, 'params': 3}
    """
    return {
        name: None if isinstance(value, float) and value != value else value
        for name, value in table.items()
    }
