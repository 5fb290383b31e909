"""What the formulas of gatings say of themselves, kind by kind.

Members are in `ns_tf.prune.gatings`, a file each. As `--help` reads them, this module
imports neither Keras nor TensorFlow.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

_BLOCK = 8192  # Gates whose arrays fit into a processor's cache together.


def blocks(count: int) -> Iterator[slice]:
    """The places 0 to `count` in blocks, one of which a formula computes at a time.

    Of single weights there are so many that each operation of a formula on all of them
    goes through memory; a step took 1.6 times as long.

    >>> list(blocks(10_000))
    [slice(0, 8192, None), slice(8192, 10000, None)]
    """
    return (slice(i, min(i + _BLOCK, count)) for i in range(0, count, _BLOCK))


class Gates:
    """What the formulas of all kinds say of themselves.

    Attributes:
        priced: Whether channels of different layers have different prices.
        held_out: Share of the training images from which gates learn, and weights do
            not; 0 if both learn from all.
        first: The strength that "auto" begins with, in units of what the budgets need.
    """

    priced = True
    held_out = 0.0
    first = 1.0


class NormGates(Gates):
    """Gates that are the gammas of batch norms.

    Attributes:
        threshold: A channel is alive while |gamma| of one of its norms is above it.
    """

    threshold = 0.01

    def pull(self, gamma: Any, price: Any) -> Any:
        """What is added to dL/dgamma, times the strength, [channels] of one norm.

        Args:
            gamma: [channels], a tensor.
            price: [channels]: what a channel costs, 1 in the mean.
        """
        raise NotImplementedError

    def alive(self, gamma: np.ndarray) -> np.ndarray:
        """[n] bool: the channels that the gating would keep.

        Args:
            gamma: [n]: |gamma|, of several norms of a channel the largest.
        """
        return gamma > self.threshold


class KernelGates(Gates):
    """Gates that are the kernels of filters.

    Attributes:
        threshold: A channel is alive while the size of one of its filters is above it.
    """

    threshold = 0.01

    def size(self, kernel: Any) -> Any:
        """How large filters are, [filters]; it doubles where a filter doubles.

        Args:
            kernel: [entries, filters], an array or a tensor.
        """
        raise NotImplementedError

    def pull(self, kernel: Any, price: Any) -> Any:
        """What is added to dL/dkernel, times the strength, [entries, filters].

        Args:
            kernel: [entries, filters], a tensor.
            price: [filters]: what a channel costs, 1 in the mean.
        """
        raise NotImplementedError

    def alive(self, size: np.ndarray) -> np.ndarray:
        """[n] bool: the channels that the gating would keep.

        Args:
            size: [n]: of several filters of a channel the largest.
        """
        return size > self.threshold


@dataclasses.dataclass(frozen=True, eq=False)
class Now:
    """What a step of gates in a bank reads, all [n].

    Args:
        gradient: dL/dgate, at the gates of the forward pass.
        pull: Strength times price.
        rate: Of each gate.
        draw: Uniform in (0, 1), of this step; empty unless `BankGates.drawn`.
        progress: Share of the steps that are done, 0 to 1.
    """

    gradient: np.ndarray
    pull: np.ndarray
    rate: np.ndarray
    draw: np.ndarray
    progress: float


class BankGates(Gates):
    """Gates beside the weights, one a unit (`Level`), each with a raw value.

    Attributes:
        start: Raw value of every gate at the beginning.
        pinned: Whether a factor that the gates of a layer have in common is taken out
            after every step. It costs the loss nothing and would shrink for ever.
        momentum: Of `step`, by which the rates of gates are chosen.
        taught: Whether the outputs that the network had are learned, and no labels.
        adversary: Where they do: whether a discriminator also tells the two apart.
        drawn: Whether `value` or `step` read random draws. If not, none are made.
    """

    start = 1.0
    pinned = False
    momentum = 0.0
    taught = False
    adversary = False
    drawn = True

    def pace(self, steps: int) -> float:
        """Share of the rate of plain gradient steps at which gates move as fast.

        Args:
            steps: Of the training.
        """
        del steps
        return 1 - self.momentum

    def value(self, raw: np.ndarray, draw: np.ndarray, progress: float) -> np.ndarray:
        """Gates of the forward pass, [n]; derivatives are taken at them.

        Args:
            raw: [n].
            draw: [n] uniform in (0, 1).
            progress: Share of the steps that are done, 0 to 1.
        """
        del draw, progress
        return raw

    def final(self, raw: np.ndarray) -> np.ndarray:
        """Gates of the network that has learned, [n]: those of inference."""
        return raw

    def slot(self, curvature: np.ndarray, batch: int) -> np.ndarray:
        """What `step` carries from step to step, at the beginning.

        Args:
            curvature: [n]: mean over examples of (dL_i/dg)^2.
            batch: Examples of a step.
        """
        del batch
        return np.zeros_like(curvature)

    def against_noise(self, squares: np.ndarray, steps: float) -> np.ndarray:
        """[n]: pulls that close gates of weights in some steps, by mean squares [n]."""
        raise NotImplementedError

    def step(
        self, raw: np.ndarray, slot: np.ndarray, now: Now
    ) -> tuple[np.ndarray, np.ndarray]:
        """(raw [n], slot) after one update.

        Args:
            raw: [n].
            slot: As `slot` made it, or the last step left it.
            now: Gradient, pull, rate.
        """
        raise NotImplementedError

    def rescaled(
        self, slot: np.ndarray, channels: np.ndarray, factor: float
    ) -> np.ndarray:
        """The slot after raw values were divided by a factor, where they are pinned.

        Args:
            slot: As the last step left it; not changed.
            channels: Numbers of those that were divided.
            factor: Above 0.
        """
        del channels, factor
        return slot

    def score(self, raw: np.ndarray) -> np.ndarray:
        """[n]: the higher, the longer a channel is kept."""
        return raw

    def alive(self, raw: np.ndarray) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        return raw > 0

    def left(self, raw: np.ndarray) -> np.ndarray:
        """[n], 0 to 1: what the pull has left of the raw values that gates begin with.

        >>> BankGates().left(np.array([1.1, 0.25, -0.5])).tolist()
        [1.0, 0.25, 0.0]
        """
        return np.clip(raw / self.start, 0.0, 1.0)


class GeneratedGates(Gates):
    """Gates from 0 to 1 that a generator a layer makes of what the layer computes.

    Weights and generators are trained together. The mean of a layer's gates is drawn to
    the share of its channels that the allocation keeps, so prices are not read.
    """

    priced = False

    def sharpness(self, progress: float) -> float:
        """How sharply gates tell channels apart.

        Args:
            progress: Share of the steps that are done, 0 to 1.
        """
        raise NotImplementedError

    def sharpened(self, codes: list[np.ndarray], progress: float) -> float:
        """What a step adds to the sharpness of the steps that follow.

        Args:
            codes: By layer: its gates now.
            progress: Share of the steps that are done.
        """
        raise NotImplementedError

    def code(self, made: Any, sharpness: Any) -> Any:
        """Gates of what generators put out, [channels], tensors."""
        raise NotImplementedError

    def penalty(self, mean: Any, share: Any, weight: Any) -> Any:
        """What is added to the loss, [layers], tensors.

        Args:
            mean: [layers] of the gates.
            share: [layers]: what is to be kept.
            weight: [layers].
        """
        raise NotImplementedError

    def weight(self, strength: float, kept: float | None, share: float) -> float:
        """The weight of a layer's penalty.

        Args:
            strength: Of all penalties.
            kept: Share of the layer's channels that is open; None before that is known.
            share: What is to be kept.
        """
        raise NotImplementedError

    def alive(self, raw: np.ndarray) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        return raw > 0.5


class ScheduledGates(Gates):
    """Single weights that go by their size, on a schedule, and stay 0 from then on.

    Weights alone are trained. How many of them stay follows from the step, so there is
    neither a pull nor a price.
    """

    priced = False

    def gone(self, ramp: float) -> float:
        """Share of the weights that the budget takes which are gone, 0 to 1.

        Args:
            ramp: Share of the steps until the budget holds that are done, 0 to 1.
        """
        raise NotImplementedError
