"""Tunes by keras-tuner, with one knob for all widths: the budget.

python -m ns_tf.tune --run_dir=runs/tune --search=runs/vgg11 --epochs=20 \\
    --space=ratio=0.25..1,rate=0.01..0.3 --tuner=bayesian --max_trials=20
python -m ns_tf.tune --run_dir=runs/tune_search --tune=search --ratio=0.25 \\
    --search=flags/vgg11_cifar10_short.flags --epochs=20

Every trial's network is on the law of the search and fits its budget. The same command
goes on after a kill, and with more --max_trials it adds trials. --workers=N works on N
trials at a time, --workers_at has several machines do every trial together; see
docs/tuning.md.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import shlex

from ns_tf import cli
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig
from ns_tf.train.config import TrainConfig
from ns_tf.tune.config import TuneConfig


def main(
    run: RunConfig,
    task: ProblemConfig,
    tune: TuneConfig,
    budget: BudgetConfig,
    train: TrainConfig,
    runtime: RuntimeConfig,
) -> int | None:
    """Tunes, and prints the table.

    Returns:
        1 if every trial failed; None, which is exit code 0, otherwise.
    """
    cli.quiet_tensorflow()
    from ns_tf.crew import command
    from ns_tf.crew.work import run as run_crew
    from ns_tf.tune import leaderboard
    from ns_tf.tune.work import Tuning

    def make() -> Tuning:
        return Tuning(run.run_dir, task, tune, budget, train, runtime)

    def lead(work: Tuning, watch) -> list[leaderboard.Place]:
        work.prepare(watch)
        done, total = work.counts()
        print(
            f"{work.problem.architecture.name} on {work.problem.dataset.name}: {total} "
            f"trials, {done} done before, on {cli.devices()}",
            flush=True,
        )
        run_crew(
            work,
            watch,
            count=tune.workers,
            command="ns_tf.tune",
            configs=[run, *work.configs],
            on_progress=lambda: leaderboard.write(work),
        )
        print(work.workers.told(lambda: leaderboard.write(work)[1]))
        return leaderboard.places(work)

    rows = command.run(make, lead)
    if rows is None:  # A worker.
        return None
    best = rows[0]
    if best.failure:
        print(f"Every trial failed, {best.trial} so: {best.failure}")
        return 1
    print(
        f"Best on validation images: {best.trial}, widths "
        f"{','.join(map(str, best.widths))}. To export it: python -m ns_tf.export "
        f"--run_dir={shlex.quote(run.run_dir)} --training={best.trial}"
    )
    print(f"Table, figure and trained networks: {run.run_dir}")
    return None


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        ProblemConfig,
        TuneConfig,
        BudgetConfig,
        TrainConfig,
        RuntimeConfig,
    )
