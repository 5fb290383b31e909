"""A task whose examples have weights, as `fit(sample_weight=)` gives them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.data.dataset import Dataset
from ns_tf.problem.tasks import Task


class Weighted(Task):
    """A task of examples with weights: losses are multiplied, counts are as ever.

    Targets are pairs (targets [batch, ...], weights [batch]), as
    `ns_tf.data.batches` has them of a data set with weights. Where outputs have weights
    of their own, these are a tuple.

    Args:
        task: What the targets alone mean.
    """

    def __init__(self, task: Task):
        self.task = task
        self.name, self.help = task.name, task.help
        self.score, self.answers = task.score, task.answers
        self.one_holds = task.one_holds

    @property
    def told(self) -> str:
        """The task, and that its examples have weights."""
        return f"{self.task.told} with weights"

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """As of the task; weights stay with their examples.

        Args:
            dataset: With targets as they were given.
            outputs: Shape of the network's outputs for an example, if it is known.
        """
        return self.task.prepared(dataset, outputs)

    def finished(self, model: keras.Model) -> keras.Model:
        """As of the task.

        Args:
            model: Trained.
        """
        return self.task.finished(model)

    def check(self, dataset: Dataset) -> None:
        """As of the task.

        Args:
            dataset: All of its splits are checked.
        """
        self.task.check(dataset)

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Losses times weights.

        Args:
            model: The network.

        Returns:
            ((targets, weights), outputs) -> losses [batch]. As in Keras, their mean
            divides by the number of examples, not by the sum of the weights.
        """
        loss = self.task.weighted_loss(model)
        return lambda targets, outputs: loss(targets[0], outputs, targets[1])

    def count(self, targets: Any, answers: Any) -> Any:
        """As of the task: every example counts once.

        Args:
            targets: (targets [batch, ...], weights [batch]).
            answers: [batch, ...].
        """
        return self.task.count(targets[0], answers)

    def counter(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """As of the task.

        Args:
            model: The network.
        """
        count = self.task.counter(model)
        return lambda targets, outputs: count(targets[0], outputs)

    def score_of(self, counts: np.ndarray) -> float:
        """As of the task.

        Args:
            counts: Summed over a split.
        """
        return self.task.score_of(counts)

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """As of the task.

        Args:
            model: As it was trained.
        """
        return self.task.answer(model)

    def agreement(
        self, answers: np.ndarray, expected: np.ndarray, slack: float
    ) -> float:
        """As of the task.

        Args:
            answers: [n, ...] of a file.
            expected: [n, ...] of the Keras model.
            slack: Difference that is rounding.
        """
        return self.task.agreement(answers, expected, slack)

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """As of the task.

        Args:
            outputs: [batch, ...].
            class_names: Of the data set.
        """
        return self.task.response(outputs, class_names)
