"""How well a device's tables tell what whole networks take.

python tools/bench/latency_table.py --out=runs/latency_table

For each architecture and runtime the layers are measured (`ns_tf.measure`), then whole
networks of drawn widths, multiples of the tables' step, which the tables have not seen,
and plans corrected by measuring. The whole networks take turns with those that were
timed when the tables were made. By the median of what these take now and then, all
times are made those of then: a shared machine is faster at one time than at another.
Prints the table of docs/devices.md. The same command goes on after a kill. Takes: 25
minutes on one core, which has to be quiet.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ns_tf import cli
from ns_tf.budgets import Measure
from ns_tf.descend.record import new_search
from ns_tf.devices.device import BUDGET, Device
from ns_tf.measure import network, runtimes
from ns_tf.measure.config import MeasureConfig
from ns_tf.measure.survey import multiples
from ns_tf.measure.timing import in_turns
from ns_tf.measure.whole import clock
from ns_tf.measure.work import Measuring
from ns_tf.networks.structure import Structure
from ns_tf.plan.plan import make_plan
from ns_tf.run import files
from ns_tf.run.checks import at_least
from ns_tf.run.option import option
from ns_tf.run.progress import Progress
from ns_tf.run.watch import Watch

SHARES = (0.3, 0.6)  # Budgets of plans, of what the largest network takes.
ROUNDS = 30


@dataclasses.dataclass(frozen=True)
class BenchConfig:
    """What is measured."""

    out: str = option("runs/latency_table", "Folder of device files and results.")
    architectures: tuple[str, ...] = option(
        ("vgg11", "preact_resnet18", "mobilenet_v2"), "The networks."
    )
    runtimes: tuple[str, ...] = option(("litert", "onnx"), "What runs them.")
    points: int = option(7, "The most numbers of channels on one axis of a table.")
    networks: int = option(12, "Whole networks of each architecture.")

    def __post_init__(self):
        at_least(self, 2, "points", "networks")


def main(config: BenchConfig) -> None:
    """Measures what is not measured yet, and prints the table."""
    cli.quiet_tensorflow()
    Path(config.out).mkdir(parents=True, exist_ok=True)
    rows = [
        row(architecture, runtime, config)
        for architecture in config.architectures
        for runtime in config.runtimes
    ]
    print(told(rows))


def told(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table, and the errors of all networks together."""
    head = ("network", "runtime", "times", "min", "networks", "rank", "median", "p90")
    lines = [f"| {' | '.join(head)} | plans (again) |", "|---" * 9 + "|"]
    lines += [_line(one) for one in rows]
    errors = np.abs(np.concatenate([_errors(one) for one in rows]))
    median, high = 100 * np.median(errors), 100 * np.percentile(errors, 90)
    lines.append(
        f"All {len(errors)}: median error {median:.1f} %, 90th percentile {high:.1f} %."
    )
    return "\n".join(lines)


def row(architecture: str, runtime: str, config: BenchConfig) -> dict[str, Any]:
    """What is measured of one network with one runtime; kept in a file.

    Args:
        architecture: Its name.
        runtime: Its name.
        config: How finely, how many networks.
    """
    folder, name = Path(config.out), f"{architecture}_{runtime}.json"
    path = folder / name
    if path.exists():
        return json.loads(path.read_text())
    how = MeasureConfig(model=architecture, runtime=runtime, points=config.points)
    structure, largest = network.of_model(architecture, how.up_to)
    work = Measuring(structure, largest, how, folder / f"device_{name}")
    start = time.monotonic()
    device = work.run(Watch(Progress()))
    seconds = time.monotonic() - start
    widths = drawn(np.array(largest), config.networks, how.step)
    member, known = runtimes.get(runtime), device.whole
    builds = [*widths.tolist(), *(one.widths for one in known)]
    ready = [member.ready(structure.build(one), 1, 1) for one in builds]
    ms, again = np.split(in_turns(ready, ROUNDS)[0][1], [len(widths)])
    paces = again / [one.ms for one in known]
    found = {
        "architecture": architecture,
        "runtime": runtime,
        "times": sum(table.ms.size for table in device.tables),
        "seconds": seconds,
        "widths": widths,
        "ms": ms / np.median(paces),
        "paces": paces,
        "by_table": device.cost(widths),
        "plans": [_planned(structure, device, share) for share in SHARES],
    }
    files.write_json(path, found)
    return json.loads(path.read_text())


def drawn(largest: np.ndarray, count: int, step: int) -> np.ndarray:
    """Widths [count, layers] of networks of any size and shape.

    Args:
        largest: [layers] the largest widths.
        count: How many networks.
        step: Widths are multiples of it, or the largest.
    """
    rng = np.random.default_rng(1)
    sizes = np.exp(rng.uniform(np.log(0.15), 0, (count, 1)))
    shapes = np.exp(rng.normal(0, 0.4, (count, len(largest))))
    widths = largest * sizes * shapes
    return np.array([multiples(one, largest, step) for one in widths])


def _planned(structure: Structure, device: Device, share: float) -> list[float]:
    """A plan's budget in ms, and what its network takes when it is measured again."""
    target = share * device.ms(device.network.largest)
    search = new_search(structure, "", structure.architecture.widths)
    how = Measure(device=device, here=True)
    plan = make_plan(search, {BUDGET: target}, method="uniform", measure=how)
    return [target, plan.scaling.costs[BUDGET], clock(structure, device)(plan.widths)]


def _errors(row: Mapping[str, Any]) -> np.ndarray:
    """Relative errors [networks] of the tables."""
    return np.array(row["by_table"]) / np.array(row["ms"]) - 1


def _line(row: Mapping[str, Any]) -> str:
    """A row of the table."""
    errors = np.abs(_errors(row))
    rank = spearmanr(row["ms"], row["by_table"])[0]
    plans = ", ".join(
        f"{100 * (took / target - 1):+.1f} % ({100 * (again / target - 1):+.1f} %)"
        for target, took, again in row["plans"]
    )
    cells = (
        row["architecture"],
        row["runtime"],
        row["times"],
        f"{row['seconds'] / 60:.1f}",
        len(row["ms"]),
        f"{rank:.3f}",
        f"{100 * np.median(errors):.1f} %",
        f"{100 * np.percentile(errors, 90):.1f} %",
        plans,
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    cli.run(main, BenchConfig)
