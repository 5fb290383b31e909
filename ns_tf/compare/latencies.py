"""How long the networks of a comparison take, all measured in turns and kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.budgets import latency
from ns_tf.compare.cells import Cell
from ns_tf.measure.network import machine, threads
from ns_tf.run import files
from ns_tf.run.folder import LATENCY
from ns_tf.run.watch import Watch

if TYPE_CHECKING:
    from ns_tf.compare.work import Comparison


def network_of(work: "Comparison", cell: Cell) -> str:
    """The key of a cell's network in latency.json: its name and widths.

    Cells of several seeds or methods may share a network, which is measured once.
    """
    widths = work.jobs.widths(cell)
    return f"{work.jobs.network_of(cell)} {','.join(map(str, widths))}"


def about(work: "Comparison") -> str:
    """How the milliseconds of the table came about, in words."""
    if work.device is not None:
        return f"by the tables of {work.device.path}: {work.device.about}."
    solver = work.solver
    return (
        f"one forward pass of {solver.latency_batch} images, median of "
        f"{solver.latency_repeats} after {solver.latency_warmup} to warm up, the "
        f"networks taking turns, on {machine()}."
    )


def measured(
    work: "Comparison", cells: Sequence[Cell], watch: Watch
) -> dict[str, list[float]]:
    """[median, p95] in ms by network, all measured in turns and kept.

    One new network has all of them measured again: only times taken in turns compare.

    Args:
        work: The comparison; its solver says how latency is measured.
        cells: No trunks.
        watch: Shows how many rounds are measured.
    """
    known = [cell for cell in cells if work.jobs.widths(cell) is not None]
    networks = {network_of(work, cell): cell for cell in known}
    before, measure = kept(work), _measure(work)
    if networks.keys() <= before.keys():
        return {name: before[name] for name in networks}
    timed = {
        name: latency.forward_pass(
            work.jobs.build(cell), work.problem.dataset.image_shape, measure["batch"]
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


def kept(work: "Comparison") -> dict[str, list[float]]:
    """[median, p95] in ms by network, measured before in the same way.

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


def _measure(work: "Comparison") -> dict[str, Any]:
    """Batch, warm-up and repeats of the measurement, the machine and its threads."""
    solver = work.solver
    return {
        "batch": solver.latency_batch,
        "warmup": solver.latency_warmup,
        "repeats": solver.latency_repeats,
        "machine": machine(),
        "threads": threads(),
    }
