"""Gates that are weights of the network itself: SGD moves them, a pull is added."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.weights import Key
from ns_tf.prune.formulas import KernelGates, NormGates
from ns_tf.prune.gates import LearnedGates


class Penalised(LearnedGates):
    """Weights with a penalty as the gates of a network's channels.

    Args:
        network: Trained in place; built by the execution.
        graph: Its channel graph, of n channels.
        formulas: What is added to the gradients of the weights.
        execution: Its strategy holds strength and prices.
    """

    def __init__(
        self,
        network: keras.Model,
        graph: ChannelGraph,
        formulas: NormGates | KernelGates,
        execution: Execution,
    ):
        self.network, self.graph, self.formulas = network, graph, formulas
        self.forward = network
        self.size = len(graph.owner)
        self._first = self.raw
        prices = np.zeros(self.size + 1)  # The last is that of what is no channel.
        with execution.strategy.scope():
            self._strength = keras.Variable(0.0, trainable=False, name="strength")
            self._price = keras.Variable(prices, trainable=False, name="price")
        places = {key: i for i, key in enumerate(weights.trainable_keys(network))}
        # (place among the trainable variables, axis of channels, channel numbers).
        self._pulled = [
            (places[key], axis, graph.axes[key][axis])
            for key, axis in self.penalised()
            if key in places
        ]

    def penalised(self) -> Iterator[tuple[Key, int]]:
        """(weight, its axis of channels) of all that have a penalty."""
        raise NotImplementedError

    @property
    def raw(self) -> np.ndarray:
        """[n]: how large the weights of a channel are, of several the largest."""
        raise NotImplementedError

    def pull(self, variable: keras.Variable, axis: int, price: Any) -> Any:
        """What is added to the gradient of a weight, times the strength.

        Args:
            variable: The weight.
            axis: Of its channels.
            price: [channels], a tensor.
        """
        raise NotImplementedError

    def alive(self) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        return self.formulas.alive(self.raw)

    def left(self) -> np.ndarray:
        """[n], 0 to 1: the sizes by what they were at the beginning, closed ones 0."""
        first = np.maximum(self._first, np.finfo(float).tiny)
        return np.where(self.alive(), np.minimum(self.raw / first, 1.0), 0.0)

    def scores(self) -> np.ndarray:
        """[n]: the higher, the longer a channel is kept."""
        return self.raw

    def state(self) -> dict[str, np.ndarray]:
        """The sizes at the beginning."""
        return {"first": self._first}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Sets what `state` returned."""
        self._first = arrays["first"]

    def press(self, strength: float, price: np.ndarray) -> None:
        """Sets the pull of the steps that follow.

        Args:
            strength: Of the penalty.
            price: [n].
        """
        self._strength.assign(strength)
        self._price.assign(np.append(price, 0.0))

    def probe(self, own: list, others: list) -> list:
        """Adds the pull to the gradients of the weights.

        Args:
            own: Gradients of the trainable variables.
            others: None.
        """
        del others
        own = list(own)
        for place, axis, channels in self._pulled:
            variable = self.network.trainable_variables[place]
            price = keras.ops.take(self._price, channels % (self.size + 1), axis=0)
            pull = self.pull(variable, axis, keras.ops.cast(price, variable.dtype))
            own[place] = own[place] + self._strength * pull
        return own
