"""Gates beside the weights: one a channel, a block or a weight."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.engine.execution import Execution
from ns_tf.graph.weights import Key
from ns_tf.prune.formulas import BankGates, Now, blocks
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.sites import Sites

_MEMORY = 0.95  # Of the running means of squares.


class Bank(LearnedGates):
    """A bank of gates.

    Gates move on the host between two steps, so formulas stay NumPy. Where they are of
    single weights, that costs a copy of all gates and their derivatives a step.

    Args:
        network: As `sites.network` makes it; trained in place; built by the execution.
        sites: Where the n gates are.
        formulas: How gates move.
        execution: Its strategy holds the gates.
        slot: What the formulas carry from step to step, at the beginning.
        noise: Of units whose derivatives are noise next to nothing else. Pulls are in
            units of it then.
    """

    def __init__(
        self,
        network: keras.Model,
        sites: Sites,
        formulas: BankGates,
        execution: Execution,
        slot: np.ndarray,
        noise: "Noise | None" = None,
    ):
        self.network, self.sites, self.formulas = network, sites, formulas
        self.free, self.drawn = sites.free, formulas.drawn
        self.raw = np.full(len(self.free), float(formulas.start))
        self.slot, self.noise = slot, noise
        dtype = network.trainable_variables[0].dtype
        row = np.ones(len(self.free) + 1, dtype)
        with execution.strategy.scope():
            self._gates = keras.Variable(row, trainable=False, name="gates")
            self._slopes = keras.Variable(0 * row, trainable=False, name="slopes")
        self.watch = (self._gates,)
        self._pins = sites.pins(network) if formulas.pinned else []

    @property
    def forward(self) -> Callable:
        """(inputs, training) -> outputs, by the gates of the step."""
        return self.sites.forward(self.network, self._gates)

    def alive(self) -> np.ndarray:
        """[n] bool: what the gating would keep."""
        return self.formulas.alive(self.raw) | ~self.free

    def left(self) -> np.ndarray:
        """[n], 0 to 1: what the pull has left of each gate."""
        return np.where(self.free, self.formulas.left(self.raw), 1.0)

    def scores(self) -> np.ndarray:
        """[n]: the higher, the longer a channel is kept."""
        return self.formulas.score(self.raw)

    def probe(self, own: list, others: list) -> list:
        """Keeps dL/dgate; returns the gradients of the weights as they are.

        Args:
            own: Gradients of the trainable variables.
            others: The gradient of the gates, alone.
        """
        (gradient,) = others
        self._slopes.value.assign(tf.cast(gradient, self._slopes.dtype))
        return own

    def press(self, strength: float, price: np.ndarray) -> None:
        """Measures the noise anew; the pull comes with every step.

        Args:
            strength: Not read.
            price: Not read.
        """
        del strength, price
        if self.noise:
            self.noise.look()

    def before(self, draw: np.ndarray, progress: float) -> None:
        """Sets the gates of the forward pass.

        Args:
            draw: [n] uniform in (0, 1).
            progress: Share of the steps that are done.
        """
        self._set(self.formulas.value(self.raw, draw, progress))

    def after(
        self, pull: np.ndarray, rate: np.ndarray, draw: np.ndarray, progress: float
    ) -> None:
        """Moves the gates by the derivatives of the step.

        Args:
            pull: [n]: strength times price.
            rate: [n].
            draw: [n], as of `before`.
            progress: As of `before`.
        """
        gradient = self._slopes.numpy()[:-1].astype(float)
        if self.noise:
            pull = self.noise.unit * pull
            self.noise.add(gradient)
        now = Now(gradient, pull, rate, draw, progress)
        raw, self.slot = self.formulas.step(self.raw, self.slot, now)
        self.raw = raw if self.free.all() else np.where(self.free, raw, self.raw)
        for channels, readers in self._pins:
            self._pin(channels, readers)

    def _pin(self, channels: np.ndarray, readers: tuple[Key, ...]) -> None:
        """Divides the gates of a layer by the largest of them.

        A norm behind its readers takes the factor up. Where there is none, the kernels
        of the readers do, and gates do not grow above 1: weights may grow.

        Args:
            channels: Numbers of the layer's channels.
            readers: Kernels that are multiplied by the factor.
        """
        if readers:
            self.raw[channels] = np.minimum(self.raw[channels], 1.0)
        factor = float(self.raw[channels].max())
        if factor <= 0:
            return
        self.raw[channels] /= factor
        self.slot = self.formulas.rescaled(self.slot, channels, factor)
        if readers:
            gates = np.ones(len(self.raw))
            gates[channels] = factor
            self.sites.scale(self.network, readers, gates)

    def weights(self) -> dict[Key, np.ndarray]:
        """Of the network that has learned, its gates put into kernels."""
        gates = self.sites.opened(self.formulas.final(self.raw), self.raw)
        return self.sites.folded(self.network, gates)

    def state(self) -> dict[str, np.ndarray]:
        """The gates, what the formulas carry, and the noise."""
        noise = self.noise.state() if self.noise else {}
        return {"raw": self.raw, "slot": self.slot, **noise}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self.raw, self.slot = arrays["raw"], arrays["slot"]
        if self.noise:
            self.noise.restore(arrays)

    def _set(self, gates: np.ndarray) -> None:
        """Sets the gates [n] of the forward pass."""
        row = np.ones(len(gates) + 1, self._gates.dtype)
        row[:-1] = self.sites.opened(gates, self.raw)
        self._gates.assign(row)


class Noise:
    """What moves gates beside the pull, and the pull that closes enough of them.

    It grows with the loss while a network loses weights, so it is measured on the way.

    Args:
        squares: [n]: mean squares of the derivatives in a step, at the beginning.
        unit_of: These [n] -> the pull of strength 1.
    """

    def __init__(self, squares: np.ndarray, unit_of: Callable[[np.ndarray], float]):
        self.squares, self._unit_of = squares, unit_of
        self.unit = unit_of(squares)

    def add(self, gradient: np.ndarray) -> None:
        """Adds the derivatives of a step [n] to the running means."""
        squares = np.empty_like(self.squares)
        for own in blocks(len(squares)):
            new = (1 - _MEMORY) * gradient[own] ** 2
            squares[own] = _MEMORY * self.squares[own] + new
        self.squares = squares

    def look(self) -> None:
        """Sets the unit by what the means are now."""
        self.unit = self._unit_of(self.squares)

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs."""
        return {"squares": self.squares, "unit": np.array(self.unit)}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self.squares, self.unit = arrays["squares"], float(arrays["unit"])
