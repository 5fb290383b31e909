"""A network that is trained in a folder of its own, and what the folder then holds."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, RunError, Widths
from ns_tf.budgets import exact_costs
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import Dataset
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.networks import python_models
from ns_tf.networks.structure import Structure
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.run import files, tensorboard
from ns_tf.run.checkpoint import Checkpoint
from ns_tf.run.folder import FAILURE, MODEL, RESULT, WIDTHS, is_new, open_run
from ns_tf.run.progress import Quiet
from ns_tf.train import training
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import Epoch, TrainResult

ELSEWHERE = "elsewhere"  # In a result: what trained the network in place of `Job`.


@dataclasses.dataclass(frozen=True)
class Job:
    """One network that is to be trained, in a folder of its own."""

    folder: Path
    structure: Structure
    widths: Widths
    dataset: Dataset
    train: TrainConfig
    runtime: RuntimeConfig
    execution: Execution
    configs: tuple  # Kept as the folder's flags; other flags are refused.
    start: Callable[[], keras.Model] | None = None  # Not with fresh weights, but so.

    @property
    def facts(self) -> dict[str, int]:
        """What the network costs, by budget."""
        return network_costs(self.structure, self.widths)

    def check(self) -> None:
        """Refuses what cannot be trained, before anything is written.

        Raises:
            InputError: the network, or the batch, does not fit.
        """
        self.execution.check(lambda: self.structure.build(self.widths))
        steps_per_epoch(self.dataset, self.train.batch)

    def check_folder(self) -> None:
        """Refuses a folder that holds another training.

        Raises:
            InputError: it does: by its flags, or by the widths that a search gave.
        """
        is_new(self.folder, self.configs, "training")
        self._check_widths()

    def _check_widths(self) -> None:
        kept = kept_widths(self.folder)
        if kept not in (None, self.widths):
            raise InputError(
                f"{self.folder} trains the widths {','.join(map(str, kept))}, and by "
                f"the search they are {','.join(map(str, self.widths))} now. Give "
                "--name for another folder, or the --iteration that it was begun with."
            )

    def go(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Any]:
        """Trains, or goes on; what `result.json` holds."""
        with open_run(self.folder, self.configs, "training") as run:
            self._check_widths()
            if (run / RESULT).exists():
                return read_result(self.folder)
            run.keep_flags()  # Data may have moved.
            kept = {"version": 1, "widths": self.widths}
            files.write_json(run / WIDTHS, kept)
            checkpoint = Checkpoint(
                run / "checkpoint.npz",
                seconds=self.runtime.checkpoint_seconds,
                stop=stop,
            )
            trained = training.train(
                self.start or (lambda: self.structure.build(self.widths)),
                self.dataset,
                self.train,
                seed=self.runtime.seed,
                execution=self.execution,
                progress=tensorboard.logged(progress, run / "logs"),
                checkpoint=checkpoint,
                label=self.folder.name,
            )
            result = self._write(run, trained)
            checkpoint.remove()
        return result

    def _write(self, run, trained: TrainResult) -> dict[str, Any]:
        """History, model and result; the result last, which says that it is done."""
        write_history(run, trained.history)
        python_models.save_model(trained.model, run / MODEL)
        result = self.result(
            trained.history,
            test_accuracy=trained.test_accuracy,
            test_loss=trained.test_loss,
            seconds=trained.seconds,
        )
        files.write_json(run / RESULT, result)
        return result

    def result(
        self,
        history: Sequence[Epoch],
        *,
        test_accuracy: float,
        test_loss: float,
        seconds: float,
    ) -> dict[str, Any]:
        """What `result.json` holds of a training that went so."""
        best = training.best_of(history)
        return {
            "version": 1,
            "architecture": self.structure.architecture.name,
            "dataset": self.dataset.name,
            "widths": list(self.widths),
            **self.facts,
            "seed": self.runtime.seed,
            "epochs": self.train.epochs,
            "best_epoch": best.epoch,
            "validation_accuracy": best.validation_accuracy,
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
            "best_test_accuracy": training.best_test_accuracy(history),
            "seconds": round(seconds, 3),
        }


def scratch(
    folder: Path,
    found: Structure,
    widths: Widths,
    dataset: Dataset,
    task: ProblemConfig,
    train: TrainConfig,
    runtime: RuntimeConfig,
    execution: Execution,
    start: Callable[[], keras.Model] | None = None,
) -> Job:
    """The job of training a network of these widths.

    Args:
        folder: Where it is kept.
        found: The architecture, of `dataset`'s images and classes.
        widths: Filters of every layer.
        dataset: From the task.
        task: Architecture and data set, complete; kept as flags, like what follows.
        train: The recipe.
        runtime: Seed, devices, precision.
        execution: Made of `runtime`.
        start: Makes the network, if it does not start with fresh weights.
    """
    named = {"architecture": found.architecture.name, "widths": tuple(widths)}
    network = NetworkConfig(**{**dataclasses.asdict(task), **named})
    kept = (network, train, runtime)
    return Job(folder, found, widths, dataset, train, runtime, execution, kept, start)


def write_history(folder, history: Sequence[Epoch]) -> None:
    """Writes history.csv, a row an epoch."""
    rows = [dataclasses.astuple(epoch) for epoch in history]
    header = [field.name for field in dataclasses.fields(Epoch)]
    files.write_csv(folder / "history.csv", header, rows)


def has_ended(folder: Path) -> bool:
    """Whether a training needs no more work: it is done, or it failed."""
    return any((folder / name).exists() for name in (RESULT, FAILURE))


def write_failure(folder: Path, error: RunError) -> None:
    """Keeps why a training failed: tried again it would fail again."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / FAILURE, {"version": 1, "error": str(error)})


def read_failure(folder: Path) -> str | None:
    """Why a training failed; None if it did not.

    Raises:
        InputError: what is kept of it is damaged.
    """
    path = folder / FAILURE
    if not path.exists():
        return None
    with files.readable(path, "failure"):
        return files.read_json(path, what="failure", version=1)["error"]


def network_costs(found: Structure, widths: Widths) -> dict[str, int]:
    """What the network of these widths costs, by exact budget."""
    return {n: int(c(np.array(widths))) for n, c in exact_costs(found).items()}


def read_result(folder: str | Path) -> dict[str, Any]:
    """What a finished training wrote.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return files.read_json(Path(folder) / RESULT, what="result", version=1)


def kept_widths(folder: Path) -> Widths | None:
    """The widths of the network that a folder trains; None if it trains none yet.

    Raises:
        InputError: the file is damaged.
    """
    for name in (WIDTHS, RESULT):  # Older folders have them in the result alone.
        if (folder / name).exists():
            with files.readable(folder / name, "training"):
                kept = files.read_json(folder / name, what="training", version=1)
                return tuple(int(width) for width in kept["widths"])
    return None


def training_in(folder: Path, name: str | None) -> Path:
    """The folder of the training that is meant."""
    below = [
        path.parent
        for kind in ("train", "cells")
        for path in sorted(folder.glob(f"{kind}/*/{RESULT}"))
    ]
    if (folder / RESULT).exists() and name is None:
        return folder
    found = [path for path in below if name in (None, path.name)]
    if len(found) == 1:
        return found[0]
    if not below:
        raise InputError(
            f"{folder} holds no finished training. Train first: python -m ns_tf.train "
            f"--run_dir={folder} --params=..., or give --model=FILE.keras."
        )
    names = ", ".join(path.name for path in below[:8])
    raise InputError(
        f"{folder} holds {len(below)} finished trainings; say which one, as "
        f"--training={below[0].name}. There are: {names}"
        f"{', ...' if len(below) > 8 else ''}."
    )
