"""Trainings of a choice: short, each in a folder that its settings name."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import Widths
from ns_tf.engine.execution import Execution, forget_kernels
from ns_tf.engine.runtime import Runtime
from ns_tf.plan.config import RefineConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.run import flagfile
from ns_tf.run.folder import REFINE
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job, failure_kept, network_config
from ns_tf.train.results import has_ended, read_failure


class ShortTrainings:
    """The trainings for one choice, by one recipe.

    Args:
        folder: Each has a folder of its own in it.
        problem: Network and data.
        settings: The settings that name them.
        config: Recipe and seed, and how they are computed.
    """

    def __init__(
        self,
        folder: Path,
        problem: Problem,
        settings: ProblemConfig,
        config: RefineConfig,
    ):
        self.folder, self.problem = folder, problem
        self._settings, self._config = settings, config
        self.runtime = config.runtime
        self.execution = Execution.of(config)

    def job(self, label: str, widths: Widths, epochs: int, seed: int = 0) -> Job:
        """One training.

        Args:
            label: Begins the name of its folder.
            widths: Of the network.
            epochs: How long it is trained.
            seed: Counted from 0, and added to the seed of the run.
        """
        runtime = dataclasses.replace(self.runtime, seed=self.runtime.seed + seed)
        recipe = TrainConfig(
            epochs=epochs,
            batch=self._config.refine_batch,
            rate=self._config.refine_rate,
            schedule="cosine",
        )
        network = network_config(self._settings, self.problem, widths)
        flags = (network, recipe, runtime)
        name = f"{label}_{epochs}epochs_seed{runtime.seed}"
        return Job(
            self.folder / f"{name}_{_digest(flags)}",
            self.problem,
            widths,
            recipe,
            Runtime.of(runtime, self.execution),
            flags,
        )


def done(job: Job, watch: Watch) -> bool:
    """Trains, unless that was done before; whether it came to an end.

    One that failed is not tried again; its folder says why.

    Args:
        job: The training.
        watch: Shows progress, lets it stop.

    Raises:
        Interrupted: a signal asked to stop; the same call goes on.
    """
    if not has_ended(job.folder):
        with failure_kept(job.folder):
            job.run(watch)
        forget_kernels()
    return read_failure(job.folder) is None


def place_of(folder: str | Path, targets: Mapping[str, float]) -> Path:
    """The folder of a choice for some budgets, below that of its search."""
    name = "_".join(f"{budget}{value:.10g}" for budget, value in targets.items())
    return Path(folder) / REFINE / name


def _digest(flags: Sequence[Any]) -> str:
    """A few characters that differ where a training has another result.

    A search that went on gives other widths to a candidate, so it trains elsewhere.

    Args:
        flags: The settings of the training.
    """
    ignored = flagfile.changeable(*map(type, flags))
    lines = flagfile.as_flagfile(flags).splitlines()
    kept = [line for line in lines if line[2:].partition("=")[0] not in ignored]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]
