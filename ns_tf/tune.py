"""Tunes by keras-tuner, with one knob for all widths: the budget.

python -m ns_tf.tune --run_dir=runs/tune --search=runs/vgg11 --epochs=20 \\
    --space=ratio=0.25..1,rate=0.01..0.3 --tuner=bayesian --max_trials=20
python -m ns_tf.tune --run_dir=runs/tune_search --tune=search --ratio=0.25 \\
    --search=flags/vgg11_cifar10_short.flags --epochs=20

Every trial's network is on the law of the search and fits its budget. The same command
goes on after a kill, and with more --max_trials it adds trials. --workers=N works on N
trials at a time; on several machines, see docs/tuning.md.
"""

import os
import signal

from ns_tf import cli, configs
from ns_tf.progress import Progress
from ns_tf.tune_config import TuneConfig


def main(
    run: configs.RunConfig,
    task: configs.TaskConfig,
    tune: TuneConfig,
    budget: configs.BudgetConfig,
    train: configs.TrainConfig,
    runtime: configs.RuntimeConfig,
) -> int | None:
    """Tunes, and says what came out."""
    cli.quiet_tensorflow()
    from ns_tf import crews, leaderboard, trials, tunings, workers

    role = trials.role()
    trials.check_chief()
    given = (run.run_dir, task, tune, budget, train, runtime)
    with (
        tunings.Tuning(*given) as work,
        cli.interruptible(patient=crews.has_parent()) as stop,
    ):
        if role == "worker":
            crews.stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
            workers.go(work, progress=Progress, stop=stop)
            return
        work.prepare(progress=Progress, stop=stop)
        done, total = work.counts()
        print(
            f"{work.mode.architecture.name} on {work.mode.dataset.name}: {total} "
            f"trials, {done} done before, on {cli.devices()}",
            flush=True,
        )
        workers.go(
            work,
            count=tune.workers,
            command=__spec__.name,
            configs=[run, *work.configs],
            tell=lambda: leaderboard.write(work),
            progress=Progress,
            stop=stop,
        )
        rows, text = leaderboard.write(work)
        print(text)
    best = rows[0]
    if best.failure:
        print(f"Every trial failed, {best.trial} so: {best.failure}")
        return 1
    print(
        f"Best on validation images: {best.trial}, widths "
        f"{','.join(map(str, best.widths))}. To export it: python -m ns_tf.export "
        f"--run_dir={run.run_dir} --training={best.trial}"
    )
    print(f"Table, figure and trained networks: {work.folder}")


if __name__ == "__main__":
    cli.run(
        main,
        configs.RunConfig,
        configs.TaskConfig,
        TuneConfig,
        configs.BudgetConfig,
        configs.TrainConfig,
        configs.RuntimeConfig,
    )
