"""Settings of a tuning: the flags of `python -m ns_tf.tune`."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.engine.config import LARGEST_COUNT
from ns_tf.run.checks import at_least, at_least_if_set
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """What is tuned, and by which tuner.

    Raises:
        InputError: a value out of range, or settings that do not go together. Whether
            search and space make sense is checked by `ns_tf.tune.work.Tuning`.
    """

    search: str | None = option(
        None,
        "The search along whose law networks are scaled: its run folder, or a flagfile "
        "to search by first. With --tune=search: the flagfile of the search that is "
        "tuned.",
    )
    tune: str = option(
        "network",
        "network: budget and recipe of trainings; search: the pruning's own numbers, "
        "judged by the network that is found for the budget.",
        choices=("network", "search"),
    )
    space: tuple[str, ...] = option(
        (),
        "Hyperparameters, as NAME=LOW..HIGH, NAME=A|B|C or NAME=VALUE. Of a network: "
        "ratio and all budgets, round_to, and the recipe's flags; empty for "
        "ratio=0.25..1,round_to=1|8,rate=0.01..0.3,weight_decay=1e-5..1e-3,"
        "momentum=0.5..0.95,augmentation=none|flip|crop|both. Of a search: the "
        "pruning's flags; empty for pretrain_epochs=0..10,filters_per_event=5..40,"
        "steps_per_event=10..100.",
    )
    tuner: str = option(
        "random",
        "keras-tuner's random search, Hyperband (many short trainings, the best ones "
        "again and longer, up to --epochs) or Bayesian optimization.",
        choices=("random", "hyperband", "bayesian"),
    )
    max_trials: int = option(
        20, "Trials in all; Hyperband's follow from --epochs.", identity=False
    )
    random_trials: int | None = option(
        None, "Those that bayesian begins with; three a hyperparameter if empty."
    )
    hyperband_factor: int | None = option(
        None, "Hyperband keeps one of so many, trained so much longer; 3 if empty."
    )
    max_search_steps: int | None = option(
        None,
        "Training steps that a tuned search takes at most; as many as the flagfile's "
        "own settings take if empty.",
    )
    workers: int = option(
        1,
        "Processes on this machine that work at the same time.",
        identity=False,
        most=LARGEST_COUNT,
    )

    def __post_init__(self):
        at_least(self, 1, "max_trials", "workers")
        at_least_if_set(self, 2, "hyperband_factor")
        if self.hyperband_factor is not None and self.tuner != "hyperband":
            raise InputError("--hyperband_factor goes with --tuner=hyperband.")
        at_least_if_set(self, 1, "random_trials", "max_search_steps")
        if self.random_trials is not None and self.tuner != "bayesian":
            raise InputError("--random_trials goes with --tuner=bayesian.")
        if self.tune == "network" and self.max_search_steps is not None:
            raise InputError("--max_search_steps goes with --tune=search.")
