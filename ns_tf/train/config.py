"""Settings of a training."""

import dataclasses
import math
from typing import Any

from ns_tf.base import InputError
from ns_tf.run.checks import above_zero, at_least, within
from ns_tf.run.option import option


def augmentation() -> Any:
    """The option of every training that says how its images are varied."""
    return option(
        "own",
        "How training images are varied: as the data set does (own), not at all, "
        "mirrored, moved within a border, or both.",
        choices=("own", "none", "flip", "crop", "both"),
    )


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A recipe for training; the defaults are the paper's for CIFAR.

    Raises:
        InputError: a number is out of range; names the flag.
    """

    epochs: int = option(300, "Epochs.")
    batch: int = option(128, "Images a training step.")
    rate: float = option(0.1, "Learning rate at the start.")
    schedule: str = option(
        "step",
        "step divides the rate at --rate_drops, cosine lets it fall to 0, constant "
        "leaves it.",
        choices=("step", "cosine", "constant"),
    )
    rate_drops: tuple[int, ...] = option(
        (100, 200, 250), "Epochs after which the rate is divided."
    )
    rate_divisor: float = option(10.0, "What it is divided by.")
    warmup_epochs: int = option(0, "Epochs over which the rate first rises from 0.")
    momentum: float = option(0.5, "Momentum of SGD.")
    weight_decay: float = option(5e-4, "Weight decay of SGD.")
    augmentation: str = augmentation()
    test_every_epoch: bool = option(
        False,
        "Also test after every epoch, for the paper's statistic (the best of them); it "
        "chooses nothing.",
    )

    def __post_init__(self):
        at_least(self, 1, "epochs", "batch", "rate_divisor")
        at_least(self, 0, "warmup_epochs", "weight_decay", "momentum")
        above_zero(self, "rate")
        within(self, 0, 1, "momentum")
        if any(drop <= 0 for drop in self.rate_drops):  # Within an epoch: gates.
            raise InputError(f"--rate_drops are epochs from 1; got {self.rate_drops}.")

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a training step.

        With r = `rate`, after a linear rise over w = `warmup_epochs` epochs:

        - step: r / `rate_divisor` to the number of `rate_drops` that are passed.
        - cosine: r (1 + cos(pi t)) / 2, with t the share of the later steps done.
        - constant: r.

        >>> [TrainConfig().rate_at(7 * epoch, 7) for epoch in (0, 99, 100, 200, 250)]
        [0.1, 0.1, 0.01, 0.001, 0.0001]
        >>> cosine = TrainConfig(epochs=5, schedule="cosine", warmup_epochs=1)
        >>> [round(cosine.rate_at(step, 2), 4) for step in range(10)]
        [0.05, 0.1, 0.1, 0.0962, 0.0854, 0.0691, 0.05, 0.0309, 0.0146, 0.0038]

        Args:
            step: Counted from 0.
            steps_per_epoch: Full batches in the training split.
        """
        warmup = self.warmup_epochs * steps_per_epoch
        if step < warmup:
            return self.rate * (step + 1) / warmup
        if self.schedule == "step":
            drops = sum(d * steps_per_epoch <= step for d in self.rate_drops)
            return self.rate / self.rate_divisor**drops
        if self.schedule == "cosine":
            done = (step - warmup) / max(1, self.epochs * steps_per_epoch - warmup)
            return self.rate * (1 + math.cos(math.pi * done)) / 2
        return self.rate


def longer(recipe: TrainConfig, times: float) -> TrainConfig:
    """A recipe of more epochs, its schedule stretched.

    >>> long = longer(TrainConfig(epochs=10, rate_drops=(5, 8), warmup_epochs=1), 2.5)
    >>> long.epochs, long.rate_drops, long.warmup_epochs
    (25, (12, 20), 2)

    Args:
        recipe: Of the usual length.
        times: Factor on the epochs.
    """
    return dataclasses.replace(
        recipe,
        epochs=max(1, round(times * recipe.epochs)),
        rate_drops=tuple(max(1, round(times * drop)) for drop in recipe.rate_drops),
        warmup_epochs=round(times * recipe.warmup_epochs),
    )
