"""A training in a run folder: which network, on what data, under which name.

Everything is checked when a `TrainRun` is made, before anything is written. Who decides
the widths stands above this folder (`ns_tf.plan.choice`) and is handed in.
"""

from pathlib import Path
from typing import Any, Protocol

from ns_tf.base import Widths
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import architectures, python_models
from ns_tf.problem.config import NetworkConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import problem_of, resolve, settings_in
from ns_tf.run.folder import TRAIN
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job


class Choice(Protocol):
    """What decides the widths (`ns_tf.plan.choice.WidthChoice`)."""

    flags: tuple  # Settings that it adds to the flags of the training.

    def widths(self, problem: Problem, run_dir: str | Path, folder: Path) -> Widths:
        """The widths of the network.

        Args:
            problem: Its architecture and data.
            run_dir: The run folder, which may hold a search.
            folder: Of the training, which may have been begun.

        Raises:
            InputError: there are none.
        """

    def name(self, seed: int) -> str:
        """The name of the training's folder, where the flags give none."""


class TrainRun:
    """One network that is to be trained: checks everything first, then does it.

    Args:
        run_dir: The run folder of a search, or a folder for trainings alone.
        network: Architecture and data set, where they are not the search's; the name.
        choice: Decides the widths.
        recipe: How it is trained.
        runtime: Seed, devices, precision.
        problem: Network and data that have no names to find them by, given in Python;
            `network` says what to call them.

    Raises:
        InputError: the network cannot be trained; nothing was written.
    """

    def __init__(
        self,
        run_dir: str | Path,
        network: NetworkConfig,
        choice: Choice,
        recipe: TrainConfig,
        runtime: RuntimeConfig,
        *,
        problem: Problem | None = None,
    ):
        execution = Execution.of(runtime, several=True)  # Before TensorFlow starts.
        if problem is None:
            network = resolve(network, settings_in(run_dir), place=run_dir)
            saved = python_models.saved(network.architecture, run_dir)
            named = saved or architectures.get(network.architecture, fixed=True)
            problem = problem_of(network, named)
        self.problem = problem
        self.name = network.name or choice.name(runtime.seed)
        self.folder = Path(run_dir) / TRAIN / self.name
        self.widths = choice.widths(self.problem, run_dir, self.folder)
        self.job = Job(
            self.folder,
            self.problem,
            self.widths,
            recipe,
            Runtime.of(runtime, execution),
            flags=(network, *choice.flags, recipe, runtime),
        )
        self.job.check()
        self.job.check_folder()

    @property
    def costs(self) -> dict[str, int]:
        """Costs of the network by exact budget, as {"params": 600_000, ...}."""
        return self.job.costs

    def run(self, watch: Watch | None = None) -> dict[str, Any]:
        """Trains, or continues; `Job.run` says the rest.

        Args:
            watch: Shows progress and requests stops.

        Returns:
            What `result.json` holds.
        """
        return self.job.run(watch)
