"""Classification: one class an example."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import (
    MAX_CLASSES,
    are_classes,
    distributions,
    one_hot,
    with_targets,
)
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.networks.deployed import softmax_of
from ns_tf.problem.score import ACCURACY
from ns_tf.problem.tasks import Task, task


@task("classification", help="One class an example; the score is the accuracy.")
class Classification(Task):
    """Targets are class numbers [batch]; outputs [batch, classes] logits or softmax.

    Targets may be probabilities of the classes [batch, classes], too.
    """

    score = ACCURACY

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with class numbers [n], of one-hot targets and columns as well.

        Args:
            dataset: Probabilities stay as they are.
            outputs: (classes,), if it is known. Where classes have no names of their
                own there may be more of them than examples show, as `fit` takes it.

        Raises:
            InputError: labels are numbered from 1.
        """
        parts = [getattr(dataset, name).labels for name in SPLITS]
        if all(map(one_hot, parts)):
            parts = [part.argmax(axis=-1).astype(np.int32) for part in parts]
            return with_targets(dataset, parts)
        single = parts[0].ndim == 1 or parts[0].shape[1:] == (1,)
        if not single or not all((part == np.rint(part)).all() for part in parts):
            return dataset
        largest = max(int(part.max(initial=0)) for part in parts)
        size = outputs[0] if outputs is not None and len(outputs) == 1 else 0
        least = min(int(part.min(initial=largest)) for part in parts)
        if largest == size > 1 and least > 0:
            raise InputError(
                f"{dataset.name}: labels are {least} to {size}, of {size} outputs; "
                f"number the classes from 0 to {size - 1}, as labels - 1."
            )
        known = are_classes(parts[0]) or largest >= MAX_CLASSES
        classes = max(dataset.classes, 0 if known else largest + 1)
        if dataset.class_names == _numbers(0, dataset.classes):
            classes = max(classes, size)
        if known and classes == dataset.classes:
            return dataset
        names = dataset.class_names + _numbers(len(dataset.class_names), classes)
        parts = [part.reshape(-1).astype(np.int32) for part in parts]
        made = with_targets(dataset, parts, classes)
        return dataclasses.replace(made, class_names=names)

    def check(self, dataset: Dataset) -> None:
        """Refuses labels that are not class numbers of the data set.

        Args:
            dataset: All of its splits are checked.

        Raises:
            InputError: labels are neither whole numbers [n] from 0 to classes - 1 nor
                probabilities [n, classes].
        """
        for name in SPLITS:
            labels = np.asarray(getattr(dataset, name).labels)
            if labels.ndim == 2 and distributions(labels):
                continue
            if labels.ndim != 1 or labels.dtype.kind not in "iu":
                raise InputError(
                    f"{dataset.name} {name}: classification needs one class number an "
                    "example, whole numbers from 0, or a probability of each class; "
                    f"got labels {labels.dtype} {list(labels.shape)}."
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < dataset.classes:
                raise InputError(
                    f"{dataset.name} {name}: labels are 0 to {dataset.classes - 1}; "
                    f"got {labels.min()} to {labels.max()}. Give the right `classes`."
                )

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Cross-entropy -ln p_t of the right class t.

        Args:
            model: If it ends in a softmax, its outputs are probabilities, else logits.

        Returns:
            (labels [batch] or [batch, classes], outputs [batch, classes]) -> losses
            [batch], computed in Keras's floatx.
        """
        from_logits = not ends_in_softmax(functional(model))

        def loss(labels, outputs):
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            if len(labels.shape) == 2:
                return keras.losses.categorical_crossentropy(
                    labels, outputs, from_logits=from_logits
                )
            return keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=from_logits
            )

        return loss

    def count(self, targets: Any, answers: Any) -> Any:
        """int32 [2]: examples whose class has the highest output, and all examples.

        Args:
            targets: [batch], or [batch, classes], whose class is the likeliest.
            answers: [batch, classes], probabilities or logits.
        """
        best = keras.ops.argmax(answers, axis=-1)
        if len(targets.shape) == 2:
            targets = keras.ops.argmax(targets, axis=-1)
        hits = keras.ops.equal(keras.ops.cast(best, targets.dtype), targets)
        hits = keras.ops.cast(hits, "int32")
        return keras.ops.stack(
            [keras.ops.sum(hits), keras.ops.sum(keras.ops.ones_like(hits))]
        )

    def score_of(self, counts: np.ndarray) -> float:
        """The accuracy, 0 to 1.

        >>> Classification().score_of(np.array([937, 1000]))
        0.937

        Args:
            counts: [2]: examples that are right, all examples.
        """
        return int(counts[0]) / int(counts[1])

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """A softmax, so that files answer probabilities; None if the model has one.

        Args:
            model: As it was trained.
        """
        return softmax_of(model)

    def agreement(
        self, answers: np.ndarray, expected: np.ndarray, slack: float
    ) -> float:
        """Share of the decisions for the same class.

        Args:
            answers: [n, ..., classes] of a file.
            expected: [n, ..., classes] of the Keras model. Where it finds two classes
                equally likely to within `slack`, either is right.
            slack: Difference of a probability that is rounding.
        """
        best, right = answers.argmax(-1)[..., None], expected.argmax(-1)[..., None]
        values = [np.take_along_axis(expected, chosen, -1) for chosen in (best, right)]
        close = np.abs(values[0] - values[1]) <= slack
        return float(((best == right) | (close if slack else False)).mean())

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """Probabilities [batch, classes], class [batch] int32, class_name [batch].

        Args:
            outputs: Probabilities [batch, classes].
            class_names: [classes].
        """
        import tensorflow as tf  # Only exports need it.

        best = tf.argmax(outputs, -1, tf.int32)
        return {
            "probabilities": outputs,
            "class": best,
            "class_name": tf.gather(tf.constant(tuple(class_names)), best),
        }


def _numbers(first: int, end: int) -> tuple[str, ...]:
    """The numbers of classes, which are their names where they have no others."""
    return tuple(str(place) for place in range(first, end))
