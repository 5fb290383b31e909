"""Segmentation: a class for every pixel, or every step or voxel."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import with_targets
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax
from ns_tf.networks.deployed import sigmoid_of, softmax_of
from ns_tf.problem.places import mask_of
from ns_tf.problem.score import Score
from ns_tf.problem.tasks import Task, task
from ns_tf.problem.tasks.classification import Classification

IGNORED = -1  # In prepared targets; crops bring it in at the border of an image.


@task(
    "segmentation",
    help="A class for every pixel; the score is the mean IoU. ignore=255 is no class.",
)
class Segmentation(Task):
    """Targets are class numbers [batch, ...]; outputs [batch, ..., classes].

    Outputs of one channel tell foreground (1) from background (0).

    The score is the mean over the classes that occur of
    IoU = right / (real + said - right), each counted over all pixels of a split
    (Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective",
    IJCV 2015).

    Args:
        ignore: Pixels of this number count nowhere, and neither do negative numbers.
    """

    score = Score("mean_iou", unit="%", scale=100.0)

    def __init__(self, ignore: int = 255):
        self.ignore = ignore

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with targets int32 [n, ...], -1 where they are ignored.

        Args:
            dataset: Its targets are [n, ...] or [n, ..., 1], as images of masks are.
            outputs: (..., classes), if it is known.

        Raises:
            InputError: targets of another shape or type.
        """
        parts = [getattr(dataset, name).labels for name in SPLITS]
        shape = parts[0].shape[1:]
        pixels = outputs[:-1] if outputs else shape[: 2 if len(shape) == 3 else None]
        whole = all((part == np.rint(part)).all() for part in parts)
        if not pixels or shape not in (pixels, (*pixels, 1)) or not whole:
            wanted = list(pixels) or "[height, width]"
            raise InputError(
                f"{dataset.name}: segmentation needs one class number at each place of "
                f"the outputs, {wanted}; got targets {parts[0].dtype} {list(shape)}."
            )
        parts = [part.reshape(-1, *pixels).astype(np.int32) for part in parts]
        parts = [
            np.where((part == self.ignore) | (part < 0), np.int32(IGNORED), part)
            for part in parts
        ]
        classes = outputs[-1] if outputs else 1 + max(int(p.max()) for p in parts)
        return with_targets(dataset, parts, max(classes, 1))

    def check(self, dataset: Dataset) -> None:
        """Refuses classes that the network has no output for.

        Args:
            dataset: All of its splits are checked.

        Raises:
            InputError: says which split, and what it has.
        """
        most = max(dataset.classes, 2) - 1
        for name in SPLITS:
            largest = int(getattr(dataset, name).labels.max())
            if largest > most:
                raise InputError(
                    f"{dataset.name} {name}: classes of pixels are 0 to {most}; got "
                    f"{largest}. If that is no class, leave it out by "
                    f"--task='segmentation(ignore={largest})'."
                )

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Cross-entropy, the mean over the pixels of an example that count.

        Args:
            model: Its last layers say whether outputs are logits or probabilities.

        Returns:
            (classes [batch, ...], outputs [batch, ..., classes]) -> losses [batch],
            computed in Keras's floatx. 0 where no pixel counts. Places that layers
            mask (`mask_zero`) do not count.
        """
        one = model.outputs[0].shape[-1] == 1
        ends = ends_in_sigmoid if one else ends_in_softmax
        from_logits = not ends(functional(model))
        cross_entropy = (
            keras.losses.binary_crossentropy
            if one
            else keras.losses.sparse_categorical_crossentropy
        )

        def loss(targets, outputs):
            targets = _unmasked(targets, outputs)
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            counted = keras.ops.cast(targets >= 0, outputs.dtype)
            classes = keras.ops.maximum(targets, 0)
            if one:
                classes = keras.ops.cast(classes[..., None], outputs.dtype)
            losses = cross_entropy(classes, outputs, from_logits=from_logits) * counted
            axes = tuple(range(1, len(losses.shape)))
            pixels = keras.ops.maximum(keras.ops.sum(counted, axis=axes), 1)
            return keras.ops.sum(losses, axis=axes) / pixels

        return loss

    def count(self, targets: Any, answers: Any) -> Any:
        """int32 [3, classes]: pixels that are right, real, and said, by class.

        Args:
            targets: [batch, ...].
            answers: [batch, ..., classes] probabilities or logits; of one channel
                probabilities of the foreground.
        """
        if answers.shape[-1] == 1:
            classes, said = 2, keras.ops.cast(answers[..., 0] >= 0.5, "int32")
        else:
            classes = answers.shape[-1]
            said = keras.ops.cast(keras.ops.argmax(answers, axis=-1), "int32")
        counted = targets >= 0
        # One number for each pair (real, said); pixels that are ignored come last.
        pairs = keras.ops.where(counted, targets * classes + said, classes**2)
        table = keras.ops.bincount(
            keras.ops.reshape(pairs, (-1,)), minlength=classes**2 + 1
        )
        table = keras.ops.reshape(table[: classes**2], (classes, classes))
        table = keras.ops.cast(table, "int32")
        return keras.ops.stack(
            [
                keras.ops.diagonal(table),
                keras.ops.sum(table, axis=1),
                keras.ops.sum(table, axis=0),
            ]
        )

    def counter(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """`count` of the places that no layer masks, of logits or probabilities.

        Args:
            model: As of `loss`.
        """
        logits = model.outputs[0].shape[-1] == 1
        logits = logits and not ends_in_sigmoid(functional(model))

        def count(targets, outputs):
            targets = _unmasked(targets, outputs)
            if logits:
                outputs = keras.ops.cast(outputs, keras.config.floatx())
                outputs = keras.ops.sigmoid(outputs)
            return self.count(targets, outputs)

        return count

    def score_of(self, counts: np.ndarray) -> float:
        """The mean IoU over classes that occur, 0 to 1.

        >>> Segmentation().score_of(np.array([[3, 0, 0], [4, 1, 0], [3, 2, 0]]))
        0.375

        Args:
            counts: [3, classes], as of `count`.
        """
        right, real, said = np.asarray(counts, float)
        union = real + said - right
        occurs = union > 0
        return float((right[occurs] / union[occurs]).mean()) if occurs.any() else 0.0

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """A softmax or, of one channel, a sigmoid; None if the model has it.

        Args:
            model: As it was trained.
        """
        if model.outputs[0].shape[-1] > 1:
            return softmax_of(model)
        return sigmoid_of(model)

    def agreement(
        self, answers: np.ndarray, expected: np.ndarray, slack: float
    ) -> float:
        """Share of the pixels of the same class.

        Args:
            answers: Probabilities [n, ..., classes] of a file.
            expected: Of the Keras model.
            slack: Difference of a probability that is rounding.
        """
        if expected.shape[-1] == 1:
            answers, expected = (
                np.concatenate([1 - p, p], axis=-1) for p in (answers, expected)
            )
        return Classification.agreement(self, answers, expected, slack)

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """Probabilities [batch, ..., classes], class [batch, ...] int32.

        Args:
            outputs: Probabilities.
            class_names: Not used.
        """
        import tensorflow as tf  # Only exports need it.

        if outputs.shape[-1] == 1:
            best = tf.cast(outputs[..., 0] >= 0.5, tf.int32)
        else:
            best = tf.argmax(outputs, -1, tf.int32)
        return {"probabilities": outputs, "class": best}


def _unmasked(targets: Any, outputs: Any) -> Any:
    """The targets, ignored where layers mask the outputs."""
    mask = mask_of(outputs)
    return targets if mask is None else keras.ops.where(mask, targets, IGNORED)
