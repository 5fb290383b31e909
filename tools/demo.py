"""The main job, start to end, on data that comes along: search, plan, train, compare.

python tools/demo.py --run_dir=runs/demo
"""

import pathlib
import time

from ns_tf import cli, configs
from ns_tf.progress import Progress

FLAGFILE = pathlib.Path(__file__).parent.parent / "flags" / "demo.flags"
RATIO = 0.0625  # The budget: the parameters of default widths times this.
EPOCHS = 12


def main(run: configs.RunConfig) -> None:
    """Runs the demonstration; goes on where an earlier one was stopped."""
    start = time.monotonic()
    cli.quiet_tensorflow()
    from ns_tf import api

    print("1. Search: how does every layer's width grow with the network?", flush=True)
    with cli.interruptible() as stop:
        found = api.SearchRun(_search_configs()).go(
            run.run_dir, progress=Progress, stop=stop
        )
    print("\n2. Plan: the widths for a budget.", flush=True)
    plan = found.plan(ratio=RATIO)
    print(plan)
    print("\n3. Train: the plan, and uniform widths of the same size.", flush=True)
    rows = [
        _train(run.run_dir, method, plan.params)
        for method in ("uniform", "neuralscale")
    ]
    print("\n" + "\n".join(_table(rows)))
    print("One training each, few test images: that it works, not which is better.")
    print(f"\nRun folder: {run.run_dir}")
    print(f"Pictures:   {run.run_dir}/plots")
    print(f"Took {time.monotonic() - start:.0f} s.")


def _search_configs() -> dict:
    from ns_tf import api, flagset

    text = FLAGFILE.read_text()
    return {c: flagset.from_flagfile(c, text) for c in api.SEARCH_CONFIGS}


def _train(run_dir: str, method: str, params: int) -> tuple:
    from ns_tf import trainings

    work = trainings.TrainRun(
        run_dir,
        configs.NetworkConfig(),
        configs.BudgetConfig(params=float(params)),
        configs.CurveConfig(method=method),
        configs.TrainConfig(epochs=EPOCHS, batch=64, rate=0.05, schedule="cosine"),
        configs.RuntimeConfig(),
    )
    with cli.interruptible() as stop:
        result = work.go(progress=Progress, stop=stop)
    return method, work.widths, result


def _table(rows: list[tuple]):
    yield f"{'method':<12} {'parameters':>10} {'MACs':>10} {'test':>8}  widths"
    for method, widths, result in rows:
        yield (
            f"{method:<12} {result['params']:>10,} {result['macs']:>10,} "
            f"{100 * result['test_accuracy']:>6.2f} %  {','.join(map(str, widths))}"
        )


if __name__ == "__main__":
    cli.run(main, configs.RunConfig)
