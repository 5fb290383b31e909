"""A network that is trained in a folder of its own, and the files of that folder.

`run.flags` and `widths.json` say what is trained; `history.csv`, `model.keras` and
`result.json` come at the end, the result last. A folder with a result is done.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, RunError, Widths
from ns_tf.budgets import exact_costs
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import augmented
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.engine.workers import ALONE, WorkerError, Workers
from ns_tf.graph.weights import Key
from ns_tf.networks import python_models
from ns_tf.networks.structure import Structure
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run import files
from ns_tf.run.folder import (
    EPOCHS,
    LOGS,
    MODEL,
    RESULT,
    WIDTHS,
    RunFolder,
    is_new,
    open_run,
)
from ns_tf.run.watch import Watch
from ns_tf.train import results, training
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective
from ns_tf.train.training import Epoch, TrainResult

ELSEWHERE = "elsewhere"  # In a result: what trained the network in place of `Job`.


@dataclasses.dataclass(frozen=True)
class Job:
    """One network that is to be trained, in a folder of its own.

    Args:
        folder: Of this training alone.
        problem: The architecture, the data, the task.
        widths: Of the network, [layers].
        recipe: How it is trained.
        runtime: Seed and devices; who watches is said by `run`.
        flags: Settings that the folder keeps as its flags. A folder with other flags is
            refused.
        start: Builds the network that training starts from; of fresh weights if None.
        objective: What is minimised in place of the task's loss.
        masks: Makes what `ns_tf.train.training.train` takes; called when it trains.
        part: Makes a digest of what is left of a network, where widths do not tell.
            The folder keeps it.
    """

    folder: Path
    problem: Problem
    widths: Widths
    recipe: TrainConfig
    runtime: Runtime
    flags: tuple
    start: Callable[[], keras.Model] | None = None
    objective: Objective | None = None
    masks: Callable[[], Mapping[Key, np.ndarray]] | None = None
    part: Callable[[], str] | None = None

    @property
    def costs(self) -> dict[str, int]:
        """Costs of the network by exact budget, as {"params": 600_000, ...}."""
        return network_costs(self.problem.structure, self.widths)

    def check(self) -> None:
        """Refuses what cannot be trained, before anything is written.

        Raises:
            InputError: the network, the batch or the augmentation does not fit.
        """
        augmented(self.problem.dataset, self.recipe.augmentation)
        self.runtime.execution.check(lambda: self.problem.build(self.widths))
        steps_per_epoch(self.problem.dataset, self.recipe.batch)

    def check_folder(self) -> None:
        """Refuses a folder that holds another training.

        Raises:
            InputError: its flags differ, or it is of another network.
        """
        is_new(self.folder, self.flags, "training")
        self.check_network()

    def check_network(self) -> None:
        """Refuses a folder that trains another network, where flags do not tell.

        Raises:
            InputError: its widths are of an earlier state of a search, or it trains
                another part of the network.
        """
        part, begun = self.part and self.part(), (self.folder / WIDTHS).exists()
        if begun and results.kept_part(self.folder) != part:
            raise InputError(
                f"{self.folder} trains another part of the network than is left by "
                "the pruning now. Delete it: it is trained again."
            )
        before = results.kept_widths(self.folder)
        if before not in (None, self.widths):
            raise InputError(
                f"{self.folder} trains the widths {','.join(map(str, before))}, and by "
                f"the search they are {','.join(map(str, self.widths))} now. Give "
                "--name for another folder, or the --iteration that it was begun with."
            )

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Trains, or continues; returns at once if the folder has a result.

        Args:
            watch: Shows progress and requests stops; its folder is set to the
                training's.

        Returns:
            What `result.json` holds.

        Raises:
            RunError: a loss or score is not finite, or a worker was lost.
            InputError: the folder holds another training, or is in use; or a worker
                was started otherwise.
            Interrupted: a signal asked to stop; the state was saved.
        """
        watch, workers = watch or Watch(), self.runtime.execution.workers
        check_alike(workers, self.flags, self.problem.dataset)
        with run_folder(workers, self.folder, self.flags, "training") as folder:
            self.check_network()
            runtime = self.runtime.watched(watch.at(folder.path, folder / LOGS))
            if not (folder / RESULT).exists():
                workers.led(lambda: self._begin(folder))
                trained = training.train(
                    self.problem,
                    self.start or (lambda: self.problem.build(self.widths)),
                    self.recipe,
                    runtime,
                    label=self.folder.name,
                    objective=self.objective,
                    masks=self.masks and self.masks(),
                )
                workers.led(lambda: self._write(trained))
            # A kill may have left it behind a result.
            runtime.watch.checkpoint(training.CHECKPOINT).remove()
            return results.read_result(self.folder)

    def _begin(self, folder: RunFolder) -> None:
        """Writes what is trained."""
        folder.keep_flags()  # Where the data are may have changed.
        self._write_widths()

    def adopt(
        self,
        history: Sequence[Epoch],
        *,
        test_losses: Sequence[float],
        seconds: float,
        elsewhere: str,
    ) -> None:
        """Writes the folder of a training that something else did.

        It has no `model.keras`, so it cannot be exported. If a validation loss is not
        finite, the folder says that the training failed.

        Args:
            history: One row for each epoch, all of them tested.
            test_losses: Test loss of every epoch.
            seconds: Seconds that the training took.
            elsewhere: What trained the network, in words.

        Raises:
            InputError: the history is not as long as the recipe, or the folder holds
                another training.
        """
        if len(history) != self.recipe.epochs:
            raise InputError(
                f"{self.folder.name} has {len(history)} epochs, the recipe "
                f"{self.recipe.epochs}."
            )
        if not all(math.isfinite(epoch.validation_loss) for epoch in history):
            results.write_failure(self.folder, f"The loss is not finite ({elsewhere}).")
            return
        with open_run(self.folder, self.flags, "training"):
            best = training.best_of(history)
            result = self._result(
                history,
                test_score=best.test_score,
                test_loss=test_losses[best.epoch - 1],
                seconds=seconds,
            )
            write_history(self.folder, history, self.problem.task.score.name)
            files.write_json(self.folder / RESULT, {**result, ELSEWHERE: elsewhere})

    def keep(self, trained: TrainResult) -> None:
        """Writes the folder of a network that something else trained; once.

        Args:
            trained: Of the job's widths.

        Raises:
            InputError: the folder holds another training, or is in use.
        """
        with open_run(self.folder, self.flags, "training") as folder:
            if not (folder / RESULT).exists():
                self.write(trained)

    def write(self, trained: TrainResult) -> None:
        """Writes the folder of such a network, which the caller has opened."""
        self._write_widths()
        self._write(trained)

    def _write_widths(self) -> None:
        """Writes which network it is."""
        part = {"part": self.part()} if self.part else {}
        facts = {"version": 1, "widths": self.widths, **part}
        files.write_json(self.folder / WIDTHS, facts)

    def _write(self, trained: TrainResult) -> None:
        """Writes history, model and result; the last marks the end, and is finite."""
        write_history(self.folder, trained.history, self.problem.task.score.name)
        python_models.save_model(trained.model, self.folder / MODEL)
        result = self._result(
            trained.history,
            test_score=trained.test_score,
            test_loss=trained.test_loss,
            seconds=trained.seconds,
        )
        results.check_finite(result, self.folder / MODEL)
        files.write_json(self.folder / RESULT, result)

    def _result(
        self,
        history: Sequence[Epoch],
        *,
        test_score: float,
        test_loss: float,
        seconds: float,
    ) -> dict[str, Any]:
        """What `result.json` holds; keys of scores have the name of the task's."""
        best, score = training.best_of(history), self.problem.task.score.name
        return {
            "version": 1,
            "architecture": self.problem.architecture.name,
            "dataset": self.problem.dataset.name,
            "widths": list(self.widths),
            **self.costs,
            "seed": self.runtime.seed,
            "epochs": self.recipe.epochs,
            "best_epoch": best.epoch,
            "score": score,
            f"validation_{score}": best.validation_score,
            f"test_{score}": test_score,
            "test_loss": test_loss,
            f"best_test_{score}": training.best_test_score(history),
            "seconds": round(seconds, 3),
        }


@contextlib.contextmanager
def failure_kept(folder: Path, workers: Workers = ALONE) -> Iterator[None]:
    """A block of a training that, if it fails, is written as `write_failure` does.

    Args:
        folder: Of the training.
        workers: Who train together; the chief writes.

    Raises:
        WorkerError: a worker was lost. So the training goes on another time.
    """
    try:
        yield
    except WorkerError:
        raise
    except RunError as error:
        reason = str(error)
        workers.led(lambda: results.write_failure(folder, reason))


def write_history(folder: Path, history: Sequence[Epoch], score: str) -> None:
    """Writes history.csv, one row for each epoch.

    Args:
        folder: Of the training.
        history: The epochs.
        score: Name of the task's, which its columns bear.
    """
    names = [field.name for field in dataclasses.fields(Epoch)]
    header = [name.replace("score", score) for name in names]
    rows = [dataclasses.astuple(epoch) for epoch in history]
    files.write_csv(folder / EPOCHS, header, rows)


def network_config(
    config: ProblemConfig, problem: Problem, widths: Sequence[int]
) -> NetworkConfig:
    """The settings that name a network: architecture, data set, widths.

    Args:
        config: Network and data, complete.
        problem: Says the architecture, which may differ from that of the settings where
            a method changes it.
        widths: Filters of every layer.
    """
    named = {"architecture": problem.architecture.name, "widths": tuple(widths)}
    names = [field.name for field in dataclasses.fields(ProblemConfig)]
    values = {name: getattr(config, name) for name in names}
    return NetworkConfig(**{**values, **named})


def network_costs(structure: Structure, widths: Widths) -> dict[str, int]:
    """Costs of the network of these widths by exact budget.

    Args:
        structure: Of the architecture.
        widths: Filters of every layer.
    """
    return {n: int(c(np.array(widths))) for n, c in exact_costs(structure).items()}


def read_history(folder: str | Path) -> tuple[Epoch, ...]:
    """The epochs of a finished training, exactly as they were written.

    Args:
        folder: Of the training.

    Raises:
        InputError: the history is missing or damaged.
    """
    path = Path(folder) / EPOCHS
    _, rows = files.read_csv(path, what="history")
    with files.readable(path, "history"):
        return tuple(
            Epoch(*(None if cell == "" else cell for cell in row)) for row in rows
        )
