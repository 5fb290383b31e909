"""Cells of a comparison for a machine that has JAX and no TensorFlow: there and back.

python tools/elsewhere/cells.py --flagfile=flags/table1_vgg11_cifar10.flags \\
    --run_dir=runs/table1_jax --search=runs/vgg11 --data_dir=DIR --carried=.jax/vgg11

This lists the cells and packs them with the data. `tools/elsewhere/training.py` trains
them on the other machine. The same command with --results=FILE in place of --carried
takes the results into the folder of the comparison. Then `python -m ns_tf.compare` with
the same flags makes the tables; a footnote says where these rows were trained. Results
and histories come back, networks do not.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from images import TASK, facts, write

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.compare.config import CompareConfig
from ns_tf.data.dataset import augmented
from ns_tf.engine.config import ExecutionConfig
from ns_tf.plan.config import SolverConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.config import RunConfig
from ns_tf.run.folder import PREFIX
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig

if TYPE_CHECKING:
    from ns_tf.compare.cells import Cell
    from ns_tf.compare.work import Comparison


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
    cli.quiet_tensorflow()
    from ns_tf.compare.cells import SCRATCH
    from ns_tf.compare.work import Comparison

    if bool(carry.carried) == bool(carry.results):
        raise InputError("Give --carried=FOLDER to pack, or --results=FILE to take.")
    settings = (run.run_dir, task, compare, solver, train, execution)
    with Comparison(*settings) as work, cli.watching() as watch:
        listed = work.prepare(watch)
        for cell in listed.values():
            if cell.kind != SCRATCH or cell.widths is None or cell.epitomes:
                raise InputError(
                    f"{cell.method} is no training of an architecture from scratch at "
                    "widths that are known: do it with ns_tf.compare."
                )
            if cell.architecture.startswith(("keras:", PREFIX)):
                raise InputError(
                    f"{cell.architecture} is a file or a model, which does not travel; "
                    "only the networks of ns_tf do. Train this one with ns_tf.compare."
                )
        if carry.results:
            _take(work, listed, Path(carry.results))
        else:
            _pack(work, listed, Path(carry.carried))


def _pack(work: "Comparison", listed: Mapping[str, "Cell"], folder: Path) -> None:
    """Writes the cells that are not done, the recipe and the images."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = augmented(work.problem.dataset, work.recipe.augmentation)
    cells = [dataclasses.asdict(c) for c in listed.values() if not work.done(c)]
    files.write_json(
        folder / TASK,
        {
            "version": 1,
            "task": work.problem.task.name,
            "precision": work.execution_config.precision,
            "train": dataclasses.asdict(work.recipe),
            "dataset": facts(dataset),
            "cells": cells,
        },
    )
    paths = write(dataset, folder)
    size = sum(path.stat().st_size for path in paths)
    print(f"{folder}: {len(cells)} cells, {len(paths)} files of images, {size:,} bytes")


def _take(work: "Comparison", listed: Mapping[str, "Cell"], path: Path) -> None:
    """Keeps the results of cells that are not done as trainings of the comparison."""
    from ns_tf.train.training import Epoch

    results = files.read_json(path, what="results")
    taken = 0
    for name, result in results.items():
        cell = listed.get(name)
        if cell is None or work.done(cell):
            continue
        rows = [[math.nan if v is None else v for v in r] for r in result["history"]]
        work.jobs.of(cell).adopt(
            [Epoch(*row) for row in rows],
            test_losses=result["test_losses"],
            seconds=result["seconds"] / result["together"],
            elsewhere=f"{result['device']}, {work.execution_config.precision}",
        )
        taken += 1
    print(f"{work.folder}: took {taken} of {len(results)} cells")


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
