"""Classification: one class an image."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.networks.deployed import softmax_of
from ns_tf.problem.tasks import Score, Task, task


@task("classification", help="One class an image; the score is the accuracy.")
class Classification(Task):
    """Targets are class numbers `[batch]`, outputs logits or probabilities."""

    score = Score("accuracy", unit="%", scale=100.0)

    def check(self, dataset: Dataset) -> None:
        """Passes labels that are class numbers of the data set.

        Raises:
            InputError: a label is no class of the data set.
        """
        for name in ("train", "validation", "test"):
            labels = np.asarray(getattr(dataset, name).labels)
            if labels.ndim != 1 or labels.dtype.kind not in "iu":
                raise InputError(
                    f"{dataset.name} {name}: classification needs one class number an "
                    f"image; got labels {labels.dtype} {list(labels.shape)}."
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < dataset.classes:
                raise InputError(
                    f"{dataset.name} {name}: labels are 0 to {dataset.classes - 1}; "
                    f"got {labels.min()} to {labels.max()}. Give the right `classes`."
                )

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Cross-entropy `[batch]` of labels `[batch]` and outputs `[batch, classes]`.

        The outputs are logits, or probabilities if they come from a softmax.
        """
        from_logits = not ends_in_softmax(functional(model))

        def loss(labels, outputs):
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            return keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=from_logits
            )

        return loss

    def count(self, targets: Any, outputs: Any) -> Any:
        """int32 [2]: images whose class is the most likely one, and all images."""
        best = keras.ops.argmax(outputs, axis=-1)
        hits = keras.ops.equal(keras.ops.cast(best, targets.dtype), targets)
        hits = keras.ops.cast(hits, "int32")
        return keras.ops.stack(
            [keras.ops.sum(hits), keras.ops.sum(keras.ops.ones_like(hits))]
        )

    def score_of(self, counts: np.ndarray) -> float:
        """The accuracy, 0 to 1.

        >>> Classification().score_of(np.array([937, 1000]))
        0.937
        """
        return int(counts[0]) / int(counts[1])

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """A softmax, so that files answer probabilities; None if the model has one."""
        return softmax_of(model)

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """Probabilities, the most likely class, its name."""
        import tensorflow as tf  # Late: a response is a TensorFlow graph's.

        best = tf.argmax(outputs, -1, tf.int32)
        return {
            "probabilities": outputs,
            "class": best,
            "class_name": tf.gather(tf.constant(tuple(class_names)), best),
        }
