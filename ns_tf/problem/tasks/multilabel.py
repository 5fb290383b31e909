"""Multi-label classification: any number of classes an example."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import with_targets
from ns_tf.problem.score import Score
from ns_tf.problem.tasks import task
from ns_tf.problem.tasks.binary import Binary


@task("multilabel", help="Any number of classes an example; the score is the F1.")
class MultiLabel(Binary):
    """Targets are 0 or 1 [batch, classes]; outputs logits or sigmoid [batch, classes].

    The score is the F1 of all decisions of all classes (micro F1): where most labels
    are 0, an accuracy is high for a network that says no to everything.
    """

    score = Score("f1", unit="%", scale=100.0)

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with targets float32 [n, classes].

        Args:
            dataset: Its targets are [n, classes].
            outputs: (classes,), if it is known.

        Raises:
            InputError: another shape.
        """
        parts = [getattr(dataset, name).labels for name in SPLITS]
        shape = parts[0].shape[1:]
        if len(shape) != 1 or outputs not in (None, shape):
            raise InputError(
                f"{dataset.name}: a multi-label task needs targets [n, classes], as "
                f"many as outputs; got {list(parts[0].shape)}"
                + (f" and outputs {list(outputs)}." if outputs else ".")
            )
        return with_targets(dataset, [p.astype(np.float32) for p in parts], shape[0])

    def count(self, targets: Any, answers: Any) -> Any:
        """int32 [3]: labels that were found, said wrongly, and missed.

        Args:
            targets: [batch, classes].
            answers: [batch, classes] probabilities; 1/2 and more is yes.
        """
        real = keras.ops.cast(targets >= 0.5, "int32")
        said = keras.ops.cast(answers >= 0.5, "int32")
        parts = real * said, (1 - real) * said, real * (1 - said)
        return keras.ops.stack([keras.ops.sum(part) for part in parts])

    def score_of(self, counts: np.ndarray) -> float:
        """F1 = 2 found / (2 found + said wrongly + missed), 0 to 1.

        >>> MultiLabel().score_of(np.array([3, 1, 1]))
        0.75

        Args:
            counts: [3], as of `count`. Where there is no label at all, F1 is 1.
        """
        found, wrong, missed = (int(count) for count in counts)
        return 2 * found / (2 * found + wrong + missed) if any(counts) else 1.0

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """Probabilities and labels int32, both [batch, classes]; class_names [classes].

        Args:
            outputs: Probabilities [batch, classes].
            class_names: [classes].
        """
        import tensorflow as tf  # Only exports need it.

        return {
            "probabilities": outputs,
            "labels": tf.cast(outputs >= 0.5, tf.int32),
            "class_names": tf.constant(tuple(class_names)),
        }
