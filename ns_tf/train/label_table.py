"""A row of logits for each training image, which moves while a network learns from it.

Label refinery, as CURL has it (Luo & Wu, CVPR 2020).
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import Dataset
from ns_tf.engine.execution import Execution
from ns_tf.train.recipes import Objective

_BATCH = 256  # Images a step of the teacher's answers.


class LabelTable:
    """Logits [images, classes], at first the teacher's.

    A step moves the table as it moves the network: by the gradient of the batch's mean
    loss, table -= rate · dL/dtable. It is a probe of `ns_tf.engine.step.TrainStep`.

    Args:
        objective: Its teacher fills the table, its recipe has the rate.
        dataset: A row for each of its training images.
        execution: Says on which devices the table is.
    """

    def __init__(self, objective: Objective, dataset: Dataset, execution: Execution):
        self.rate = objective.recipe.table_rate
        answers = _answers(objective, dataset)
        with execution.strategy.scope():
            self.logits = keras.Variable(answers, trainable=False, name="label_table")

    @property
    def watch(self) -> tuple[keras.Variable]:
        """The variable beside the trainable ones whose gradient is read."""
        return (self.logits,)

    def loss(self, loss: Callable) -> Callable:
        """((labels, numbers of images), outputs) -> losses [batch].

        Args:
            loss: (labels, outputs, rows of the table) -> losses [batch].
        """

        def of_rows(targets, outputs):
            labels, numbers = targets
            return loss(labels, outputs, tf.gather(self.logits.value, numbers))

        return of_rows

    def __call__(self, own: list, others: list) -> list:
        """Moves the table; returns the gradients of the network as they are.

        Args:
            own: Gradients of the trainable variables.
            others: The gradient of the table, alone.
        """
        (gradient,) = others  # Of rows alone; dense after the scale of float16.
        gradient = tf.convert_to_tensor(gradient)
        self.logits.value.assign_sub(self.rate * gradient)
        return own


def _answers(objective: Objective, dataset: Dataset) -> tf.Tensor:
    """[images, classes]: the teacher's logits of the training images, not varied."""
    teacher, logits = objective.teacher, objective.taught()

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(images):
        return logits(teacher(images, training=False))

    batches = eval_batches(dataset, "train", _BATCH)
    return tf.concat([answer(images) for images, _ in batches], axis=0)
