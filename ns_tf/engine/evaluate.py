"""Mean loss and counts of a network on a split of a data set.

The counts are what the task's score is made of (`Task.count`, `Task.score_of`). Sums of
whole numbers depend on no batch size and no order; sums of floats do so by rounding.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import Dataset
from ns_tf.engine.workers import ALONE, Workers

_KEPT = "_ns_tf_evaluator"  # The attribute of a network; hidden from Keras.
# (data set, split, batch size) -> (mean loss, counts).
Evaluator = Callable[[Dataset, str, int], tuple[float, np.ndarray]]


def evaluator(
    model: keras.Model, loss: Callable, count: Callable, workers: Workers = ALONE
) -> Evaluator:
    """A function that evaluates the model on a split, compiled once.

    The function reads the model's present weights whenever it is called. Images are
    normalised but not augmented, and batch norms use their moving statistics.

    Args:
        model: The network.
        loss: (targets, outputs) -> losses [batch].
        count: (targets, outputs) -> what the score is made of, summed over the batch:
            numbers of any shape (`Task.counter`).
        workers: Share the batches; all of them evaluate at the same time.

    Returns:
        (data set, split, batch size) -> (mean loss over the examples of the split,
        counts int64, or float64, summed over the split).
    """

    @tf.function(autograph=False)
    def sums(inputs, targets):
        """Sum of the losses and counts of one batch."""
        outputs = model(inputs, training=False)
        return tf.reduce_sum(loss(targets, outputs)), count(targets, outputs)

    def evaluate(dataset: Dataset, split: str, batch_size: int):
        """Mean loss and counts of the whole split."""
        number = -(-len(getattr(dataset, split)) // batch_size)
        # With fewer batches than workers every worker evaluates all of them.
        some = workers if number >= workers.count else ALONE
        stream = eval_batches(dataset, split, batch_size, (some.index, some.count))
        # Traced for batches of any size: the last one may be smaller.
        compiled = sums.get_concrete_function(*stream.element_spec)
        losses, counts = np.zeros(number), 0
        for place, (inputs, targets) in enumerate(stream):
            loss_sum, batch_counts = compiled(inputs, targets)
            losses[some.index + place * some.count] = loss_sum
            counts = counts + _wide(np.asarray(batch_counts))
        # In the order of the batches, whoever evaluated them.
        total = sum(some.total(losses).tolist())
        counts = some.total(counts).astype(counts.dtype)
        return total / len(getattr(dataset, split)), counts

    return evaluate


def kept_evaluator(model: keras.Model, task: Any) -> Evaluator:
    """The evaluator of a network by a task's loss and counts, compiled once for both.

    The network keeps that of the last task, as Keras keeps what `predict` compiled: a
    network that is pruned to several budgets is evaluated before each of them.

    Args:
        model: The network.
        task: A `ns_tf.problem.tasks.Task`.
    """
    kept = vars(model).get(_KEPT)
    if kept is None or kept[0] is not task:
        kept = task, evaluator(model, task.loss(model), task.counter(model))
        vars(model)[_KEPT] = kept
    return kept[1]


def _wide(counts: np.ndarray) -> np.ndarray:
    """Counts of a batch in the widest type of their kind."""
    return counts.astype(np.float64 if counts.dtype.kind == "f" else np.int64)
