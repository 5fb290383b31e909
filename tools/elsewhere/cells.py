"""Cells of a comparison for a machine that has JAX and no TensorFlow: there and back.

python tools/elsewhere/cells.py --flagfile=flags/table1_vgg11_cifar10.flags \\
    --run_dir=runs/table1_jax --search=runs/vgg11 --data_dir=DIR --carried=.jax/vgg11

lists the cells and packs them with the data; `tools/elsewhere/training.py` trains them
there; the same command with --results=FILE takes them into the folder of the
comparison. Then `python -m ns_tf.compare` with the same flags makes the tables, and says
of these rows where they were trained. Networks do not come back, results and histories
do.
"""

import dataclasses
import math
from pathlib import Path

from images import TASK, facts, write

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.cli import quiet_tensorflow
from ns_tf.compare.config import CompareConfig
from ns_tf.data.dataset import augmented
from ns_tf.engine.config import ExecutionConfig
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.config import RunConfig
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.folder import FLAGS
from ns_tf.run.option import option
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
from ns_tf.train.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class CarryConfig:
    """What travels."""

    carried: str = option("", "Folder for what the other machine needs.")
    results: str = option("", "What came back from there.")


def main(
    run: RunConfig,
    task: ProblemConfig,
    compare: CompareConfig,
    solver: SolverConfig,
    train: TrainConfig,
    execution: ExecutionConfig,
    carry: CarryConfig,
) -> None:
    """Packs cells, or takes their results."""
    quiet_tensorflow()
    from ns_tf.compare.cells import SCRATCH
    from ns_tf.compare.work import Comparison

    if bool(carry.carried) == bool(carry.results):
        raise InputError("Give --carried=FOLDER to pack, or --results=FILE to take.")
    given = (run.run_dir, task, compare, solver, train, execution)
    with Comparison(*given) as work, interruptible() as stop:
        listed = work.prepare(progress=Progress, stop=stop)
        for cell in listed.values():
            if cell.kind != SCRATCH:
                raise InputError(f"{cell.method} is not trained from scratch.")
            if cell.architecture.startswith("keras:"):
                raise InputError(
                    f"{cell.architecture} is a file, which does not travel; only the "
                    "networks of ns_tf do. Train this one with ns_tf.compare."
                )
        if carry.results:
            _take(work, listed, Path(carry.results))
        else:
            _pack(work, listed, Path(carry.carried))


def _pack(work, listed, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dataset = augmented(work.dataset, work.train.augmentation)
    left = [dataclasses.asdict(c) for c in listed.values() if not work.done(c)]
    files.write_json(
        folder / TASK,
        {
            "version": 1,
            "precision": work.execution_config.precision,
            "train": dataclasses.asdict(work.train),
            "dataset": facts(dataset),
            "cells": left,
        },
    )
    paths = write(dataset, folder)
    size = sum(path.stat().st_size for path in paths)
    print(f"{folder}: {len(left)} cells, {len(paths)} files of images, {size:,} bytes")


def _take(work, listed, path: Path) -> None:
    from ns_tf.run.folder import RESULT
    from ns_tf.train import training
    from ns_tf.train.job import ELSEWHERE, write_failure, write_history
    from ns_tf.train.training import Epoch

    found = files.read_json(path, what="results")
    taken = 0
    for name, told in found.items():
        cell = listed.get(name)
        if cell is None or work.done(cell):
            continue
        history = [Epoch(*row) for row in told["history"]]
        if len(history) != work.train.epochs:
            raise InputError(
                f"{name} has {len(history)} epochs, the recipe {work.train.epochs}."
            )
        folder = work.cell_folder(cell)
        folder.mkdir(parents=True, exist_ok=True)
        losses = [epoch.validation_loss for epoch in history]
        if not all(map(math.isfinite, losses)):
            write_failure(folder, f"The loss is not finite ({told['device']}).")
            continue
        job = work.job(cell)
        files.write_text(folder / FLAGS, as_flagfile(job.configs))
        write_history(folder, history)
        best = training.best_of(history)
        result = job.result(
            history,
            test_accuracy=best.test_accuracy,
            test_loss=told["test_losses"][best.epoch - 1],
            seconds=told["seconds"] / told["together"],
        )
        where = f"{told['device']}, {work.execution_config.precision}"
        files.write_json(folder / RESULT, {**result, ELSEWHERE: where})
        taken += 1
    print(f"{work.folder}: took {taken} of {len(found)} cells")


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        ProblemConfig,
        CompareConfig,
        SolverConfig,
        TrainConfig,
        ExecutionConfig,
        CarryConfig,
    )
