"""Gates that learn which channels go: one file a gating, its formulas alone.

A gating trains the network for a few epochs while a pull on its gates says what
channels cost. It ends in a score a channel, and with weights. There are four kinds.

The gammas of batch norms are the gates, and SGD moves them with all weights::

    @gating("slimming", help="...")
    class Slimming(NormGates):
        def pull(self, gamma, price):
            return ops.sign(gamma)

Or the filters themselves are the gates (`KernelGates`): `size` says how large they are.

Or there is a gate for each unit beside the weights, which the gating moves itself::

    @gating("sss", help="...")
    class Sss(BankGates):
        def step(self, raw, slot, now):
            ...
            return raw, slot

Or a generator makes the gates of a layer of what the layer computes, and SGD trains it
(`ns_tf.graph.generated`)::

    @gating("autopruner", help="...", scope="layer", allocation="uniform")
    class Autopruner(GeneratedGates):
        def code(self, made, sharpness):
            return ops.sigmoid(sharpness * made)
        ...  # sharpness, sharpened, penalty, weight

The trainer (`ns_tf.prune.learning`) has the rest: strength, prices, rates, checkpoints.
Files here import neither Keras nor TensorFlow at their top, as `--help` reads them.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.prune.method import Method
from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.prune.method import Scorer
    from ns_tf.prune.pruner import Pruner

GATINGS = Registry("gating", __name__)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gating(Method):
    """A registered gating."""

    help: str  # A sentence.
    formulas: NormGates | KernelGates | BankGates | GeneratedGates
    epochs: int = 3  # In which gates learn.
    # Whether strength 1 is what the budgets need. If not, a strength is the paper's.
    units: bool = True

    def scorer(self, pruner: "Pruner") -> "Scorer":
        """What trains a network with these gates, and scores its channels."""
        from ns_tf.prune.by_gating import ByGating  # Imports TensorFlow.

        return ByGating(self, pruner)


def gating(name: str, *, help: str, **preset: Any) -> Callable[[type], type]:
    """Decorator: registers a class of formulas under `name`, as `--method` takes it.

    Args:
        name: Of the gating.
        help: A sentence that says how its gates learn.
        **preset: Further fields of `Gating`: epochs, units, repair, recipe, levels.

    Returns:
        A decorator of classes that derive from `NormGates`, `KernelGates`, `BankGates`
        or `GeneratedGates` and are made without arguments. It returns them as they are.

    Raises:
        ValueError: the name is taken.
    """
    # Scores of gates have seen the price, so rankings do not divide by it again. A
    # share of every layer stays: in a short training gates may all but close one.
    usual = {
        "scope": "global",
        "allocation": "ranking",
        "weigh": 0.0,
        "least_share": 0.1,
    }

    def add(formulas):
        member = Gating(name=name, help=help, formulas=formulas(), **usual | preset)
        GATINGS.register(name)(member)
        return formulas

    return add


def get(name: str) -> Gating:
    """The gating of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return GATINGS.get(name)
