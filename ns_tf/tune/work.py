"""A tuning: trials that a tuner draws, each found, trained and kept as it ends."""

import functools
from pathlib import Path
from typing import Any

import keras_tuner

from ns_tf.base import InputError, RunError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import python_models
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run import files
from ns_tf.run.folder import (
    RESULT,
    SOURCE,
    TRAIN,
    TRIAL,
    TRIALS,
    TRIALS_FOLDER,
    RunFolder,
    open_run,
)
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job, network_config
from ns_tf.train.results import (
    has_ended,
    read_failure,
    read_result,
    score_in,
    write_failure,
)
from ns_tf.tune import oracle as oracles
from ns_tf.tune.config import TuneConfig
from ns_tf.tune.networks import TunedNetworks
from ns_tf.tune.searches import TunedSearches

PARENT = "tuner/trial_id"  # Hyperband's: the trial that is trained longer now.
WORST = 1.0  # The objective is the share of validation images that are missed.

_MODES = {
    "network": TunedNetworks,
    "search": TunedSearches,
}


class Tuning:
    """What is to be tuned: checked first, then done, trial by trial.

    Its trials are the pieces of a `ns_tf.crew.work.Work`.

    Args:
        run_dir: Where it is kept; the same tuning goes on there.
        task: Architecture and data set, where they are not the search's.
        tune: What is tuned, and how.
        budget: What all networks keep to.
        recipe: Of trainings, where the hyperparameters say nothing.
        runtime: Seed, devices, precision.

    Raises:
        InputError: what was asked for cannot be done; nothing was written.
    """

    label, unit = "tune", "trials"

    def __init__(
        self,
        run_dir: str | Path,
        task: ProblemConfig,
        tune: TuneConfig,
        budget: BudgetConfig,
        recipe: TrainConfig,
        runtime: RuntimeConfig,
    ):
        self.folder = Path(run_dir)
        self.configs = (task, tune, budget, recipe, runtime)
        self.tune, self.recipe, self.runtime = tune, recipe, runtime
        self.execution = Execution.of(runtime)  # Before TensorFlow starts.
        self.mode = _MODES[tune.tune](self.folder, task, tune, budget, recipe, runtime)
        self.problem = self.mode.problem
        if tune.tuner == "hyperband" and "epochs" in self.mode.space.members:
            raise InputError(
                "With --tuner=hyperband the tuner draws the epochs, up to --epochs; "
                "leave epochs out of --space."
            )
        self.execution.check(self.problem.build)
        self._run: RunFolder | None = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._run is not None:
            self._run.close()

    def prepare(self, watch: Watch | None = None) -> None:
        """Does the search that is asked for by flagfile, and opens the list of trials.

        From now on no other process may prepare in this folder, until this tuning is
        left.

        Raises:
            InputError: the folder is another run's, or the search is another one than
                when this tuning began.
        """
        self._run = open_run(self.folder, self.configs, "tuning")
        python_models.save(self.problem.architecture, self.folder)
        self.mode.prepare(watch or Watch())
        self._keep_source()
        self._run.keep_flags()  # The number of trials may be another than before.
        self._oracle().save()

    def listed(self) -> bool:
        """Whether trials can be asked for."""
        return (self.folder / TRIALS).exists()

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out the trials that are left; None if none is."""
        oracle = self._oracle()
        return oracle if oracle.left else None

    def counts(self) -> tuple[int, int]:
        """How many trials are done, and how many there will be."""
        done = len(self.done())
        return done, max(done, self._total)

    def done(self) -> list[str]:
        """Names of the trials that are done, in the order in which they were drawn."""
        names = sorted(
            path.parent.name for path in self.folder.glob(f"{TRIALS_FOLDER}/*/{TRIAL}")
        )
        return [name for name in names if has_ended(self.training(name))]

    def training(self, name: str) -> Path:
        """Where the training of a trial is kept."""
        return self.folder / TRAIN / name

    def read(self, name: str) -> dict[str, Any]:
        """What is kept of a trial: "values" by name; "found", if it got so far.

        Raises:
            InputError: it is missing or damaged.
        """
        path = self.folder / TRIALS_FOLDER / name / TRIAL
        with files.readable(path, "trial"):
            kept = files.read_json(path, what="trial", version=1)
            if not isinstance(kept["values"], dict):
                raise ValueError("no values in it")
        return kept

    def do(self, trial: Any, watch: Watch | None = None) -> float:
        """Trains the network of a trial, or goes on with it.

        Returns:
            The share of validation images that it misses; 1 if its training failed.
        """
        name = _name(trial.trial_id)
        folder = self.training(name)
        if not has_ended(folder):
            try:
                self._job(trial, name, watch or Watch()).run(watch)
            except RunError as error:
                write_failure(folder, error)
        if read_failure(folder) is not None:
            return WORST
        result = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            return 1 - score_in(result, "validation")

    def _keep_source(self) -> None:
        """Refuses a search that changed: trials of two searches do not compare."""
        path = self.folder / SOURCE
        source = {"version": 1, **self.mode.source()}
        if not path.exists():
            files.write_json(path, source)
        elif files.read_json(path, what="list of sources", version=1) != source:
            raise InputError(
                f"The search {self.tune.search} changed since the tuning in "
                f"{self.folder} began. Give another --run_dir."
            )

    def _job(self, trial: Any, name: str, watch: Watch) -> Job:
        """The training of a trial's network."""
        kept = self._network(trial, name, watch)
        widths = tuple(kept["found"]["widths"])
        recipe = self.mode.recipe(kept["values"])
        network = network_config(self.mode.settings, self.problem, widths)
        return Job(
            self.training(name),
            self.problem,
            widths,
            recipe,
            Runtime.of(self.runtime, self.execution),
            (network, recipe, self.runtime),
        )

    def _network(self, trial: Any, name: str, watch: Watch) -> dict[str, Any]:
        """What is kept of a trial: its values, and the network found for them.

        A network is found once, as no two measurements of latency agree. A trial that
        Hyperband takes further has the network that it had.
        """
        folder = self.folder / TRIALS_FOLDER / name
        kept = self.read(name) if (folder / TRIAL).exists() else {}
        if "found" in kept:
            return kept
        drawn = trial.hyperparameters.values
        kept = {"version": 1, "values": self.mode.space.tidy(drawn)}
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / TRIAL, kept)
        if PARENT in drawn:
            before = self.read(_name(drawn[PARENT]))
            if "found" not in before:
                raise RunError(f"Trial {drawn[PARENT]}, which it continues, failed.")
            network = before["found"]
        else:
            network = self.mode.find(kept["values"], folder, watch)
        kept["found"] = network
        files.write_json(folder / TRIAL, kept)
        return kept

    def _oracle(self, path: bool = True) -> keras_tuner.Oracle:
        space = keras_tuner.HyperParameters()
        self.mode.space.declare(space)
        return oracles.make(
            self.tune,
            space,
            self.recipe.epochs,
            self.runtime.seed,
            path=self.folder / TRIALS if path else None,
            adjust=lambda values: self.mode.adjust(self.mode.space.tidy(values)),
        )

    @functools.cached_property
    def _total(self) -> int:
        if self.tune.tuner == "bayesian":  # Its proposals take time.
            return self.tune.max_trials
        return oracles.count(self._oracle(path=False))


def _name(trial_id: str) -> str:
    """What a trial is called; keras-tuner's own name for it has more or fewer zeros."""
    return f"trial_{int(trial_id):04d}"
