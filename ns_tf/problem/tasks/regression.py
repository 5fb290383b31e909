"""Regression: numbers, or whole maps of them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.labels import with_targets
from ns_tf.problem.places import counted, mask_of
from ns_tf.problem.score import Score
from ns_tf.problem.tasks import Task, task


@task("regression", help="Numbers; the loss is the squared error, the score is R².")
class Regression(Task):
    """Targets and outputs are numbers of one shape [batch, ..., k].

    The score is R² = 1 - sum (y - f)² / sum (y - mean y)², the mean over the k columns
    (`sklearn.metrics.r2_score`): it needs no unit, and 0 is what the mean of the
    targets would score. Axes between the first and the last count as examples.
    """

    score = Score("r2", unit="", scale=1.0, digits=4)
    answers = "prediction"
    one_holds = False

    def prepared(self, dataset: Dataset, outputs: tuple[int, ...] | None) -> Dataset:
        """The data set with targets float32 of the shape of the outputs.

        Args:
            dataset: Targets [n] become [n, 1]; an axis of length 1 may be missing.
            outputs: Shape of the network's outputs, if it is known.

        Raises:
            InputError: targets of another shape.
        """
        parts = [getattr(dataset, name).labels for name in SPLITS]
        shape = parts[0].shape[1:] or (1,)
        if outputs is not None and outputs in (shape, (*shape, 1)):
            shape = outputs
        elif outputs is not None:
            raise InputError(
                f"{dataset.name}: targets of a regression have the shape of the "
                f"network's outputs, {list(outputs)}; got {list(shape)}."
            )
        parts = [part.reshape(-1, *shape).astype(np.float32) for part in parts]
        return with_targets(dataset, parts, shape[-1])

    def check(self, dataset: Dataset) -> None:
        """Passes any numbers.

        Args:
            dataset: Its targets are finite, as `from_arrays` checks.
        """

    def loss(self, model: keras.Model) -> Callable[[Any, Any], Any]:
        """Squared error (y - f)², the mean over all entries of an example.

        Args:
            model: Not used.

        Returns:
            (targets [batch, ...], outputs [batch, ...]) -> losses [batch], computed in
            Keras's floatx. Places that layers mask (`mask_zero`) do not count.
        """

        def loss(targets, outputs):
            mask = mask_of(outputs)
            outputs = keras.ops.cast(outputs, keras.config.floatx())
            squares = (keras.ops.cast(targets, outputs.dtype) - outputs) ** 2
            axes = tuple(range(1, len(outputs.shape)))
            if mask is None:
                return keras.ops.mean(squares, axis=axes)
            places = counted(squares, mask)
            number = keras.ops.maximum(keras.ops.sum(places, axis=axes), 1)
            return keras.ops.sum(squares * places, axis=axes) / number

        return loss

    def count(self, targets: Any, answers: Any) -> Any:
        """float64 [4, k]: entries, and sums of y, y² and (y - f)², by column.

        Args:
            targets: [batch, ..., k].
            answers: [batch, ..., k].
        """
        y, f = (keras.ops.cast(x, "float64") for x in (targets, answers))
        places = counted(y, mask_of(answers))
        parts = places, places * y, places * y**2, places * (y - f) ** 2
        axes = tuple(range(len(targets.shape) - 1))
        return keras.ops.stack([keras.ops.sum(part, axis=axes) for part in parts])

    def score_of(self, counts: np.ndarray) -> float:
        """R², at most 1; a column of one value has 1 if it is met exactly, else 0.

        >>> Regression().score_of(np.array([[2.0], [4.0], [10.0], [0.5]]))
        0.75

        Args:
            counts: [4, k], as of `count`.
        """
        number, total, squares, errors = np.asarray(counts, float)
        spread = squares - total**2 / number
        # Of a constant, the difference of two equal sums is rounding.
        constant = spread <= 1e-12 * squares
        share = errors / np.where(constant, 1.0, spread)
        return float(np.where(constant, errors == 0, 1 - share).mean())

    def answer(self, model: keras.Model) -> keras.Layer | None:
        """None: outputs are the answer.

        Args:
            model: Not used.
        """
        return None

    def response(self, outputs: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """The prediction [batch, ...].

        Args:
            outputs: [batch, ...].
            class_names: Not used.
        """
        return {"prediction": outputs}
