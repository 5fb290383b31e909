"""Gates that are the gammas of batch norms: SGD moves them, a pull is added."""

import keras
import numpy as np

from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.prune.gates import LearnedGates
from ns_tf.prune.gatings import NormGates
from ns_tf.prune.norms import gammas, largest


class Gammas(LearnedGates):
    """The gammas of a network as its gates.

    Args:
        network: Trained in place; built by the execution.
        graph: Its channel graph, of n channels.
        formulas: What is added to dL/dgamma.
        execution: Its strategy holds strength and prices.
    """

    def __init__(
        self,
        network: keras.Model,
        graph: ChannelGraph,
        formulas: NormGates,
        execution: Execution,
    ):
        self.network, self.graph, self.formulas = network, graph, formulas
        self.forward = network
        self.size = len(graph.owner)
        prices = np.zeros(self.size + 1)  # The last is that of what is no channel.
        with execution.strategy.scope():
            self._strength = keras.Variable(0.0, trainable=False, name="strength")
            self._price = keras.Variable(prices, trainable=False, name="price")
        places = {key: i for i, key in enumerate(weights.trainable_keys(network))}
        # (place among the trainable variables, channel numbers) of every gamma.
        self._norms = [
            (places[key], channels)
            for key, channels, _ in gammas(network, graph)
            if key in places
        ]

    @property
    def raw(self) -> np.ndarray:
        """[n]: |gamma|, of several norms of a channel the largest."""
        return largest(self.network, self.graph, np.abs)

    def alive(self) -> np.ndarray:
        """[n] bool: the channels that the gating would keep."""
        return self.formulas.alive(self.raw)

    def scores(self) -> np.ndarray:
        """[n]: the higher, the longer a channel is kept."""
        return self.raw

    def press(self, strength: float, price: np.ndarray) -> None:
        """Sets the pull of the steps that follow.

        Args:
            strength: Of the penalty.
            price: [n].
        """
        self._strength.assign(strength)
        self._price.assign(np.append(price, 0.0))

    def probe(self, own: list, others: list) -> list:
        """Adds the pull to the gradients of the gammas.

        Args:
            own: Gradients of the trainable variables.
            others: None.
        """
        del others
        own = list(own)
        for place, channels in self._norms:
            gamma = self.network.trainable_variables[place]
            price = keras.ops.take(self._price, channels % (self.size + 1), axis=0)
            pull = self.formulas.pull(gamma, keras.ops.cast(price, gamma.dtype))
            own[place] = own[place] + self._strength * pull
        return own
