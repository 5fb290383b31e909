"""Methods x budgets x seeds: each trained from scratch by one recipe, at equal budgets.

python -m ns_tf.compare --flagfile=flags/compare_digits.flags --run_dir=runs/compare

Every cell is kept as it ends, and the tables say what there is so far: the same command
goes on after a kill, and with more methods, budgets or seeds it adds what is missing.
--workers=N trains N cells at a time. On several machines with one file system, start
the same command on each with keras-tuner's environment variables (docs/comparing.md).
"""

import os
import signal

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.compare.config import CompareConfig
from ns_tf.engine.config import ExecutionConfig
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
from ns_tf.train.config import TrainConfig


def main(
    run: RunConfig,
    task: ProblemConfig,
    compare: CompareConfig,
    solver: SolverConfig,
    train: TrainConfig,
    execution: ExecutionConfig,
) -> None:
    """Compares, and says what came out."""
    quiet_tensorflow()
    from ns_tf.compare import outcome
    from ns_tf.compare.work import Comparison
    from ns_tf.crew import processes, trials
    from ns_tf.crew import work as crew_work

    role = trials.role()
    trials.check_chief()
    given = (run.run_dir, task, compare, solver, train, execution)
    with (
        Comparison(*given) as work,
        interruptible(patient=processes.has_parent()) as stop,
    ):
        if role == "worker":
            processes.stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
            crew_work.go(work, progress=Progress, stop=stop)
            return
        listed = work.prepare(progress=Progress, stop=stop)
        print(
            f"{work.architecture.name} on {work.dataset.name}: {len(listed)} cells, "
            f"{sum(map(work.done, listed.values()))} done before, on {cli.devices()}",
            flush=True,
        )
        outcome.so_far(work, listed)  # What it reads is damaged? Better told now.
        crew_work.go(
            work,
            count=compare.workers,
            command=__spec__.name,
            configs=[run, *work.configs],
            tell=lambda: outcome.so_far(work, listed),
            progress=Progress,
            stop=stop,
        )
        print(outcome.write(work, listed, progress=Progress))
    print(f"Tables, figures and trained networks: {work.folder}")


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        ProblemConfig,
        CompareConfig,
        SolverConfig,
        TrainConfig,
        ExecutionConfig,
    )
