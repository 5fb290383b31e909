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

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
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
    """Tunes, and says what came out."""
    quiet_tensorflow()
    from ns_tf.crew import processes, trials
    from ns_tf.crew import work as crew_work
    from ns_tf.tune import leaderboard
    from ns_tf.tune.work import Tuning

    role = trials.role()
    trials.check_chief()
    given = (run.run_dir, task, tune, budget, train, runtime)
    with (
        Tuning(*given) as work,
        interruptible(patient=processes.has_parent()) as stop,
    ):
        if role == "worker":
            processes.stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
            crew_work.go(work, progress=Progress, stop=stop)
            return
        work.prepare(progress=Progress, stop=stop)
        done, total = work.counts()
        print(
            f"{work.mode.architecture.name} on {work.mode.dataset.name}: {total} "
            f"trials, {done} done before, on {cli.devices()}",
            flush=True,
        )
        crew_work.go(
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
        RunConfig,
        ProblemConfig,
        TuneConfig,
        BudgetConfig,
        TrainConfig,
        RuntimeConfig,
    )
