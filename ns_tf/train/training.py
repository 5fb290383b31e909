"""Training one network: SGD by a recipe, and the epoch that validates best.

Test images are read once, at the end, by the network of the best epoch.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.data.batches import steps_per_epoch
from ns_tf.engine import loop
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.loop import Clock, Losses
from ns_tf.engine.padding import Padded
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.graph import weights
from ns_tf.graph.weights import Key
from ns_tf.networks.layers.base import starts_in
from ns_tf.problem.problem import Problem
from ns_tf.run.folder import CHECKPOINT
from ns_tf.train.config import TrainConfig
from ns_tf.train.lesson import Lesson
from ns_tf.train.recipes import Objective
from ns_tf.train.results import as_json, check_numbers, from_json


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One row of the history.

    Args:
        epoch: Counted from 1.
        rate: Learning rate of its first step.
        train_loss: Mean over its steps, before their updates, of augmented images.
        validation_loss: Mean over the validation images, after its last step.
        validation_score: The task's score there; the accuracy, in classification.
        test_score: Of the test images; None unless every epoch is tested.
    """

    epoch: int
    rate: float
    train_loss: float
    validation_loss: float
    validation_score: float
    test_score: float | None = None


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """A trained network and how good it is.

    Args:
        model: With the weights of the best epoch.
        history: One row for each epoch.
        best_epoch: The first epoch of the highest validation score.
        test_score: On the test images, of `model`.
        test_loss: On the test images, of `model`.
        seconds: Wall time of the training with its evaluations, over all processes.
    """

    model: keras.Model
    history: tuple[Epoch, ...]
    best_epoch: int
    test_score: float
    test_loss: float
    seconds: float


def best_of(history: Sequence[Epoch]) -> Epoch:
    """The first epoch of the highest validation score.

    >>> scores = {1: 0.5, 2: 0.7, 3: 0.7}
    >>> best_of([Epoch(n, 0.1, 1.0, 1.0, score) for n, score in scores.items()]).epoch
    2

    Args:
        history: At least one epoch.
    """
    return max(history, key=lambda epoch: epoch.validation_score)


def best_test_score(history: Sequence[Epoch]) -> float | None:
    """The highest test score of all epochs, the paper's statistic.

    It chooses by test images, so it is reported and decides nothing.

    Args:
        history: The epochs.

    Returns:
        The score; None unless every epoch was tested.
    """
    tested = [epoch.test_score for epoch in history]
    return None if None in tested else max(tested)


def train(
    problem: Problem,
    build: Callable[[], keras.Model],
    config: TrainConfig,
    runtime: Runtime | None = None,
    *,
    label: str = "train",
    objective: Objective | None = None,
    masks: Mapping[Key, np.ndarray] | None = None,
) -> TrainResult:
    """Trains the network that `build` makes.

    Args:
        problem: Its training images are learned, its validation images choose the
            epoch, its task scores the network.
        build: Makes the network, with the weights that training starts from. Called
            after the seed was set.
        config: The recipe.
        runtime: Seed, devices, progress, checkpoints; the default if None.
        label: Name of the work in progress.
        objective: What is minimised in place of the task's loss.
        masks: By weight: its entries that move, bool; all, of other weights.

    Returns:
        The network with the weights of the best epoch, its history and test score.

    Raises:
        RunError: a loss is not finite, or a validation score NaN.
        InputError: the batch is larger than the training set.
        Interrupted: a signal asked to stop; the state was saved.
    """
    training = Training(problem, build, config, runtime or Runtime(), objective, masks)
    loop.run(
        training,
        training.total,
        training.runtime,
        label=label,
        checkpoint=CHECKPOINT,
    )
    return training.result()


class Training:
    """The state of a training between two steps (`ns_tf.engine.loop.Stepper`).

    Args:
        problem: Data and task.
        build: Makes the network that training starts from.
        config: The recipe.
        runtime: Its seed draws weights and batches.
        objective: What is minimised in place of the task's loss.
        masks: By weight: its entries that move, bool; all, of other weights.

    Raises:
        InputError: the batch is larger than the training set, or the images that a
            recipe makes of others do not fit into memory.
    """

    def __init__(
        self,
        problem: Problem,
        build: Callable[[], keras.Model],
        config: TrainConfig,
        runtime: Runtime,
        objective: Objective | None = None,
        masks: Mapping[Key, np.ndarray] | None = None,
    ):
        self.task, self.config, self.runtime = problem.task, config, runtime
        self.masks = masks or {}
        self.lesson = Lesson(problem, config, objective, runtime)
        self.dataset = self.lesson.dataset
        self.epoch_steps = steps_per_epoch(self.dataset, config.batch)
        self.total = config.epochs * self.epoch_steps
        keras.utils.set_random_seed(runtime.seed)
        self.model = runtime.execution.build(build)
        self._prepare()
        self.steps = 0
        self.losses = Losses()
        self.clock = Clock()
        self.history: list[Epoch] = []
        self.best: dict[Key, np.ndarray] = {}

    def _prepare(self) -> None:
        """Makes what trains and evaluates `self.model`."""
        execution = self.runtime.execution
        self.padded = Padded(self.model, execution)
        network = self.padded.model
        own = {k: self.padded.padded(k, mask) for k, mask in self.masks.items()}
        masks = [own.get(key) for key in weights.trainable_keys(network)]
        self.sgd = self._sgd(network.trainable_variables, masks)
        self.loss_scale = execution.loss_scale(network)
        step = self.lesson.step(network, self.sgd, self.loss_scale)
        self._step = step.compiled()
        loss, count = self.task.loss(network), self.task.counter(network)
        self.evaluate = evaluator(network, loss, count, execution.workers)

    def _sgd(self, variables: Sequence, masks: Sequence = ()) -> Sgd:
        """The optimizer of a network's variables, by the recipe."""
        with self.runtime.execution.strategy.scope():
            return Sgd(
                variables,
                momentum=self.config.momentum,
                weight_decay=self.config.weight_decay,
                undecayed=starts_in(variables),
                masks=masks,
            )

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps >= self.total

    def batches(self) -> Iterable[tuple]:
        """Endless training batches from the next step on; starts the clock."""
        self.clock.start()
        return self.lesson.batches(self.steps)

    def step(self, inputs: Any, targets: Any) -> None:
        """One training step; validates after the last step of an epoch.

        Args:
            inputs: [batch, height, width, channels].
            targets: [batch]; as the recipe's loss takes them.

        Raises:
            RunError: a loss is not finite, or a score NaN.
        """
        rate = self.config.rate_at(self.steps, self.epoch_steps)
        rate = tf.constant(rate, keras.config.floatx())
        loss = self._step(inputs, targets, rate)
        self.steps += 1
        self.losses.add(self.steps, loss)
        if self.steps % self.epoch_steps == 0:
            self._end_epoch()

    def shown(self) -> dict[str, float]:
        """For progress: the last training loss and validation score."""
        values = self.losses.shown()
        if self.history:
            values["validation"] = self.history[-1].validation_score
        return values

    def _end_epoch(self) -> None:
        """Adds a row to the history; keeps the weights if it is the best so far."""
        loss, score = self._evaluated("validation")
        epoch = self.steps // self.epoch_steps
        rate = self.config.rate_at(self.steps - self.epoch_steps, self.epoch_steps)
        train_loss = self.losses.total() / self.epoch_steps
        self.losses.start()
        best = max((e.validation_score for e in self.history), default=-math.inf)
        test_score = None
        self._check("validation", loss, score)
        if self.config.test_every_epoch:
            _, test_score = self._evaluated("test")
            self._check("test", 0.0, test_score)  # Its loss decides nothing.
        self.history.append(Epoch(epoch, rate, train_loss, loss, score, test_score))
        if score > best or not self.best:  # The first may be minus infinity.
            self.best = self.padded.values()

    def _evaluated(self, split: str) -> tuple[float, float]:
        """Mean loss and score on a split."""
        loss, counts = self.evaluate(self.dataset, split, self.config.batch)
        return loss, self.task.score_of(counts)

    def _check(self, split: str, loss: float, score: float) -> None:
        """Raises RunError if the loss of a split is not finite, or its score NaN."""
        epoch = self.steps // self.epoch_steps
        check_numbers(f"{split} {{}} after epoch {epoch}", loss, score, self.task.score)

    def take_best(self) -> None:
        """Sets the weights of the best epoch."""
        weights.assign(self.model, self.best)
        self.padded.assign(self.best)

    def result(self) -> TrainResult:
        """The network of the best epoch, tested: it is there whatever the test says."""
        self.take_best()
        loss, score = self._evaluated("test")
        return TrainResult(
            self.task.finished(self.model),
            tuple(self.history),
            best_of(self.history).epoch,
            score,
            loss,
            self.clock.seconds,
        )

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts that `restore` continues from.

        Weights and momenta have the network's own shapes, so a training may be
        continued where other widths are fast.

        Raises:
            RunError: a loss is not finite; such a state is not saved.
        """
        arrays = {
            f"slot/{i}": self.padded.own(key, slot.numpy())
            for i, (key, slot) in enumerate(self.padded.pairs(self.sgd.slots))
        }
        if self.loss_scale:
            arrays["loss_scale"] = self.loss_scale.state()
        arrays |= self.lesson.state()
        for kind, values in (
            ("now", self.padded.values()),
            ("best", self.best),
            ("draw", weights.draws(self.padded.model)),
        ):
            arrays |= weights.named(kind, values)
        facts = {
            "steps": self.steps,
            "loss": self.losses.total(),
            "seconds": self.clock.seconds,
            "history": [as_json(dataclasses.astuple(one)) for one in self.history],
        }
        return arrays, facts

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Sets what `state` returned.

        Args:
            arrays: Momenta, weights now and of the best epoch, by name.
            facts: Steps, seconds, the sum of losses and the history so far.
        """
        for place, (owner, slot) in enumerate(self.padded.pairs(self.sgd.slots)):
            slot.assign(self.padded.padded(owner, arrays[f"slot/{place}"]))
        if self.loss_scale:
            self.loss_scale.restore(arrays["loss_scale"])
        self.lesson.restore(arrays)
        kinds = weights.by_kind(arrays)
        self.padded.assign(kinds["now"])
        weights.assign_draws(self.padded.model, kinds.get("draw", {}))
        self.best = kinds.get("best", {})
        self.steps = facts["steps"]
        self.losses.start(facts["loss"])
        self.clock = Clock(facts.get("seconds", 0.0))  # Not in older files.
        # Older files have a dictionary for each epoch.
        rows = [r.values() if isinstance(r, dict) else r for r in facts["history"]]
        self.history = [Epoch(*from_json(row)) for row in rows]
