"""What a training learns, and from which images: the task's loss, or a recipe's."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from ns_tf.data.dataset import augmented
from ns_tf.data.variants import expanded
from ns_tf.engine import loop
from ns_tf.engine.precision import LossScale
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.problem.problem import Problem
from ns_tf.train.config import TrainConfig
from ns_tf.train.label_table import LabelTable
from ns_tf.train.recipes import Objective

_TABLE = "label_table"  # Name of the table in checkpoints.


class Lesson:
    """The images, the loss and the teacher of a training.

    Args:
        problem: Data and task.
        config: Batch, and how images are varied.
        objective: What is minimised in place of the task's loss; None for that loss.
        runtime: Its seed draws batches, and the images that are made of others.

    Raises:
        InputError: the images that a recipe makes of others do not fit into memory.
    """

    def __init__(
        self,
        problem: Problem,
        config: TrainConfig,
        objective: Objective | None,
        runtime: Runtime,
    ):
        self.task, self.objective = problem.task, objective
        self.batch, self.runtime = config.batch, runtime
        self.dataset = augmented(problem.dataset, config.augmentation)
        self.mixup = objective.recipe.mixup if objective else 0.0
        self.table = None
        if objective and objective.recipe.table_rate is not None:
            self.dataset = expanded(self.dataset, runtime.seed)
            self.table = LabelTable(objective, self.dataset, runtime.execution)

    def batches(self, first_step: int) -> Iterable[tuple]:
        """Endless training batches from a step on, as the step takes them."""
        return loop.batches(
            self.dataset,
            self.batch,
            self.runtime,
            first_step,
            mixup=self.mixup,
            numbered=self.table is not None,
        )

    def step(
        self, network: keras.Model, sgd: Sgd, loss_scale: LossScale | None
    ) -> TrainStep:
        """The training step of a network.

        Args:
            network: Trained in place.
            sgd: Of its trainable variables.
            loss_scale: For float16.
        """
        objective, table = self.objective, self.table
        if objective is None:
            loss, teacher = self.task.loss(network), None
        elif table is None:
            loss, teacher = objective.loss(network), objective.teacher
        else:
            loss, teacher = table.loss(objective.loss(network)), None
        return TrainStep(
            network,
            sgd,
            loss,
            self.batch,
            self.runtime.execution,
            probe=table,
            watch=table.watch if table else (),
            loss_scale=loss_scale,
            teacher=teacher,
        )

    def state(self) -> dict[str, np.ndarray]:
        """What was learned beside the network's weights."""
        return {_TABLE: np.array(self.table.logits)} if self.table else {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Sets what `state` returned.

        Args:
            arrays: By name; others may be among them.
        """
        if self.table:
            self.table.logits.assign(arrays[_TABLE])
