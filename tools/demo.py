"""The main job, start to end, on data that comes along: search, plan, train, compare.

python tools/demo.py --run_dir=runs/demo
"""

import pathlib
import time
from collections.abc import Sequence
from typing import Any

from ns_tf import cli
from ns_tf.base import Widths
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.render import tables
from ns_tf.run.config import RunConfig
from ns_tf.train.config import TrainConfig

FLAGFILE = pathlib.Path(__file__).parents[1] / "flags" / "demo.flags"
RATIO = 0.0625  # The budget: the parameters of default widths times this.
RECIPE = TrainConfig(epochs=12, batch=64, rate=0.05, schedule="cosine")

# Method, widths, and what the training's `result.json` holds.
Row = tuple[str, Widths, dict[str, Any]]


def main(run: RunConfig) -> None:
    """Runs the demonstration; goes on where an earlier one was stopped."""
    start = time.monotonic()
    cli.quiet_tensorflow()
    from ns_tf.descend.work import SearchRun
    from ns_tf.plan.plan import Searched

    print("1. Search: how does every layer's width grow with the network?", flush=True)
    with cli.watching() as watch:
        record = SearchRun(_search_configs()).run(run.run_dir, watch)
    print("\n2. Plan: the widths for a budget.", flush=True)
    plan = Searched(record).plan(ratio=RATIO)
    print(plan)
    print("\n3. Train: the plan, and uniform widths of the same size.", flush=True)
    methods = ("uniform", "neuralscale")
    rows = [_train(run.run_dir, method, plan.params) for method in methods]
    print(f"\n{_table(rows)}")
    print("One training each, few test images: that it works, not which is better.")
    print(f"\nRun folder: {run.run_dir}")
    print(f"Pictures:   {run.run_dir}/plots")
    print(f"Took {time.monotonic() - start:.0f} s.")


def _search_configs() -> dict[type, Any]:
    """The settings of the search, from the demonstration's flagfile."""
    from ns_tf.descend.work import SEARCH_CONFIGS
    from ns_tf.run.flagfile import from_flagfile

    text = FLAGFILE.read_text()
    return {kind: from_flagfile(kind, text) for kind in SEARCH_CONFIGS}


def _train(run_dir: str, method: str, params: int) -> Row:
    """Trains the network of a method that has at most so many parameters."""
    from ns_tf.plan.choice import WidthChoice
    from ns_tf.train.work import TrainRun

    network, budget = NetworkConfig(), BudgetConfig(params=float(params))
    choice = WidthChoice(network, budget, MethodConfig(method=method))
    work = TrainRun(run_dir, network, choice, RECIPE, RuntimeConfig())
    with cli.watching() as watch:
        return method, work.widths, work.run(watch)


def _table(rows: Sequence[Row]) -> str:
    """A line for each training: method, costs, test accuracy, widths."""
    return tables.plain(
        ("method", "parameters", "MACs", "test", "widths"),
        [
            (
                method,
                f"{result['params']:,}",
                f"{result['macs']:,}",
                f"{100 * result['test_accuracy']:.2f} %",
                ",".join(map(str, widths)),
            )
            for method, widths, result in rows
        ],
        align="<>>><",
        least=(12, 10, 10, 8),
        gaps=(" ", " ", " "),
    )


if __name__ == "__main__":
    cli.run(main, RunConfig)
