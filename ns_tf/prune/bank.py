"""Gates beside the weights, one a channel, on every edge by which it leaves."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.fold import Fold, folded, folds
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.rules import NORM
from ns_tf.graph.weights import Key
from ns_tf.parts import first
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.gatings import BankGates, Now


class Bank(LearnedGates):
    """A bank of gates.

    Gates move on the host between two steps: they are few, and formulas stay NumPy.

    Args:
        network: Takes (inputs, gates [batch, n + 1]), as `GatedNetwork.model`; trained
            in place; built by the execution.
        graph: Of the network without gates, of n channels.
        formulas: How gates move.
        execution: Its strategy holds the gates.
        slot: What the formulas carry from step to step, at the beginning.
    """

    def __init__(
        self,
        network: keras.Model,
        graph: ChannelGraph,
        formulas: BankGates,
        execution: Execution,
        slot: np.ndarray,
    ):
        self.network, self.graph, self.formulas = network, graph, formulas
        self.folds = folds(graph)
        self.free = ~graph.frozen  # [n]: channels whose gates move.
        self.raw = np.full(len(graph.owner), float(formulas.start))
        self.slot = slot
        row = np.ones(len(graph.owner) + 1)
        with execution.strategy.scope():
            self._gates = keras.Variable(row, trainable=False, name="gates")
            self._slopes = keras.Variable(0 * row, trainable=False, name="slopes")
        self.watch = (self._gates,)
        self._pins = list(_pins(graph, self.folds)) if formulas.pinned else []

    @staticmethod
    def network_of(model: keras.Model, graph: ChannelGraph) -> keras.Model:
        """A copy of a network that takes gates, for an execution to build.

        Args:
            model: Not changed.
            graph: Its channel graph.
        """
        return GatedNetwork(model, graph).model

    @property
    def forward(self) -> "_Forward":
        """(inputs, training) -> outputs, by the gates of the step."""
        return _Forward(self.network, self._gates)

    def alive(self) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        return self.formulas.alive(self.raw) | ~self.free

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
        gradient = np.array(self._slopes, float)[:-1]
        now = Now(gradient, pull, rate, draw, progress)
        raw, self.slot = self.formulas.step(self.raw, self.slot, now)
        self.raw = np.where(self.free, raw, self.raw)
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
        if readers:
            gates = np.ones(len(self.raw))
            gates[channels] = factor
            variables = weights.weights(self.network)
            for fold in self.folds:
                if fold.key in readers:
                    kernel = variables[fold.key]
                    kernel.assign(kernel * fold.factors(gates, kernel.ndim))

    def weights(self) -> dict[Key, np.ndarray]:
        """Of the network that has learned, its gates put into kernels."""
        gates = self._opened(self.formulas.final(self.raw))
        return folded(weights.values(self.network), self.folds, gates)

    def state(self) -> dict[str, np.ndarray]:
        """The gates, and what the formulas carry."""
        return {"raw": self.raw, "slot": self.slot}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self.raw, self.slot = arrays["raw"], arrays["slot"]

    def _set(self, gates: np.ndarray) -> None:
        """Sets the gates [n] of the forward pass."""
        self._gates.assign(np.append(self._opened(gates), 1.0))

    def _opened(self, gates: np.ndarray) -> np.ndarray:
        """Gates [n] of which every layer has one that is open."""
        gates = np.where(self.free, gates, 1.0)
        for group in self.graph.groups:
            if not gates[group.channels].any():
                gates[group.channels[self.raw[group.channels].argmax()]] = 1.0
        return gates


class _Forward:
    """A network that takes its gates from a variable.

    Args:
        network: (inputs, gates [batch, n + 1]) -> outputs.
        gates: [n + 1].
    """

    def __init__(self, network: keras.Model, gates: keras.Variable):
        self.network, self.gates, self.name = network, gates, network.name

    def __call__(self, inputs: Any, training: bool) -> tf.Tensor:
        """The outputs, [batch, ...]."""
        row = self.gates.value[None]
        rows = tf.repeat(row, tf.shape(first(inputs))[0], axis=0)
        return self.network([inputs, rows], training=training)


def _pins(
    graph: ChannelGraph, kernels: tuple[Fold, ...]
) -> Iterator[tuple[np.ndarray, tuple[Key, ...]]]:
    """(channels, kernels without a norm behind them) of every group that can shrink."""
    for group in graph.groups:
        reading = [k for k in kernels if np.isin(k.channels, group.channels).any()]
        if group.frozen is None and reading:
            keys = tuple(k.key for k in reading if not _normed(graph, k.key[0]))
            yield group.channels, keys


def _normed(graph: ChannelGraph, layer: str) -> bool:
    """Whether batch norms alone read what a layer makes."""
    made = {call.output for call in graph.calls if call.name == layer}
    users = [c for c in graph.calls if made & set(c.inputs)]
    return bool(users) and all(call.kind == NORM for call in users)
