"""The main job, start to end, on data that comes along: search, plan, train, compare.

python tools/demo.py --run_dir=runs/demo
"""

import pathlib
import time

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.render import tables
from ns_tf.run.config import RunConfig
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
from ns_tf.train.config import TrainConfig

FLAGFILE = pathlib.Path(__file__).parent.parent / "flags" / "demo.flags"
RATIO = 0.0625  # The budget: the parameters of default widths times this.
EPOCHS = 12


def main(run: RunConfig) -> None:
    """Runs the demonstration; goes on where an earlier one was stopped."""
    start = time.monotonic()
    quiet_tensorflow()
    from ns_tf.descend.work import SearchRun
    from ns_tf.plan.plan import Searched

    print("1. Search: how does every layer's width grow with the network?", flush=True)
    with interruptible() as stop:
        record = SearchRun(_search_configs()).go(
            run.run_dir, progress=Progress, stop=stop
        )
    print("\n2. Plan: the widths for a budget.", flush=True)
    plan = Searched(record).plan(ratio=RATIO)
    print(plan)
    print("\n3. Train: the plan, and uniform widths of the same size.", flush=True)
    rows = [
        _train(run.run_dir, method, plan.params)
        for method in ("uniform", "neuralscale")
    ]
    print(f"\n{_table(rows)}")
    print("One training each, few test images: that it works, not which is better.")
    print(f"\nRun folder: {run.run_dir}")
    print(f"Pictures:   {run.run_dir}/plots")
    print(f"Took {time.monotonic() - start:.0f} s.")


def _search_configs() -> dict:
    from ns_tf.descend.work import SEARCH_CONFIGS
    from ns_tf.run.flagfile import from_flagfile

    text = FLAGFILE.read_text()
    return {c: from_flagfile(c, text) for c in SEARCH_CONFIGS}


def _train(run_dir: str, method: str, params: int) -> tuple:
    from ns_tf.train.work import TrainRun

    work = TrainRun(
        run_dir,
        NetworkConfig(),
        BudgetConfig(params=float(params)),
        MethodConfig(method=method),
        TrainConfig(epochs=EPOCHS, batch=64, rate=0.05, schedule="cosine"),
        RuntimeConfig(),
    )
    with interruptible() as stop:
        result = work.go(progress=Progress, stop=stop)
    return method, work.widths, result


def _table(rows: list[tuple]) -> str:
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
