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
    """Targets are class numbers [batch]; outputs [batch, classes] logits or softmax."""

    score = Score("accuracy", unit="%", scale=100.0)

    def check(self, dataset: Dataset) -> None:
        """Refuses labels that are not class numbers of the data set.

        Args:
            dataset: All of its splits are checked.

        Raises:
            InputError: labels are not whole numbers [images] from 0 to classes - 1.
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
        """Cross-entropy -ln p_t of the right class t.

        Args:
            model: If it ends in a softmax, its outputs are probabilities, else logits.

        Returns:
            (labels [batch], outputs [batch, classes]) -> losses [batch], computed in
            Keras's floatx.
        """
        from_logits = not ends_in_softmax(functional(model))

        def loss(labels, outputs):
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            return keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=from_logits
            )

        return loss

    def count(self, targets: Any, outputs: Any) -> Any:
        """int32 [2]: images whose label has the highest output, and all images.

        Args:
            targets: [batch].
            outputs: [batch, classes].
        """
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

        Args:
            counts: [2]: images that are right, all images.
        """
        return int(counts[0]) / int(counts[1])

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """A softmax, so that files answer probabilities; None if the model has one.

        Args:
            model: As it was trained.
        """
        return softmax_of(model)

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
