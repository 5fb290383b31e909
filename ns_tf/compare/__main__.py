"""Methods x budgets x seeds: networks trained or pruned by one recipe at equal budgets.

python -m ns_tf.compare --flagfile=flags/compare_digits.flags --run_dir=runs/compare

Every cell is kept as it ends, and the tables show the cells that are done. The same
command continues after a kill; with more methods, budgets or seeds it adds their cells.
--workers=N trains N cells at a time. On several machines with one file system, start
the same command on each: with keras-tuner's environment variables they share the cells
out, with --workers_at they train every cell together (docs/comparing.md).
Every epoch is tested, whatever --test_every_epoch says: tables show the best one too.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.compare.config import CompareConfig
from ns_tf.engine.config import ExecutionConfig
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig
from ns_tf.train.config import TrainConfig


def main(
    run: RunConfig,
    task: ProblemConfig,
    compare: CompareConfig,
    solver: SolverConfig,
    train: TrainConfig,
    execution: ExecutionConfig,
) -> None:
    """Trains all cells that are not done, and prints the table with its verdict.

    Args:
        run: The folder of the comparison.
        task: Architecture and data set, where they are not the search's.
        compare: Methods, budgets, seeds, workers.
        solver: How budgets are met and latency is measured.
        train: The recipe of every training.
        execution: Devices and precision.

    Raises:
        InputError: what was asked for cannot be compared; nothing was written.
        RunError: a worker failed.
        Interrupted: a signal asked to stop.
    """
    cli.quiet_tensorflow()
    from ns_tf.compare import outcome
    from ns_tf.compare.cells import read_gaps
    from ns_tf.compare.work import Comparison
    from ns_tf.crew import command
    from ns_tf.crew.work import run as run_crew

    def make() -> Comparison:
        return Comparison(run.run_dir, task, compare, solver, train, execution)

    def lead(work: Comparison, watch) -> str:
        cells, workers = work.prepare(watch), work.workers
        print(
            f"{work.problem.architecture.name} on {work.problem.dataset.name}: "
            f"{len(cells)} cells, {sum(map(work.done, cells.values()))} done before, "
            f"on {cli.devices()}",
            flush=True,
        )
        for gap in read_gaps(work.folder):
            print(f"Not there: {gap}.", flush=True)
        workers.led(lambda: outcome.so_far(work, cells))  # Fails early if damaged.
        run_crew(
            work,
            watch,
            count=compare.workers,
            command="ns_tf.compare",
            configs=[run, *work.configs],
            on_progress=lambda: outcome.so_far(work, cells),
        )
        print(workers.told(lambda: outcome.write(work, cells, watch)))
        return f"Tables, figures and trained networks: {work.folder}"

    closing = command.run(make, lead)
    if closing:
        print(closing)


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
