"""Training one network from scratch: what found widths are judged by."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import RunError
from ns_tf.data.batches import steps_per_epoch, train_batches
from ns_tf.data.dataset import Dataset, augmented
from ns_tf.engine.execution import Execution
from ns_tf.engine.loop import Clock, Losses
from ns_tf.engine.padding import Padded
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph import weights
from ns_tf.graph.weights import Key
from ns_tf.problem.tasks.classification import evaluator
from ns_tf.run.progress import Quiet
from ns_tf.train.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One row of the history."""

    epoch: int  # From 1.
    rate: float  # Learning rate of its first step.
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    test_accuracy: float | None = None  # If every epoch was tested.


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """A trained network and how good it is."""

    model: keras.Model  # With the weights of the best epoch on validation images.
    history: tuple[Epoch, ...]
    best_epoch: int  # The first with the highest validation accuracy.
    test_accuracy: float  # Of the best epoch; test images are read this once,
    test_loss: float
    seconds: float  # Wall time of the training, evaluation included.


def best_of(history: Sequence[Epoch]) -> Epoch:
    """The first epoch with the highest validation accuracy."""
    return max(history, key=lambda epoch: epoch.validation_accuracy)


def best_test_accuracy(history: Sequence[Epoch]) -> float | None:
    """The paper's statistic, the best epoch on test images, if all were tested."""
    tested = [epoch.test_accuracy for epoch in history]
    return None if None in tested else max(tested)


def train(
    build: Callable[[], keras.Model],
    dataset: Dataset,
    config: TrainConfig,
    *,
    seed: int = 0,
    execution: Execution | None = None,
    progress: type = Quiet,
    checkpoint: Any = None,
    label: str = "train",
) -> TrainResult:
    """Trains the network that `build` makes.

    Args:
        build: Makes the network, with fresh weights.
        dataset: Trained on its train split; validation images choose the epoch.
        config: The recipe.
        seed: Of the weights, the order of the images and the augmentation.
        execution: Devices and precision; one device and float32 if None.
        progress: Shows how far it has come (`ns_tf.progress`).
        checkpoint: Where to continue from and save to (`ns_tf.runs.Checkpoint`).
        label: What `progress` calls it.

    Raises:
        RunError: the loss is not finite.
        InputError: the batch is larger than the training set.
    """
    dataset = augmented(dataset, config.augmentation)
    run = _Training(build, dataset, config, seed, execution)
    if checkpoint:
        checkpoint.restore(run.restore)
    run.clock.start()
    with progress(run.total, label=label, unit="steps", initial=run.steps) as bar:
        for images, labels in run.batches():
            if run.steps >= run.total:
                break
            run.step(images, labels)
            bar.update(1, **run.told())
            if checkpoint and checkpoint.due():
                checkpoint.save(*run.state())
    return run.result()


class _Training:
    """A training run, between any two steps."""

    def __init__(self, build, dataset, config, seed, execution):
        self.dataset, self.config, self.seed = dataset, config, seed
        self.epoch_steps = steps_per_epoch(dataset, config.batch)
        self.total = config.epochs * self.epoch_steps
        self.execution = execution or Execution()
        keras.utils.set_random_seed(seed)
        self.model = self.execution.build(build)
        self.trained = Padded(self.model, self.execution)
        network = self.trained.model
        with self.execution.strategy.scope():
            self.sgd = Sgd(
                network.trainable_variables,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            )
        self.loss_scale = self.execution.loss_scale(network)
        self._step = TrainStep(
            network,
            self.sgd,
            config.batch,
            self.execution,
            loss_scale=self.loss_scale,
        ).compiled()
        self.evaluate = evaluator(network)
        self.steps = 0
        self.losses = Losses()
        self.clock = Clock()
        self.history: list[Epoch] = []
        self.best: dict[Key, np.ndarray] = {}

    def batches(self):
        """The batches from the next step on."""
        return self.execution.deal_out(
            train_batches(
                self.dataset, self.config.batch, seed=self.seed, first_step=self.steps
            )
        )

    def step(self, images, labels) -> None:
        """One training step, and what ends an epoch after its last one."""
        rate = self.config.rate_at(self.steps, self.epoch_steps)
        floatx = keras.config.floatx()
        loss = self._step(images, labels, tf.constant(rate, floatx))
        self.steps += 1
        self.losses.add(self.steps, loss)
        if self.steps % self.epoch_steps == 0:
            self._end_epoch()

    def told(self) -> dict[str, float]:
        """What the progress shows."""
        told = self.losses.told
        if self.history:
            told["validation"] = self.history[-1].validation_accuracy
        return told

    def _end_epoch(self) -> None:
        loss, accuracy = self.evaluate(self.dataset, "validation", self.config.batch)
        epoch = self.steps // self.epoch_steps
        rate = self.config.rate_at(self.steps - self.epoch_steps, self.epoch_steps)
        train_loss = self.losses.total() / self.epoch_steps
        self.losses.start()
        best = max((e.validation_accuracy for e in self.history), default=-1.0)
        tested = None
        self._check("validation", loss)
        if self.config.test_every_epoch:
            _, tested = self.evaluate(self.dataset, "test", self.config.batch)
        self.history.append(Epoch(epoch, rate, train_loss, loss, accuracy, tested))
        if accuracy > best:
            self.best = self.trained.values()

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
        self.trained.assign(self.best)
        loss, accuracy = self.evaluate(self.dataset, "test", self.config.batch)
        self._check("test", loss)
        best = best_of(self.history)
        return TrainResult(
            self.model,
            tuple(self.history),
            best.epoch,
            accuracy,
            loss,
            self.clock.seconds,
        )

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and facts to go on from."""
        arrays = {
            f"slot/{i}": self.trained.own(key, slot.numpy())
            for i, (key, slot) in enumerate(self.trained.pairs(self.sgd.slots))
        }
        if self.loss_scale:
            arrays["loss_scale"] = self.loss_scale.state()
        for kind, values in (
            ("now", self.trained.values()),
            ("best", self.best),
            ("draw", weights.draws(self.trained.model)),
        ):
            arrays |= {f"{kind}/{a}/{b}": value for (a, b), value in values.items()}
        facts = {
            "steps": self.steps,
            "loss": self.losses.total(),
            "seconds": self.clock.seconds,
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
        }
        return arrays, facts

    def restore(self, arrays: Mapping[str, np.ndarray], facts: Mapping) -> None:
        """Continues from what `state` returned."""
        kinds: dict[str, dict] = {"now": {}, "best": {}, "draw": {}}
        slots = self.trained.pairs(self.sgd.slots)
        arrays = dict(arrays)
        if self.loss_scale:
            self.loss_scale.restore(arrays.pop("loss_scale"))
        for name, value in arrays.items():
            kind, *key = name.split("/")
            if kind == "slot":
                owner, slot = slots[int(key[0])]
                slot.assign(self.trained.padded(owner, value))
            else:
                kinds[kind][tuple(key)] = value
        self.trained.assign(kinds["now"])
        weights.assign_draws(self.trained.model, kinds["draw"])
        self.best = kinds["best"]
        self.steps = facts["steps"]
        self.losses.start(facts["loss"])
        self.clock = Clock(facts.get("seconds", 0.0))  # Older trainings have none.
        self.history = [Epoch(**epoch) for epoch in facts["history"]]
