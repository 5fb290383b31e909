"""Accuracy at equal measured latency: a method's widths beside uniform ones.

python tools/bench/equal_latency.py --run_dir=runs/equal_latency --data_dir=DIR \
    --search=docs/runs/vgg11_cifar10_scores --device=device.json --ratio=0.25

`--device` is a file of `ns_tf.measure` for the network of the search. Tables are a few
percent off, and not alike for all widths. So both networks run in turns on this
machine, and the method is given more or fewer milliseconds until it takes as long as
the uniform network, or up to 3 percent less. That needs a quiet machine for a minute.
Then both are trained, once a seed, by one recipe. The same command goes on after a
kill.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import ttest_ind

from ns_tf import cli
from ns_tf.base import InputError, Widths
from ns_tf.budgets import Measure
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.devices.device import BUDGET, Device
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.measure import network, runtimes
from ns_tf.measure.timing import in_turns
from ns_tf.networks.structure import Structure
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.plan.plan import make_plan
from ns_tf.plan.targets import device_for
from ns_tf.problem.config import NetworkConfig
from ns_tf.render import tables
from ns_tf.run import files
from ns_tf.run.checks import above_zero, at_least
from ns_tf.run.config import RunConfig
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig

UNIFORM = "uniform"
PLANS = "plans.json"
PLANNED_BY = ("search", "device", "method", "ratio")
RECIPE = {"schedule": "cosine"}  # Beside the defaults.
ROUNDS = 60
TRIES = 10
UNDER = 0.03  # Of the uniform network's time, that the other may take less.


@dataclasses.dataclass(frozen=True)
class LatencyConfig:
    """What is planned and trained."""

    search: str | None = option(None, "Run folder of the search.")
    device: str | None = option(None, "Device file of its network.")
    data_dir: str | None = option(None, "Where TFDS data sets are prepared.")
    method: str = option("priced", "Whose widths stand beside uniform ones.")
    ratio: float = option(0.25, "Of the uniform network: the paper's r.")
    epochs: int = option(12, "Epochs of each training.")
    seeds: tuple[int, ...] = option((0, 1, 2), "A training for each.")
    threads: int = option(0, "Threads of the trainings; all cores if 0.")

    def __post_init__(self):
        at_least(self, 1, "epochs")
        above_zero(self, "ratio")
        for name in ("search", "device", "seeds"):
            if not getattr(self, name):
                raise InputError(f"--{name} is needed.")


def main(place: RunConfig, asked: LatencyConfig) -> None:
    """Prints a row a method."""
    cli.quiet_tensorflow()
    # Threads of the trainings, before planning starts TensorFlow.
    Execution.of(RuntimeConfig(threads=asked.threads))
    folder, search = pathlib.Path(place.run_dir), read_search(asked.search)
    plans = planned(folder / PLANS, search, asked)
    for plan in plans:
        plan.update(trained(place.run_dir, plan, search, asked))
    print(told(plans))


def planned(
    path: pathlib.Path, search: SearchRecord, asked: LatencyConfig
) -> list[dict[str, Any]]:
    """Widths of both methods, and what they took in turns; kept in a file.

    Args:
        path: Of the file.
        search: What the method plans by.
        asked: The device, the method, the size of the uniform network.

    Raises:
        InputError: the file is of other settings, or the device of another network.
    """
    of = {name: getattr(asked, name) for name in PLANNED_BY}
    if not path.exists():
        device = device_for(search, asked.device)
        uniform = make_plan(search, {}, ratio=asked.ratio, method=UNIFORM)
        found = as_long(search, device, asked.method, uniform.widths)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {"of": of, "plans": found})
    kept = json.loads(path.read_text())
    if kept["of"] != of:
        raise InputError(f"{path} is of {kept['of']}, not {of}: another --run_dir.")
    return kept["plans"]


def as_long(
    search: SearchRecord, device: Device, method: str, widths: Widths
) -> list[dict[str, Any]]:
    """A network of these widths, and the method's that takes as long.

    Args:
        search: What the method plans by.
        device: By whose tables it plans.
        method: Its name.
        widths: Of the first network.

    Raises:
        InputError: none of ten plans is within 3 % and not over.
    """
    measure, target = Measure(device=device), device.ms(widths)
    structure, _ = network.of_search(search, None, 1.0)
    for _ in range(TRIES):
        plan = make_plan(search, {BUDGET: target}, method=method, measure=measure)
        one, other = together(structure, device, [widths, plan.widths])
        if 1 - UNDER <= other / one <= 1:
            return [
                {"method": UNIFORM, "widths": list(widths), "ms": one},
                {"method": method, "widths": list(plan.widths), "ms": other},
            ]
        target *= (1 - UNDER / 2) * one / other
    raise InputError(
        f"None of {TRIES} plans takes as long as the uniform network: {other:.3g} ms "
        f"beside {one:.3g} ms. Measure on a quiet machine."
    )


def together(
    structure: Structure, device: Device, widths: Sequence[Widths]
) -> list[float]:
    """Milliseconds of networks that take turns, with the runtime of a device file.

    Args:
        structure: Of the networks.
        device: Its runtime, batch and threads.
        widths: Of each network.
    """
    runtime = runtimes.get(device.runtime)
    runtime.check()
    models = [structure.build(one) for one in widths]
    runs = [runtime.ready(model, device.batch, device.threads) for model in models]
    return in_turns(runs, ROUNDS)[0][1].tolist()


def trained(
    run_dir: str, plan: dict[str, Any], search: SearchRecord, asked: LatencyConfig
) -> dict[str, Any]:
    """Costs of a network, and its accuracy [seeds].

    Args:
        run_dir: Where trainings are.
        plan: Its method and widths.
        search: Its network and data.
        asked: The recipe, the seeds.
    """
    from ns_tf.plan.choice import WidthChoice
    from ns_tf.train.work import TrainRun

    found, recipe = {}, TrainConfig(epochs=asked.epochs, **RECIPE)
    for seed in asked.seeds:
        which = NetworkConfig(
            architecture=search.architecture,
            dataset=search.dataset,
            data_dir=asked.data_dir,
            widths=tuple(plan["widths"]),
            name=f"{plan['method']}_seed{seed}",
        )
        choice = WidthChoice(which, BudgetConfig(), MethodConfig())
        runtime = RuntimeConfig(seed=seed, threads=asked.threads)
        work = TrainRun(run_dir, which, choice, recipe, runtime)
        with cli.watching() as watch:
            found[seed] = work.run(watch)["test_accuracy"]
    return {"costs": work.costs, "accuracy": list(found.values())}


def told(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table of Markdown, and how far the second is above the first."""
    header = ("widths by", "parameters", "MACs", "ms", "test accuracy, %", "widths")
    body = [
        (
            one["method"],
            f"{one['costs']['params']:,}",
            f"{one['costs']['macs']:,}",
            f"{one['ms']:.3f}",
            ", ".join(f"{100 * score:.2f}" for score in one["accuracy"]),
            ",".join(map(str, one["widths"])),
        )
        for one in rows
    ]
    return f"{tables.markdown(header, body)}\n\n{_difference(*rows)}"


def _difference(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Points that the second network is above the first, with Welch's interval."""
    other, one = (100 * np.array(row["accuracy"]) for row in (first, second))
    line = f"{second['method']} - {first['method']}: {one.mean() - other.mean():+.2f}"
    if min(len(one), len(other)) < 2:
        return f"{line} points"
    low, high = ttest_ind(one, other, equal_var=False).confidence_interval()
    return f"{line} points, 95 % interval {low:.2f} to {high:.2f}"


if __name__ == "__main__":
    cli.run(main, RunConfig, LatencyConfig)
