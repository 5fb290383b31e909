"""A supernet that is trained in a folder of its own, and members that come of it later.

The folder is that of a training of the whole network, with scores that are means over
the shares, and has `supernet.npz` with all weights beside it. A kill at any moment
repeats work and changes no result.
"""

import dataclasses
from pathlib import Path
from typing import Any

from ns_tf.base import Widths
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import augmented
from ns_tf.engine import loop
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.problem import Problem
from ns_tf.run import files
from ns_tf.run.folder import CHECKPOINT, LOGS, RESULT, SUPERNET, open_run
from ns_tf.run.watch import Watch
from ns_tf.slim import training
from ns_tf.slim.config import SupernetConfig
from ns_tf.slim.training import SupernetTraining
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job
from ns_tf.train.results import read_result
from ns_tf.train.training import TrainResult


@dataclasses.dataclass(frozen=True, eq=False)
class SupernetJob:
    """A supernet that is to be trained.

    Args:
        problem: Data, task, and an architecture in which additions join channels.
        config: Shares, norms, rule.
        recipe: How it is trained.
        runtime: Seed and devices; who watches is said by `run`.
        folder: Of this supernet alone; None if nothing is kept.
        flags: Settings that the folder keeps as its flags.
    """

    problem: Problem
    config: SupernetConfig
    recipe: TrainConfig
    runtime: Runtime
    folder: Path | None = None
    flags: tuple = ()

    def check(self) -> None:
        """Refuses what cannot be trained, before anything is written.

        Raises:
            InputError: the network, the batch, the augmentation, or several devices.
        """
        training.check(self.problem, self.config, self.runtime)
        augmented(self.problem.dataset, self.recipe.augmentation)
        steps_per_epoch(self.problem.dataset, self.recipe.batch)
        self.runtime.execution.check(self.problem.build)

    def trained(self, watch: Watch, checkpoint: str = CHECKPOINT) -> SupernetTraining:
        """The supernet after its last step, trained or continued.

        Args:
            watch: Shows progress, requests stops, keeps the checkpoint.
            checkpoint: Name of its file.

        Raises:
            RunError: a loss is not finite.
            Interrupted: a signal asked to stop; the state was saved.
        """
        runtime = self.runtime.watched(watch)
        work = self._work(runtime)
        folder = self.folder
        label = folder.name if folder else self.problem.architecture.name
        loop.run(work, work.total, runtime, label=label, checkpoint=checkpoint)
        return work

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Trains, or continues; returns at once if the folder has a result.

        Args:
            watch: Shows progress and requests stops; its folder is set to the job's.

        Returns:
            What `result.json` holds.

        Raises:
            RunError: a loss is not finite.
            InputError: the folder holds something else, or is in use.
            Interrupted: a signal asked to stop; the state was saved.
        """
        watch = watch or Watch()
        with open_run(self.folder, self.flags, "supernet") as folder:
            watch = watch.at(folder.path, folder / LOGS)
            if not (folder / RESULT).exists():
                folder.keep_flags()  # Where the data are may have changed.
                work = self.trained(watch)
                result = work.result()  # A loss may fail there: no weights then.
                files.write_arrays(folder / SUPERNET, *work.state())
                self.job(self.folder, self.problem.architecture.widths).write(result)
            # A kill may have left it behind a result.
            watch.checkpoint(CHECKPOINT).remove()
            return read_result(self.folder)

    def member(self, widths: Widths) -> TrainResult:
        """The network of some widths of the supernet that the folder keeps.

        Args:
            widths: As of `SupernetTraining.at`.

        Raises:
            InputError: the file of the weights is missing or damaged.
        """
        arrays, facts = files.read_arrays(self.folder / SUPERNET, what="supernet")
        work = self._work(self.runtime)
        work.restore(arrays, facts)
        seconds = facts["seconds"]
        if (self.folder / RESULT).exists():  # Not where its mean score is infinite.
            seconds = read_result(self.folder)["seconds"]
        return dataclasses.replace(work.judged(widths), seconds=seconds)

    def job(self, folder: Path, widths: Widths) -> Job:
        """What keeps a network of the supernet as a training.

        Args:
            folder: Of that network.
            widths: Of that network.
        """
        return Job(folder, self.problem, widths, self.recipe, self.runtime, self.flags)

    def _work(self, runtime: Runtime) -> SupernetTraining:
        """The supernet before its first step."""
        return SupernetTraining(self.problem, self.config, self.recipe, runtime)


@dataclasses.dataclass(frozen=True, eq=False)
class MemberJob:
    """A network that is to be taken from a supernet and kept as a training.

    Args:
        supernet: Trained.
        folder: Of the network alone.
        widths: Of the network.
        flags: Settings that the folder keeps as its flags.
    """

    supernet: SupernetJob
    folder: Path
    widths: Widths
    flags: tuple

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Takes the network, unless the folder has a result.

        Args:
            watch: Not asked: it takes as long as an evaluation.

        Returns:
            What `result.json` holds.

        Raises:
            InputError: the supernet is missing or damaged, or the folder is in use.
        """
        del watch
        if not (self.folder / RESULT).exists():
            job = self.supernet.job(self.folder, self.widths)
            job = dataclasses.replace(job, flags=self.flags)
            job.keep(self.supernet.member(self.widths))
        return read_result(self.folder)
