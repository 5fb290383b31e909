"""keras-tuner's oracles, with a state that survives a kill at any time."""

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import trial as kt_trial

from ns_tf.run import files
from ns_tf.tune.config import TuneConfig

BRACKET = "tuner/bracket"  # Hyperband's: it repeats trials on purpose.
OBJECTIVE = "default_objective"  # What keras-tuner calls what a trial returns.
_RUNNING, _STOPPED = "RUNNING", "STOPPED"


class Kept:
    """Mixed into an oracle: its whole state is one file, replaced at once.

    keras-tuner's own files are many and written in place, and forget the state of
    random generators. A trial that ran when everything was killed is dealt out first,
    whoever asks.

    Attributes:
        path: The file; None keeps nothing.
        adjust: What is made of drawn values before they are dealt out.
    """

    path: Path | None = None
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(dict)
    finished = False  # Whether it said that no trial is left to begin.

    @property
    def left(self) -> bool:
        """Whether any trial is left, begun or not."""
        return not self.finished or bool(self.ongoing_trials or self._retry_queue)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values, which depend on the trials so far alone."""
        if hasattr(self, "_random_state"):  # Bayesian: it is no part of the state.
            self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        with warnings.catch_warnings():
            # A Gaussian process on few trials has some.
            warnings.simplefilter("ignore")
            answer = super().populate_space(trial_id)
        if answer["status"] != _RUNNING:
            return answer
        values = self.adjust(answer["values"])
        if BRACKET not in values:
            values = self._untried(values)
        if values is None:
            return {"status": _STOPPED}
        return {**answer, "values": values}

    def _untried(self, values: dict[str, Any] | None) -> dict[str, Any] | None:
        """These values, or random ones if they were tried; None if all were."""
        for _ in range(self._max_collisions):
            if not self._duplicate(values):
                return values
            drawn = self._random_values()
            if drawn is None:
                return None
            values = self.adjust(drawn)
        return None

    def create_trial(self, tuner_id: str):
        """The next trial; with status STOPPED if none is left."""
        trial = super().create_trial(tuner_id)
        if trial.status == _STOPPED and not self.finished:
            self.finished = True
            self.save()
        return trial

    def end_trial(self, trial, *arguments, **keywords) -> None:
        """Keeps the outcome."""
        super().end_trial(trial, *arguments, **keywords)
        self.save()  # keras-tuner saves while the trial still counts as running.

    def save(self) -> None:
        """Writes the state."""
        if self.path is None:
            return
        state = {
            "version": 1,
            "finished": self.finished,
            "max_trials": self.max_trials,
            "oracle": self.get_state(),
            "trials": [trial.get_state() for trial in self.trials.values()],
        }
        files.write_json(self.path, state)

    def _save_trial(self, trial) -> None:
        """Nothing: trials are in the state."""

    def restore(self) -> None:
        """Goes on from the file, if there is one.

        Raises:
            InputError: it is damaged.
        """
        if self.path is None or not self.path.exists():
            return
        with files.readable(self.path, "list of trials"):
            kept = files.read_json(self.path, what="list of trials", version=1)
            trials = [kt_trial.Trial.from_state(state) for state in kept["trials"]]
            self.trials = {trial.trial_id: trial for trial in trials}
            self.set_state(kept["oracle"])
            more = kept["max_trials"] != self.max_trials
            self.finished = kept["finished"] and not more
        running = [t.trial_id for t in self.ongoing_trials.values()]
        running = [name for name in running if name not in self.end_order]
        self.ongoing_trials = {}
        self.tuner_ids = set()
        waiting = dict.fromkeys([*self._retry_queue, *sorted(running, reverse=True)])
        self._retry_queue = list(waiting)  # The last one is dealt out first.


def make(
    config: TuneConfig,
    space: keras_tuner.HyperParameters,
    epochs: int,
    seed: int,
    *,
    path: Path | None = None,
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> keras_tuner.Oracle:
    """The oracle that the settings name, as its file left it.

    Args:
        config: Which tuner, how many trials.
        space: All hyperparameters.
        epochs: Of the longest training: Hyperband's are up to as long.
        seed: Of what is drawn.
        path: Its file.
        adjust: What is made of drawn values before they are dealt out.
    """
    kind, options = _KINDS[config.tuner]
    oracle = type(kind.__name__, (Kept, kind), {})(
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        hyperparameters=space,
        tune_new_entries=False,
        allow_new_entries=False,
        seed=(seed + 1) % 2**32 or 1,  # keras-tuner takes 0 for none.
        **options(config, epochs),
    )
    oracle.path, oracle.adjust, oracle.verbose = path, adjust, 0
    oracle.restore()
    return oracle


def count(oracle: keras_tuner.Oracle) -> int:
    """How many trials there will be, found by doing them all for nothing.

    Args:
        oracle: One without a file, of no use afterwards.
    """
    with contextlib.suppress(RuntimeError):
        while (trial := oracle.create_trial("counts")).status == _RUNNING:
            oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.0})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
    return len(oracle.trials)


def _random(config: TuneConfig, epochs: int) -> dict[str, Any]:
    return {"max_trials": config.max_trials}


def _bayesian(config: TuneConfig, epochs: int) -> dict[str, Any]:
    return {
        "max_trials": config.max_trials,
        "num_initial_points": config.random_trials,
    }


def _hyperband(config: TuneConfig, epochs: int) -> dict[str, Any]:
    return {"max_epochs": epochs, "factor": config.hyperband_factor or 3}


_ORACLES = keras_tuner.oracles
_KINDS = {
    "random": (_ORACLES.RandomSearchOracle, _random),
    "bayesian": (_ORACLES.BayesianOptimizationOracle, _bayesian),
    "hyperband": (_ORACLES.HyperbandOracle, _hyperband),
}
