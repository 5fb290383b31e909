"""Binary classification: one output, yes or no."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import with_targets
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_sigmoid
from ns_tf.networks.deployed import sigmoid_of
from ns_tf.problem.score import ACCURACY
from ns_tf.problem.tasks import Task, task


@task("binary", help="Yes or no, by one output; the score is the accuracy.")
class Binary(Task):
    """Targets are 0 or 1, or between, [batch, 1]; outputs logits or sigmoid [batch, 1].

    A class of tasks whose outputs are decided one by one: `multilabel` is another.
    """

    score = ACCURACY
    one_holds = False

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with targets float32 [n, 1].

        Args:
            dataset: Its targets are [n] or [n, 1].
            outputs: (1,), if it is known.

        Raises:
            InputError: another shape.
        """
        parts = [getattr(dataset, name).labels for name in SPLITS]
        size = int(np.prod(parts[0].shape[1:], dtype=int))
        if size != 1 or outputs not in (None, (1,)):
            raise InputError(
                f"{dataset.name}: a binary task needs one target an example and one "
                f"output; got targets {list(parts[0].shape[1:])}"
                + (f" and outputs {list(outputs)}." if outputs else ".")
            )
        parts = [part.reshape(-1, 1).astype(np.float32) for part in parts]
        names = dataset.class_names
        made = with_targets(dataset, parts, 1)
        return _named(made, names if len(names) == 2 else ("0", "1"))

    def check(self, dataset: Dataset) -> None:
        """Refuses targets that are not from 0 to 1.

        Args:
            dataset: All of its splits are checked.

        Raises:
            InputError: says which split, and what it has.
        """
        for name in SPLITS:
            targets = getattr(dataset, name).labels
            if targets.size and not 0 <= targets.min() <= targets.max() <= 1:
                raise InputError(
                    f"{dataset.name} {name}: targets of the task {self.name} are 0 or "
                    f"1; got {targets.min():g} to {targets.max():g}. Give another "
                    "--task, or mend the targets."
                )

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Cross-entropy -y ln p - (1 - y) ln (1 - p), the mean over the outputs.

        Args:
            model: If its outputs are from 0 to 1, they are probabilities, else logits.

        Returns:
            (targets [batch, outputs], outputs [batch, outputs]) -> losses [batch],
            computed in Keras's floatx.
        """
        from_logits = not ends_in_sigmoid(functional(model))

        def loss(targets, outputs):
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            return keras.losses.binary_crossentropy(
                targets, outputs, from_logits=from_logits
            )

        return loss

    def count(self, targets: Any, answers: Any) -> Any:
        """int32 [2]: right decisions, and all decisions.

        Args:
            targets: [batch, 1].
            answers: [batch, 1] probabilities; 1/2 and more is yes.
        """
        right = keras.ops.equal(targets >= 0.5, answers >= 0.5)
        right = keras.ops.cast(right, "int32")
        return keras.ops.stack(
            [keras.ops.sum(right), keras.ops.sum(keras.ops.ones_like(right))]
        )

    def counter(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """`count` for logits, where the model gives them.

        Args:
            model: As of `loss`.
        """
        if ends_in_sigmoid(functional(model)):
            return self.count
        return lambda targets, outputs: self.count(
            targets, keras.ops.sigmoid(keras.ops.cast(outputs, keras.config.floatx()))
        )

    def score_of(self, counts: np.ndarray) -> float:
        """The accuracy, 0 to 1.

        Args:
            counts: [2]: right decisions, all decisions.
        """
        return int(counts[0]) / int(counts[1])

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """A sigmoid, so that files answer probabilities; None if the model has one.

        Args:
            model: As it was trained.
        """
        return sigmoid_of(model)

    def agreement(
        self, answers: np.ndarray, expected: np.ndarray, slack: float
    ) -> float:
        """Share of the decisions that are the same.

        Args:
            answers: Probabilities [n, outputs] of a file.
            expected: Of the Keras model; within `slack` of 1/2, either is right.
            slack: Difference of a probability that is rounding.
        """
        same = (answers >= 0.5) == (expected >= 0.5)
        close = np.abs(expected - 0.5) <= slack
        return float((same | (close if slack else False)).mean())

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """Probabilities [batch, 1], class [batch] int32, class_name [batch].

        Args:
            outputs: Probabilities [batch, 1].
            class_names: [2]: of no and of yes.
        """
        import tensorflow as tf  # Only exports need it.

        yes = tf.cast(outputs[:, 0] >= 0.5, tf.int32)
        return {
            "probabilities": outputs,
            "class": yes,
            "class_name": tf.gather(tf.constant(tuple(class_names)), yes),
        }


def _named(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The data set with other class names."""
    return dataclasses.replace(dataset, class_names=tuple(names))
