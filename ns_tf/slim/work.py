"""A supernet in a run folder: checked first, then trained and kept.

A run folder belongs to one supernet::

    run.flags           which network, which data, how it is trained
    supernet.npz        all its weights; while it trains, its checkpoint
    history.csv         losses and scores of every epoch, means over the shares
    supernet.json       cost and scores of every share; written last
    train/share0.5/     the network of a share, a folder as of a training

So the network of a share can be exported and pruned as any training.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ns_tf.base import InputError, RunError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import python_models
from ns_tf.networks.from_model import from_model
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import problem_of
from ns_tf.run import files
from ns_tf.run.folder import LOGS, SHARES, SUPERNET, TRAIN, is_new, open_run
from ns_tf.run.watch import Watch
from ns_tf.slim.config import SupernetConfig, share_name
from ns_tf.slim.job import SupernetJob
from ns_tf.slim.results import ShareResult
from ns_tf.slim.training import SupernetTraining, single
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import network_config, network_costs, write_history
from ns_tf.train.training import Epoch, best_of


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A trained supernet.

    Args:
        training: At the weights of the best epoch.
        history: One row for each epoch; losses and scores are means over the shares.
        rows: Each share, as `SupernetConfig.shares` has them.
        seconds: Wall time of the training with its evaluations.
    """

    training: SupernetTraining
    history: tuple[Epoch, ...]
    rows: tuple[ShareResult, ...]
    seconds: float


class SupernetRun:
    """A supernet that is to be trained: checks everything first, then does it.

    Args:
        problem: Network and data.
        settings: The settings that name them.
        config: Shares, norms, rule.
        recipe: How it is trained.
        runtime: Seed, devices, precision.
        run_dir: Where it is kept; None keeps nothing.

    Raises:
        InputError: the supernet cannot be trained; nothing was written.
    """

    def __init__(
        self,
        problem: Problem,
        settings: ProblemConfig,
        config: SupernetConfig,
        recipe: TrainConfig,
        runtime: RuntimeConfig,
        *,
        run_dir: str | Path | None = None,
    ):
        self.original = problem.architecture
        self.settings, self.config = settings, config
        self.flags = (settings, config, recipe, runtime)
        self.folder = None if run_dir is None else Path(run_dir)
        self.job = SupernetJob(joined(problem), config, recipe, Runtime.of(runtime))
        self.problem = self.job.problem
        self.job.check()
        if self.folder:
            is_new(self.folder, self.flags, "supernet")
            done = (self.folder / SHARES).exists()
            if done and not (self.folder / SUPERNET).exists():
                raise InputError(
                    f"{self.folder} has lost its {SUPERNET}, the weights of what is "
                    "done. Restore it from a copy, or give another --run_dir."
                )

    @classmethod
    def of(
        cls, run_dir: str | Path, settings: ProblemConfig, *others: object
    ) -> "SupernetRun":
        """The run that settings ask for; reads the data.

        Args:
            run_dir: The folder.
            settings: Network and data, complete.
            *others: Of the supernet, the training and the runtime.

        Raises:
            InputError: as `SupernetRun`, or there is no such network or data.
        """
        config, recipe, runtime = others
        Execution.of(runtime)  # Threads are set before TensorFlow starts.
        saved = python_models.saved(settings.architecture, run_dir)
        problem = problem_of(settings, saved)
        return cls(problem, settings, config, recipe, runtime, run_dir=run_dir)

    def run(self, watch: Watch | None = None) -> Fitted:
        """Trains, or continues, or reads what was done.

        Args:
            watch: Shows progress and requests stops.

        Raises:
            RunError: a loss is not finite, or the score of a share, whose network is
                kept as those of the others are.
            InputError: the folder holds something else, or is in use.
            Interrupted: a signal asked to stop; the state was saved.
        """
        watch = watch or Watch()
        if self.folder is None:
            return self._fitted(watch)
        with open_run(self.folder, self.flags, "supernet") as folder:
            folder.keep_flags()  # Where the data are may have changed.
            python_models.save(self.original, folder.path)
            found = self._fitted(watch.at(folder.path, folder / LOGS))
            score = self.problem.task.score.name
            write_history(folder.path, found.history, score)
            failed = []
            for row in found.rows:
                try:
                    self._keep(found, row)
                except RunError as error:
                    failed.append(error)
            if failed:
                raise failed[0]
            if not (folder / SHARES).exists():
                files.write_json(folder / SHARES, self._told(found))
        return found

    def _told(self, found: Fitted) -> dict[str, Any]:
        """What `supernet.json` holds."""
        return {
            "version": 1,
            "architecture": self.problem.architecture.name,
            "score": self.problem.task.score.name,
            "rows": [dataclasses.asdict(row) for row in found.rows],
            "seconds": round(found.seconds, 3),
        }

    def _fitted(self, watch: Watch) -> Fitted:
        """Trains, and keeps the last state as its checkpoint, if there is a folder."""
        work = self.job.trained(watch, SUPERNET)
        if self.folder and not (self.folder / SHARES).exists():
            files.write_arrays(self.folder / SUPERNET, *work.state())
        result = work.result()
        rows = tuple(self._rows(work))
        return Fitted(work, result.history, rows, result.seconds)

    def _rows(self, work: SupernetTraining) -> Iterator[ShareResult]:
        """The shares of a trained supernet."""
        validation, test = (work.by_share(split) for split in ("validation", "test"))
        for share in self.config.shares:
            widths = work.network.widths(share)
            costs = network_costs(self.problem.structure, widths)
            yield ShareResult(share, widths, costs, validation[share], test[share])

    def _keep(self, found: Fitted, row: ShareResult) -> None:
        """Writes the network of a share as a training, once."""
        name = f"share{share_name(row.share)}"
        named = network_config(self.settings, self.problem, row.widths)
        # It has the supernet's weights: no training of this network gives it again.
        architecture = f"{named.architecture}@{name}"
        named = dataclasses.replace(named, architecture=architecture)
        job = self.job.job(self.folder / TRAIN / name, row.widths)
        job = dataclasses.replace(job, flags=(named, *self.flags[1:]))
        model, best = found.training.at(row.widths), best_of(found.history)
        job.keep(single(model, best, row.validation, row.test, found.seconds))


def joined(problem: Problem) -> Problem:
    """The problem of the network of the default widths, whose additions join channels.

    A builder may have a projection at some widths where there is an identity at others;
    a supernet has the same layers at all of them.

    Args:
        problem: Of any architecture.
    """
    if problem.architecture.source is not None:
        return problem
    name = problem.architecture.name
    architecture = from_model(problem.build(), name)
    return Problem.of(architecture, problem.dataset, problem.task)
