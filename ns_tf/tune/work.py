"""A tuning: trials that a tuner draws, each planned, trained and kept as it ends.

A trial leaves `trials/NAME/trial.json` (its values and its network) and `train/NAME/`
(its training, as `python -m ns_tf.train` would keep it). Where several workers do every
trial together, the chief draws the trials and writes.
"""

import contextlib
import functools
import json
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from ns_tf.base import InputError, RunError
from ns_tf.crew.work import execution_of
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.shared import check_alike, run_folder
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
)
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job, failure_kept, network_config
from ns_tf.train.results import (
    has_ended,
    read_failure,
    read_result,
    score_in,
)
from ns_tf.tune import oracle as oracles
from ns_tf.tune.config import TuneConfig
from ns_tf.tune.networks import TunedNetworks
from ns_tf.tune.searches import TunedSearches

PARENT = "tuner/trial_id"  # In Hyperband's values: the trial that is trained longer.
WORST = 2.0  # Of a failed trial. The objective of others is below it.

_MODES = {
    "network": TunedNetworks,
    "search": TunedSearches,
}


class Tuning:
    """What is to be tuned: checked first, then done, trial by trial.

    Its trials are the pieces of a `ns_tf.crew.work.Work`::

        with Tuning(run_dir, task, tune, budget, recipe, runtime) as tuning:
            tuning.prepare(watch)
            ns_tf.crew.work.run(tuning, watch)

    Args:
        run_dir: Where it is kept; the same tuning goes on there.
        task: Architecture and data set, where they are not the search's.
        tune: What is tuned, and how.
        budget: Budgets and grid that hold for all networks.
        recipe: Of trainings, where the hyperparameters say nothing.
        runtime: Seed, devices, precision.

    Attributes:
        folder: `run_dir`.
        mode: What is tuned: `TunedNetworks` or `TunedSearches`.
        problem: Network, data and task.

    Raises:
        InputError: the tuning cannot be done; nothing was written.
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
        # Before TensorFlow starts.
        self.execution = execution_of(runtime, tune.workers)
        self.workers = self.execution.workers
        settings = (self.folder, task, tune, budget, recipe, runtime)
        self.mode = _MODES[tune.tune](*settings, workers=self.workers)
        self.problem = self.mode.problem
        if tune.tuner == "hyperband" and "epochs" in self.mode.space.members:
            raise InputError(
                "With --tuner=hyperband the tuner draws the epochs, up to --epochs; "
                "leave epochs out of --space."
            )
        self.execution.check(self.problem.build)
        self._held = contextlib.ExitStack()  # The folder, while trials are done.

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._held.__exit__(*exception)

    def prepare(self, watch: Watch | None = None) -> None:
        """Does the search of a flagfile, and opens the list of trials.

        Until the tuning's context ends, no other process can prepare in this folder.

        Args:
            watch: Shows progress, lets it stop.

        Raises:
            InputError: the folder belongs to another run, or the search is another one
                than when this tuning began; or a worker was started otherwise.
            RunError: a search failed, or a worker was lost.
        """
        workers = self.workers
        self._held.enter_context(workers.attended())
        check_alike(workers, self.configs, self.problem.dataset)
        run = run_folder(workers, self.folder, self.configs, "tuning")
        run = self._held.enter_context(run)
        workers.led(self._begin)
        self.mode.prepare(watch or Watch())
        workers.led(lambda: self._open(run))

    def _begin(self) -> None:
        """Checks what was done before, and keeps the network."""
        self._check_kept()
        python_models.save(self.problem.architecture, self.folder)

    def _open(self, run: RunFolder) -> None:
        """Opens the list of trials."""
        self._keep_source()
        run.keep_flags()  # The number of trials may have changed.
        self._oracle().save()

    def listed(self) -> bool:
        """Whether the list of trials is open, so that workers may ask for them."""
        return (self.folder / TRIALS).exists()

    def oracle(self) -> keras_tuner.Oracle | None:
        """Deals out the trials that have not ended; None if all have."""
        oracle = self._oracle()
        return oracle if oracle.left else None

    def counts(self) -> tuple[int, int]:
        """How many trials have ended, and how many there will be in all."""
        done = len(self.done())
        return done, max(done, self._total)

    def done(self) -> list[str]:
        """Names of the trials that have ended, in the order in which they were drawn.

        Those that failed are among them.
        """
        names = sorted(
            path.parent.name for path in self.folder.glob(f"{TRIALS_FOLDER}/*/{TRIAL}")
        )
        return [name for name in names if has_ended(self.training(name))]

    def training(self, name: str) -> Path:
        """The folder of a trial's training."""
        return self.folder / TRAIN / name

    def read(self, name: str) -> dict[str, Any]:
        """What is kept of a trial.

        Args:
            name: Of the trial.

        Returns:
            "values" of its hyperparameters by name, and "found", the network and what
            it took, once there is one.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self.folder / TRIALS_FOLDER / name / TRIAL
        with files.readable(path, "trial"):
            record = files.read_json(path, what="trial", version=1)
            if not isinstance(record["values"], dict):
                raise ValueError("no values in it")
        return record

    def do(self, trial: Trial, watch: Watch | None = None) -> float:
        """Trains the network of a trial, or goes on with it.

        Args:
            trial: As the oracle deals it out.
            watch: Shows progress, lets it stop.

        Returns:
            What the oracle minimises, `objective` of the validation score: in
            classification the share of validation images that are missed. `WORST` if
            the trial failed.

        Raises:
            RunError: a worker was lost.
        """
        name = _name(trial.trial_id)
        folder = self.training(name)
        if not self.workers.agree(lambda: has_ended(folder)):
            with failure_kept(folder, self.workers):
                self._job(trial, name, watch or Watch()).run(watch)
        if read_failure(folder) is not None:
            return WORST
        result = read_result(folder)
        with files.readable(folder / RESULT, "result"):
            return oracles.objective(score_in(result, "validation"))

    def _check_kept(self) -> None:
        """Refuses damaged files of earlier trials, before anything is written.

        Raises:
            InputError: names the file.
        """
        for path in self.folder.glob(f"{TRIALS_FOLDER}/*/{TRIAL}"):
            self.read(path.parent.name)
        for name in self.done():
            if read_failure(self.training(name)) is None:
                read_result(self.training(name))
        if (self.folder / SOURCE).exists():
            self._kept_source()
        self._oracle()

    def _kept_source(self) -> dict[str, Any]:
        """What trials depend on, as it was when the tuning began."""
        path = self.folder / SOURCE
        return files.read_json(path, what="list of sources", version=1)

    def _keep_source(self) -> None:
        """Keeps what trials depend on; refuses it if it has changed.

        Raises:
            InputError: the search is another one than when the tuning began. Trials of
                two searches do not compare.
        """
        path = self.folder / SOURCE
        source = {"version": 1, **self.mode.source()}
        if not path.exists():
            files.write_json(path, source)
        elif self._kept_source() != source:
            raise InputError(
                f"The search {self.tune.search} changed since the tuning in "
                f"{self.folder} began. Give another --run_dir."
            )

    def _job(self, trial: Trial, name: str, watch: Watch) -> Job:
        """The training of a trial's network.

        Raises:
            RunError: there is no network for its values.
        """
        record = self._record(trial, name, watch)
        widths = tuple(record["found"]["widths"])
        recipe = self.mode.recipe(record["values"])
        network = network_config(self.mode.settings, self.problem, widths)
        return Job(
            self.training(name),
            self.problem,
            widths,
            recipe,
            Runtime.of(self.runtime, self.execution),
            (network, recipe, self.runtime),
        )

    def _record(self, trial: Trial, name: str, watch: Watch) -> dict[str, Any]:
        """What is kept of a trial, its network with it.

        A network is planned once and kept, because two measurements of latency never
        agree. A trial that Hyperband trains longer keeps the network of its parent.

        Raises:
            RunError: there is no network for its values, or its parent failed.
        """
        folder = self.folder / TRIALS_FOLDER / name
        record = json.loads(self.workers.told(lambda: self._begun(trial, name)))
        if "found" in record:
            return record
        drawn = trial.hyperparameters.values
        if PARENT in drawn:
            parent = self.read(_name(drawn[PARENT]))
            if "found" not in parent:
                raise RunError(f"Trial {drawn[PARENT]}, which it continues, failed.")
            network = parent["found"]
        else:
            network = self.mode.find(record["values"], folder, watch)
        record["found"] = network
        self.workers.led(lambda: files.write_json(folder / TRIAL, record))
        return record

    def _begun(self, trial: Trial, name: str) -> str:
        """What is kept of a trial, as JSON; of a new one its values are written."""
        path = self.folder / TRIALS_FOLDER / name / TRIAL
        record = self.read(name) if path.exists() else {}
        if "found" not in record:
            drawn = trial.hyperparameters.values
            record = {"version": 1, "values": self.mode.space.tidy(drawn)}
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(path, record)
        return json.dumps(record)

    def _oracle(self, path: bool = True) -> keras_tuner.Oracle:
        """The oracle in the state of its file, or a new one that keeps nothing."""
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
        """How many trials there will be."""
        if self.tune.tuner == "bayesian":  # Counting would fit its process each time.
            return self.tune.max_trials
        return oracles.count(self._oracle(path=False))


def _name(trial_id: str) -> str:
    """Name of a trial's folders, whatever zeros keras-tuner's number begins with.

    >>> _name("0007"), _name("12")
    ('trial_0007', 'trial_0012')
    """
    return f"trial_{int(trial_id):04d}"
