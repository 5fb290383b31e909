"""Training one network: what widths are judged by."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import RunError
from ns_tf.data.batches import steps_per_epoch
from ns_tf.data.dataset import augmented
from ns_tf.engine import loop
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.loop import Clock, Losses
from ns_tf.engine.padding import Padded
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph import weights
from ns_tf.graph.weights import Key
from ns_tf.problem.problem import Problem
from ns_tf.run.folder import CHECKPOINT
from ns_tf.train.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One row of the history."""

    epoch: int  # From 1.
    rate: float  # Learning rate of its first step.
    train_loss: float
    validation_loss: float
    validation_score: float  # Of the task: the accuracy, in classification.
    test_score: float | None = None  # If every epoch was tested.


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """A trained network and how good it is."""

    model: keras.Model  # With the weights of the best epoch on validation images.
    history: tuple[Epoch, ...]
    best_epoch: int  # The first with the highest validation score.
    test_score: float  # Of the best epoch; test images are read once, at the end.
    test_loss: float  # Of the best epoch.
    seconds: float  # Wall time of the training, evaluation included.


def best_of(history: Sequence[Epoch]) -> Epoch:
    """The first epoch with the highest validation score."""
    return max(history, key=lambda epoch: epoch.validation_score)


def best_test_score(history: Sequence[Epoch]) -> float | None:
    """The paper's statistic: the best epoch on test images, if all were tested."""
    tested = [epoch.test_score for epoch in history]
    return None if None in tested else max(tested)


def train(
    problem: Problem,
    build: Callable[[], keras.Model],
    config: TrainConfig,
    runtime: Runtime | None = None,
    *,
    label: str = "train",
) -> TrainResult:
    """Trains the network that `build` makes.

    Args:
        problem: Its training images are learned, its validation images choose the
            epoch, its task says how good the network is.
        build: Makes the network, with the weights that it starts from.
        config: The recipe.
        runtime: Seed, devices, progress, checkpoints; the default if None.
        label: What progress calls it.

    Raises:
        RunError: the loss is not finite.
        InputError: the batch is larger than the training set.
    """
    training = Training(problem, build, config, runtime or Runtime())
    loop.run(
        training,
        training.total,
        training.runtime,
        label=label,
        checkpoint=CHECKPOINT,
    )
    return training.result()


class Training:
    """A training between any two steps (`ns_tf.engine.loop.Stepper`)."""

    def __init__(
        self,
        problem: Problem,
        build: Callable[[], keras.Model],
        config: TrainConfig,
        runtime: Runtime,
    ):
        self.task, self.config, self.runtime = problem.task, config, runtime
        self.dataset = augmented(problem.dataset, config.augmentation)
        self.epoch_steps = steps_per_epoch(self.dataset, config.batch)
        self.total = config.epochs * self.epoch_steps
        execution = runtime.execution
        keras.utils.set_random_seed(runtime.seed)
        self.model = execution.build(build)
        self.padded = Padded(self.model, execution)
        network = self.padded.model
        with execution.strategy.scope():
            self.sgd = Sgd(
                network.trainable_variables,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            )
        self.loss_scale = execution.loss_scale(network)
        loss = self.task.loss(network)
        self._step = TrainStep(
            network,
            self.sgd,
            loss,
            config.batch,
            execution,
            loss_scale=self.loss_scale,
        ).compiled()
        self.evaluate = evaluator(network, loss, self.task.count)
        self.steps = 0
        self.losses = Losses()
        self.clock = Clock()
        self.history: list[Epoch] = []
        self.best: dict[Key, np.ndarray] = {}

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.steps >= self.total

    def batches(self):
        """The batches from the next step on."""
        self.clock.start()
        return loop.batches(self.dataset, self.config.batch, self.runtime, self.steps)

    def step(self, inputs: Any, targets: Any) -> None:
        """One training step, and what ends an epoch after its last one."""
        rate = self.config.rate_at(self.steps, self.epoch_steps)
        rate = tf.constant(rate, keras.config.floatx())
        loss = self._step(inputs, targets, rate)
        self.steps += 1
        self.losses.add(self.steps, loss)
        if self.steps % self.epoch_steps == 0:
            self._end_epoch()

    def shown(self) -> dict[str, float]:
        """What progress shows."""
        shown = self.losses.shown()
        if self.history:
            shown["validation"] = self.history[-1].validation_score
        return shown

    def _end_epoch(self) -> None:
        """Validates, notes the epoch, keeps the weights if it is the best so far."""
        loss, score = self._evaluated("validation")
        epoch = self.steps // self.epoch_steps
        rate = self.config.rate_at(self.steps - self.epoch_steps, self.epoch_steps)
        train_loss = self.losses.total() / self.epoch_steps
        self.losses.start()
        best = max((e.validation_score for e in self.history), default=-math.inf)
        test_score = None
        self._check("validation", loss)
        if self.config.test_every_epoch:
            _, test_score = self._evaluated("test")
        self.history.append(Epoch(epoch, rate, train_loss, loss, score, test_score))
        if score > best:
            self.best = self.padded.values()

    def _evaluated(self, split: str) -> tuple[float, float]:
        """Mean loss and score on a split."""
        loss, counts = self.evaluate(self.dataset, split, self.config.batch)
        return loss, self.task.score_of(counts)

    def _check(self, split: str, loss: float) -> None:
        """Raises RunError if a loss is not finite though those in training were."""
        if not math.isfinite(loss):
            raise RunError(
                f"The {split} loss after epoch {self.steps // self.epoch_steps} is "
                f"{loss}; use a lower learning rate (--rate)."
            )

    def result(self) -> TrainResult:
        """The network of the best epoch, tested."""
        weights.assign(self.model, self.best)
        self.padded.assign(self.best)
        loss, score = self._evaluated("test")
        self._check("test", loss)
        return TrainResult(
            self.model,
            tuple(self.history),
            best_of(self.history).epoch,
            score,
            loss,
            self.clock.seconds,
        )

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts to go on from."""
        arrays = {
            f"slot/{i}": self.padded.own(key, slot.numpy())
            for i, (key, slot) in enumerate(self.padded.pairs(self.sgd.slots))
        }
        if self.loss_scale:
            arrays["loss_scale"] = self.loss_scale.state()
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
            "history": [dataclasses.astuple(epoch) for epoch in self.history],
        }
        return arrays, facts

    def restore(
        self, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
    ) -> None:
        """Goes on from what `state` returned."""
        for place, (owner, slot) in enumerate(self.padded.pairs(self.sgd.slots)):
            slot.assign(self.padded.padded(owner, arrays[f"slot/{place}"]))
        if self.loss_scale:
            self.loss_scale.restore(arrays["loss_scale"])
        kinds = weights.by_kind(arrays)
        self.padded.assign(kinds["now"])
        weights.assign_draws(self.padded.model, kinds.get("draw", {}))
        self.best = kinds.get("best", {})
        self.steps = facts["steps"]
        self.losses.start(facts["loss"])
        self.clock = Clock(facts.get("seconds", 0.0))  # Older trainings have none.
        # Older trainings have a dictionary an epoch.
        rows = [r.values() if isinstance(r, dict) else r for r in facts["history"]]
        self.history = [Epoch(*row) for row in rows]
