"""Gates that generators make of what layers compute (AutoPruner)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.generated import Generator
from ns_tf.graph.weights import Key
from ns_tf.problem.tasks import Task
from ns_tf.prune.formulas import GeneratedGates
from ns_tf.prune.gates import LearnedGates

_MEMORY = 20  # Steps whose mean says which channels are open.

Shares = Sequence[tuple[np.ndarray, float]]  # (channels, share of them that is kept).


class Generated(LearnedGates):
    """The generators of a network, and the gates that they made lately.

    The row that goes into the network holds the sharpness in place of every gate that
    is to be made. Where several replicas share a batch, each makes the gates of its own
    part, and what is kept is their mean.

    Args:
        network: As `sites.generated` makes it; trained in place; built by the
            execution.
        model: The network without gates.
        formulas: How gates are made, and what they are drawn to.
        execution: Its strategy holds row and weights of penalties.
        shares: What is kept of the channels of each layer, or of all blocks.
        size: n, of channels or blocks.
    """

    def __init__(
        self,
        network: keras.Model,
        model: keras.Model,
        formulas: GeneratedGates,
        execution: Execution,
        shares: Shares,
        size: int,
    ):
        self.network, self.model, self.formulas = network, model, formulas
        self.shares = shares
        self.free = np.zeros(size, bool)
        means = np.zeros((len(shares), size + 1))
        for layer, (channels, _) in enumerate(shares):
            self.free[channels], means[layer, channels] = True, 1 / len(channels)
        self._means, self.added, self.seen = means, 0.0, 0
        self.lately = np.ones((_MEMORY, size))
        fixed = {"trainable": False, "dtype": keras.config.floatx()}
        ones = np.ones(size + 1)
        with execution.strategy.scope():
            self._row = keras.Variable(ones, name="row", **fixed)
            self._weight = keras.Variable(np.zeros(len(shares)), name="weight", **fixed)
            # Its gradient is the gates of the step; its value is always 0.
            self._tap = keras.Variable(0 * ones, name="tap", **fixed)
            self._codes = keras.Variable(ones, name="codes", **fixed)
        self.watch = (self._tap,)

    @property
    def forward(self) -> "_Forward":
        """(inputs, training) -> (outputs, row of gates [n + 1])."""
        return _Forward(self.network, self._row)

    @property
    def undecayed(self) -> list[keras.Variable]:
        """Gammas, betas and the kernels of generators."""
        layers = [one for one in self.network.layers if isinstance(one, Generator)]
        return [*super().undecayed, *(one.kernel for one in layers)]

    def objective(self, task: Task) -> Callable:
        """(targets, (outputs, row)) -> losses [batch], penalties within.

        Args:
            task: Whose targets the data have.
        """
        own = task.loss(self.model)
        floatx = keras.config.floatx()
        shares = np.array([share for _, share in self.shares], floatx)
        means = self._means.astype(floatx)

        def loss(targets, made):
            outputs, row = made
            row = keras.ops.cast(row, floatx)
            tapped = keras.ops.sum(self._tap * keras.ops.stop_gradient(row))
            mean = keras.ops.matmul(means, row[:, None])[:, 0]
            penalty = self.formulas.penalty(mean, shares, self._weight)
            return own(targets, outputs) + keras.ops.sum(penalty) + tapped

        return loss

    def steered(self, strength: float, start: float, excess: float) -> float:
        """The same strength: weights of penalties follow shares by themselves."""
        del start, excess
        return strength

    @property
    def raw(self) -> np.ndarray:
        """[n]: gates in the mean of the last 20 steps; 1 before the first."""
        return self.lately[: max(1, self.seen)].mean(axis=0)

    def alive(self) -> np.ndarray:
        """[n] bool: the channels that are open, or have no gate."""
        return self.formulas.alive(self.raw) | ~self.free

    def scores(self) -> np.ndarray:
        """[n]: `raw`."""
        return self.raw

    def press(self, strength: float, price: np.ndarray) -> None:
        """Sets the weights of the penalties, by what is open.

        Args:
            strength: Of all of them.
            price: Not read.
        """
        del price
        alive = self.alive()
        found = [
            self.formulas.weight(
                strength, alive[own].mean() if self.seen else None, share
            )
            for own, share in self.shares
        ]
        self._weight.assign(found)

    def probe(self, own: list, others: list) -> list:
        """Keeps the gates of the step; returns the gradients as they are.

        Args:
            own: Gradients of the weights, generators among them.
            others: That of the tap, alone.
        """
        (gates,) = others
        self._codes.value.assign(tf.cast(gates, self._codes.dtype))
        return own

    def before(self, draw: np.ndarray, progress: float) -> None:
        """Sets the sharpness.

        Args:
            draw: Not read.
            progress: Share of the steps that are done.
        """
        del draw
        row = np.ones(len(self.free) + 1)
        row[:-1][self.free] = self.formulas.sharpness(progress) + self.added
        self._row.assign(row)

    def after(
        self, pull: np.ndarray, rate: np.ndarray, draw: np.ndarray, progress: float
    ) -> None:
        """Keeps the gates of the step; the other arguments are not read.

        Args:
            pull: [n].
            rate: [n].
            draw: [n].
            progress: Share of the steps that are done.
        """
        del pull, rate, draw
        codes = np.array(self._codes, float)[:-1]
        self.lately = np.roll(self.lately, 1, axis=0)
        self.lately[0] = codes
        self.seen = min(self.seen + 1, _MEMORY)
        own = [codes[channels] for channels, _ in self.shares]
        self.added += self.formulas.sharpened(own, progress)

    def weights(self) -> dict[Key, np.ndarray]:
        """Of the network without its generators; what is open has no gate."""
        names = {layer.name for layer in self.model.layers}
        found = weights.values(self.network)
        return {key: value for key, value in found.items() if key[0] in names}

    def state(self) -> dict[str, np.ndarray]:
        """The gates of the last steps, how many they are, and what they led to."""
        return {
            "lately": self.lately,
            "seen": np.array(self.seen),
            "added": np.array(self.added),
            "weight": np.array(self._weight),
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self.lately = np.array(arrays["lately"])
        self.seen, self.added = int(arrays["seen"]), float(arrays["added"])
        self._weight.assign(arrays["weight"])


class _Forward:
    """A network that makes its gates.

    Args:
        network: (inputs, row [1, n + 1]) -> (outputs, row).
        row: [n + 1]: the sharpness of all gates that are made, 1 elsewhere.
    """

    def __init__(self, network: keras.Model, row: keras.Variable):
        self.network, self.row, self.name = network, row, network.name

    def __call__(self, inputs: Any, training: bool) -> tuple:
        """(outputs [batch, ...], row of gates [n + 1])."""
        outputs, row = self.network([inputs, self.row.value[None]], training=training)
        return outputs, row[0]
