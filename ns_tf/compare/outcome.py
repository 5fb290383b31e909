"""The outcome of a comparison: tables, figures, verdict, from the cells it has kept."""

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
from ns_tf.train.results import read_failure, read_result

AXES = ("params", "latency_ms")  # Of the figures.
STATISTICS = ("test_accuracy", "best_test_accuracy", "seconds")  # Of result.json.


def write(
    work: Comparison, listed: Mapping[str, Cell], watch: Watch | None = None
) -> str:
    """Writes table.md, table.csv, comparison.json and figures; the text of table.md.

    Args:
        work: The comparison.
        listed: Its cells by name, all done.
        watch: Shows how far the measuring of latency has come.
    """
    left = [name for name, cell in listed.items() if not work.done(cell)]
    if left:
        raise RunError(
            f"{len(left)} of {len(listed)} cells are not done, {left[0]} among them; "
            "run the same command again."
        )
    shown = _shown(listed.values())
    rows, text = _write_tables(
        work, shown, _latencies(work, shown, watch or Watch()), ""
    )
    (work.folder / PLOTS).mkdir(exist_ok=True)
    for axis in AXES:
        with files.replacing(_figure(work, axis)) as file:
            plots.comparison(rows, axis, file)
    return text


def so_far(work: Comparison, listed: Mapping[str, Cell]) -> None:
    """Writes the tables of the cells that are done, while others are worked on.

    There are no figures, and no latencies but those measured before: for that all
    networks take turns on a machine that does nothing else.

    Args:
        work: The comparison.
        listed: Its cells by name.
    """
    done = [cell for cell in listed.values() if work.done(cell)]
    shown = _shown(done)
    if shown and len(done) < len(listed):
        missing = f"So far: {len(done)} of {len(listed)} cells are done."
        _write_tables(work, shown, _kept_latencies(work), missing)
        for axis in AXES:
            _figure(work, axis).unlink(missing_ok=True)  # Of another table.


def _figure(work: Comparison, axis: str) -> Path:
    return work.folder / PLOTS / f"accuracy_{axis}.png"


def _shown(listed: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in listed if cell.kind != TRUNK]


def _write_tables(
    work: Comparison, shown: list[Cell], times: Mapping[str, Any], missing: str
) -> tuple[list[Line], str]:
    """Writes table.md, table.csv and comparison.json; the rows, the text of table.md.

    Args:
        work: The comparison.
        shown: Cells that are done.
        times: Latencies [median, p95] by network.
        missing: What the table says of cells that are not done.
    """
    rows = [_row(work, group, times) for group in _groups(shown).values()]
    found = verdicts.differences(rows)
    about = {**_about(work), "missing": missing}
    text = verdicts.markdown(rows, found, about)
    files.write_text(work.folder / TABLE, text)
    files.write_csv(work.folder / TABLE_CSV, *verdicts.csv_rows(rows))
    told = {
        "version": 1,
        **about,
        "test": TEST,
        "rows": [_finite(row.to_json()) for row in rows],
        "differences": [
            {**dataclasses.asdict(one), "certain": one.certain} for one in found
        ],
    }
    files.write_json(work.folder / COMPARISON, told)
    return rows, text


def _groups(shown) -> dict[tuple[str, str], list[Cell]]:
    """Cells by budget and method, in the order of the list."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for budget in dict.fromkeys(cell.budget for cell in shown):
        for cell in shown:
            if cell.budget == budget:
                groups.setdefault((budget, cell.method), []).append(cell)
    return groups


def _row(work: Comparison, group: list[Cell], times: Mapping[str, Any]) -> Line:
    results, failures, elsewhere = [], [], set()
    for cell in group:
        folder = work.cell_folder(cell)
        failure = read_failure(folder)
        if failure is not None:
            failures.append(failure)
            continue
        kept = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            results.append([kept[name] for name in STATISTICS])
            if ELSEWHERE in kept:
                elsewhere.add(str(kept[ELSEWHERE]))
    accuracies, best, seconds = zip(*results, strict=True) if results else ((), (), ())
    costs = work.costs(group[0])
    median, p95 = times.get(_network(group[0]), (None, None))
    return Line(
        method=group[0].method,
        budget=group[0].budget,
        widths=group[0].widths,
        params=costs["params"],
        macs=costs["macs"],
        accuracies=accuracies,
        best_epochs=best,
        seconds=seconds,
        failures=tuple(failures),
        latency_ms=median,
        latency_p95_ms=p95,
        elsewhere=tuple(sorted(elsewhere)),
    )


def _network(cell: Cell) -> str:
    return f"{cell.architecture} {','.join(map(str, cell.widths))}"


def _latencies(
    work: Comparison, shown: Sequence[Cell], watch: Watch
) -> dict[str, list[float]]:
    """[median, p95] in ms by network, all measured in turns, once and for all.

    If one is new, all are measured again: only times that took turns compare.
    """
    networks = {_network(cell): cell for cell in shown}
    kept, measure = _kept_latencies(work), _measure(work)
    if networks.keys() <= kept.keys():
        return {name: kept[name] for name in networks}
    timed = {
        name: latency.forward_pass(
            work.build(cell), work.problem.dataset.image_shape, measure["batch"]
        )
        for name, cell in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in timed}
    rounds = measure["warmup"] + measure["repeats"]
    with watch.bar(rounds, label="latency", unit="rounds") as bar:
        for _ in range(rounds):
            for name, run in timed.items():
                times[name].append(run())
            bar.update(1)
    found = {
        name: list(latency.percentiles(np.array(values[measure["warmup"] :])))
        for name, values in times.items()
    }
    files.write_json(work.folder / LATENCY, {"version": 1, **measure, "ms": found})
    return found


def _kept_latencies(work: Comparison) -> dict[str, list[float]]:
    """What was measured before, in the same way and on the same machine."""
    path = work.folder / LATENCY
    if not path.exists():
        return {}
    what, remedy = "list of latencies", "Delete it: it is made anew."
    with files.readable(path, what, remedy):
        kept = files.read_json(path, what=what, version=1, remedy=remedy)
        same = all(kept.get(name) == value for name, value in _measure(work).items())
        return kept["ms"] if same else {}


def _measure(work: Comparison) -> dict[str, Any]:
    """How latency is measured, and on what."""
    solver = work.solver
    return {
        "batch": solver.latency_batch,
        "warmup": solver.latency_warmup,
        "repeats": solver.latency_repeats,
        "machine": _machine(),
    }


def _machine() -> str:
    """What it was measured on, in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        model = tf.config.experimental.get_device_details(gpus[0]).get("device_name")
        device = f"{len(gpus)} x {model}"
    else:
        device = f"{os.cpu_count()} cores of {_processor()}"
    return f"{device}, TensorFlow {tf.__version__}, Keras {keras.__version__}"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _about(work: Comparison) -> dict[str, Any]:
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
    """The table with null for what is not there: JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and value != value else value
        for name, value in table.items()
    }
