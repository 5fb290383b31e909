"""Methods x budgets x seeds: each trained from scratch by one recipe, at equal budgets.

python -m ns_tf.compare --flagfile=flags/compare_digits.flags --run_dir=runs/compare

Every cell is kept as it ends, and the tables say what there is so far: the same command
goes on after a kill, and with more methods, budgets or seeds it adds what is missing.
--workers=N trains N cells at a time. On several machines with one file system, start
the same command on each with keras-tuner's environment variables (docs/comparing.md).
"""

import os
import signal

from ns_tf import cli, configs
from ns_tf.compare_config import CompareConfig
from ns_tf.progress import Progress


def main(
    run: configs.RunConfig,
    task: configs.TaskConfig,
    compare: CompareConfig,
    solver: configs.SolverConfig,
    train: configs.TrainConfig,
    execution: configs.ExecutionConfig,
) -> None:
    """Compares, and says what came out."""
    cli.quiet_tensorflow()
    from ns_tf import comparison, crews, summary, trials, workers

    role = trials.role()
    trials.check_chief()
    given = (run.run_dir, task, compare, solver, train, execution)
    with (
        comparison.Comparison(*given) as work,
        cli.interruptible(patient=crews.has_parent()) as stop,
    ):
        if role == "worker":
            crews.stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
            workers.go(work, progress=Progress, stop=stop)
            return
        listed = work.prepare(progress=Progress, stop=stop)
        print(
            f"{work.architecture.name} on {work.dataset.name}: {len(listed)} cells, "
            f"{sum(map(work.done, listed.values()))} done before, on {cli.devices()}",
            flush=True,
        )
        summary.so_far(work, listed)  # What it reads is damaged? Better told now.
        workers.go(
            work,
            count=compare.workers,
            command=__spec__.name,
            configs=[run, *work.configs],
            tell=lambda: summary.so_far(work, listed),
            progress=Progress,
            stop=stop,
        )
        print(summary.write(work, listed, progress=Progress))
    print(f"Tables, figures and trained networks: {work.folder}")


if __name__ == "__main__":
    cli.run(
        main,
        configs.RunConfig,
        configs.TaskConfig,
        CompareConfig,
        configs.SolverConfig,
        configs.TrainConfig,
        configs.ExecutionConfig,
    )
