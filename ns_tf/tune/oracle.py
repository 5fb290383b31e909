"""keras-tuner's oracles, with a state that survives a kill at any time.

An oracle draws the values of trials, deals them out to whoever asks, and takes their
outcomes. Here its whole state is one file, which is replaced at once.
"""

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

BRACKET = "tuner/bracket"  # In the values of Hyperband, which repeats some on purpose.
OBJECTIVE = "default_objective"  # keras-tuner's name for the number a trial returns.
_RUNNING, _STOPPED = "RUNNING", "STOPPED"


class Kept:
    """Mixed into an oracle: its state is one file, which is replaced at once.

    keras-tuner's own files are many, are written in place, and lack the state of random
    generators. Trials that were running when all processes were killed are dealt out
    first, whoever asks.

    Attributes:
        path: The file; None keeps nothing.
        adjust: Changes drawn values before they are dealt out.
        finished: Whether no trial is left to begin.
    """

    path: Path | None = None
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(dict)
    finished = False

    @property
    def left(self) -> bool:
        """Whether a trial is still to be begun or to be ended."""
        return not self.finished or bool(self.ongoing_trials or self._retry_queue)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values, which depend on the trials so far alone.

        Args:
            trial_id: Of the next trial.

        Returns:
            "status", and "values" by name while the status is RUNNING.
        """
        if hasattr(self, "_random_state"):  # Bayesian; keras-tuner does not save it.
            self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        with warnings.catch_warnings():
            # Fits of a Gaussian process to few trials warn.
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
        """These values, or random ones if they were tried before.

        Args:
            values: Drawn and adjusted.

        Returns:
            Values that were never tried; None if none are found.
        """
        for _ in range(self._max_collisions):
            if not self._duplicate(values):
                return values
            drawn = self._random_values()
            if drawn is None:
                return None
            values = self.adjust(drawn)
        return None

    def create_trial(self, tuner_id: str) -> kt_trial.Trial:
        """The next trial; its status is STOPPED if none is left.

        Args:
            tuner_id: Who asks: a worker that asks again gets the trial that it has.
        """
        trial = super().create_trial(tuner_id)
        if trial.status == _STOPPED and not self.finished:
            self.finished = True
            self.save()
        return trial

    def end_trial(self, trial: kt_trial.Trial, *arguments: Any, **options: Any) -> None:
        """Ends a trial, and saves that it has ended.

        keras-tuner's own save comes while the trial still counts as running.

        Args:
            trial: With its outcome.
            *arguments: As keras-tuner passes them.
            **options: The same.
        """
        super().end_trial(trial, *arguments, **options)
        self.save()

    def save(self) -> None:
        """Writes the state to the file, if there is to be one."""
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

    def _save_trial(self, trial: kt_trial.Trial) -> None:
        """Does nothing: keras-tuner's files of single trials are not needed."""

    def restore(self) -> None:
        """Goes on from the file, if there is one.

        With another number of trials than before, trials can be begun again. Those that
        were running wait to be dealt out.

        Raises:
            InputError: the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return
        with files.readable(self.path, "list of trials"):
            state = files.read_json(self.path, what="list of trials", version=1)
            trials = [kt_trial.Trial.from_state(one) for one in state["trials"]]
            self.trials = {trial.trial_id: trial for trial in trials}
            self.set_state(state["oracle"])
            more = state["max_trials"] != self.max_trials
            self.finished = state["finished"] and not more
        running = [t.trial_id for t in self.ongoing_trials.values()]
        running = [name for name in running if name not in self.end_order]
        self.ongoing_trials = {}
        self.tuner_ids = set()
        waiting = dict.fromkeys([*self._retry_queue, *sorted(running, reverse=True)])
        self._retry_queue = list(waiting)  # Dealt out from its end.


def make(
    config: TuneConfig,
    space: keras_tuner.HyperParameters,
    epochs: int,
    seed: int,
    *,
    path: Path | None = None,
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> keras_tuner.Oracle:
    """The oracle that the settings name, in the state that its file has.

    Args:
        config: Which tuner, how many trials.
        space: All hyperparameters.
        epochs: Of the longest training; Hyperband's shorter ones have fewer.
        seed: Of the draws.
        path: Its file; None keeps nothing.
        adjust: Changes drawn values before they are dealt out.

    Raises:
        InputError: the file is damaged.
    """
    kind, options = _KINDS[config.tuner]
    oracle = type(kind.__name__, (Kept, kind), {})(
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        hyperparameters=space,
        tune_new_entries=False,
        allow_new_entries=False,
        seed=(seed + 1) % 2**32 or 1,  # keras-tuner takes 0 for no seed.
        **options(config, epochs),
    )
    oracle.path, oracle.adjust, oracle.verbose = path, adjust, 0
    oracle.restore()
    return oracle


def count(oracle: keras_tuner.Oracle) -> int:
    """How many trials an oracle deals out; it is asked for all of them.

    All trials get the same outcome. It decides nothing here: the number of trials
    depends on the settings and the size of the space.

    Args:
        oracle: One without a file, which is of no use afterwards.
    """
    with contextlib.suppress(RuntimeError):
        while (trial := oracle.create_trial("counts")).status == _RUNNING:
            oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.0})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
    return len(oracle.trials)


def objective(score: float) -> float:
    """What a tuner minimises: 1 - score, and between 1 and 2 for scores below 0.

    >>> objective(0.75), objective(0.0), objective(-1.0)
    (0.25, 1.0, 1.5)

    Args:
        score: Of which more is better; below 0 as R² and negative errors may be.
    """
    return 1 - score if score >= 0 else 1 - score / (1 - score)


def _random(config: TuneConfig, epochs: int) -> dict[str, Any]:
    """Options of keras-tuner's random search."""
    return {"max_trials": config.max_trials}


def _bayesian(config: TuneConfig, epochs: int) -> dict[str, Any]:
    """Options of its Bayesian optimization."""
    return {
        "max_trials": config.max_trials,
        "num_initial_points": config.random_trials,
    }


def _hyperband(config: TuneConfig, epochs: int) -> dict[str, Any]:
    """Options of its Hyperband (Li et al., 2018)."""
    return {"max_epochs": epochs, "factor": config.hyperband_factor or 3}


_ORACLES = keras_tuner.oracles
_KINDS = {
    "random": (_ORACLES.RandomSearchOracle, _random),
    "bayesian": (_ORACLES.BayesianOptimizationOracle, _bayesian),
    "hyperband": (_ORACLES.HyperbandOracle, _hyperband),
}
