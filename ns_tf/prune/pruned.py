"""Pruning a network that is trained already: score, solve, cut, repair, train.

`prune_trained` reads in that order, on one screen.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from ns_tf.base import Scaling
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.tuning import tuned
from ns_tf.train import training
from ns_tf.train.training import TrainResult


@dataclasses.dataclass(frozen=True, eq=False)
class Pruned:
    """What is left of a trained network, and how it came about.

    Args:
        model: An ordinary Keras model.
        scaling: Its widths, their costs and the budgets.
        scores: [n] of the channels of the whole network.
        keep: [n] bool: which of them are left.
        own: By budget: what the whole network costs, where that is known.
        accuracies: Scores of the validation images, by stage of `results.STAGES`.
        seconds: By step: "score", "solve", "cut", "tune".
        tuned: The training after the cut, the last of several; None if there was none.
        test_score: Of the test images, by `model`.
    """

    model: keras.Model
    scaling: Scaling
    scores: np.ndarray
    keep: np.ndarray
    own: Mapping[str, float]
    accuracies: Mapping[str, float]
    seconds: Mapping[str, float]
    tuned: TrainResult | None
    test_score: float


def prune_trained(pruner: Pruner, tuning: FinetuneConfig, runtime: Runtime) -> Pruned:
    """The network that is left, trained on.

    Args:
        pruner: What is pruned, to which budgets, and how.
        tuning: How it is trained afterwards.
        runtime: Seed, devices, progress.

    Raises:
        InputError: a budget that cannot be met, or a criterion that cannot read this
            network.
        RunError: a loss is not finite.
    """
    clock = Clock()
    with clock.of("score"):
        scored = pruner.scored(runtime)
        scores, pruner = scored.scores, pruner.after(scored)
    with clock.of("solve"):
        scaling = pruner.solve(scores, runtime)
        keep = pruner.chosen(scores, scaling.widths)
    with clock.of("cut"):
        small, accuracies = pruner.cut_and_repair(keep)
    found = None
    if tuning.finetune_epochs and not keep.all():
        works = pruner.tunings(scaling.widths, tuning)
        with clock.of("tune"):
            problem, _ = pruner.left(keep)
            found = tuned(
                problem,
                lambda: pruner.fresh(keep),
                works,
                small,
                runtime,
                masks=pruner.masks(keep),
            )
        small = found.model
        best = training.best_of(found.history)
        accuracies["tuned"] = best.validation_score
    return Pruned(
        pruner.problem.task.finished(small),
        scaling,
        scores,
        keep,
        pruner.budgets.own,
        accuracies,
        clock.seconds,
        found,
        found.test_score if found else pruner.accuracy(small, "test"),
    )


class Clock:
    """Seconds by step.

    >>> clock = Clock()
    >>> with clock.of("score"):
    ...     pass
    >>> list(clock.seconds)
    ['score']
    """

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def of(self, step: str) -> Iterator[None]:
        """A block whose seconds count for a step."""
        begun = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - begun
