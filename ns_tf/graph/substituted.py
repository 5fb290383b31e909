"""Networks that compute with other values of some of their weights.

No layer knows of it: Keras calls the network with these values in place of its
variables (`stateless_call`). So gates that fit into kernels need no operation on what
the network computes, which is far larger than its kernels.
"""

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.weights import Key


def check_substitutable(model: keras.Model) -> None:
    """Refuses a network of which a training step assigns trained weights.

    Keras gives back what a call assigns to weights that are not trained alone.

    Args:
        model: Functional.

    Raises:
        InputError: naming the layer.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.SpectralNormalization):
            raise InputError(
                f"{layer.name!r} sets its kernel in every step of a training, which "
                "neither gates of weights nor weights that networks share allow. Use "
                "another method, or the layer within the SpectralNormalization alone."
            )


class SubstitutedNetwork:
    """A network that takes values of some weights from `values`.

    Args:
        network: Trained in place.
        keys: Of these weights.

    Raises:
        InputError: as `check_substitutable`.
    """

    def __init__(self, network: keras.Model, keys: Collection[Key]):
        check_substitutable(network)
        self.network, self.name = network, network.name
        named = weights.weights(network)
        self._taken = {id(named[key]): key for key in keys}

    def values(self, own: Mapping[Key, Any]) -> Mapping[Key, Any]:
        """By key: what the network computes with.

        Args:
            own: By key: the weights as they are, tensors.
        """
        raise NotImplementedError

    def __call__(self, inputs: Any, training: bool) -> Any:
        """The outputs, [batch, ...]; statistics and generators follow."""
        network = self.network
        lists = network.trainable_variables, network.non_trainable_variables
        own = {
            self._taken[id(variable)]: keras.ops.convert_to_tensor(variable)
            for variable in (*lists[0], *lists[1])
            if id(variable) in self._taken
        }
        taken = self.values(own)
        trained, others = (
            [
                taken[self._taken[id(variable)]]
                if id(variable) in self._taken
                else keras.ops.convert_to_tensor(variable)
                for variable in variables
            ]
            for variables in lists
        )
        outputs, states = network.stateless_call(
            trained, others, inputs, training=training
        )
        if training:
            for variable, state in zip(lists[1], states, strict=True):
                if id(variable) not in self._taken:
                    variable.assign(state)
        return outputs


class WeighedNetwork(SubstitutedNetwork):
    """A network whose weights are multiplied by gates.

    Args:
        network: Trained in place.
        numbers: By weight: the numbers of its gates, in a shape that goes with it.
        gates: [n].
    """

    def __init__(
        self,
        network: keras.Model,
        numbers: Mapping[Key, np.ndarray],
        gates: keras.Variable,
    ):
        super().__init__(network, numbers)
        self.numbers, self.gates = numbers, gates

    def values(self, own: Mapping[Key, Any]) -> Mapping[Key, Any]:
        """weight · gate."""
        ops = keras.ops
        return {
            key: own[key] * ops.cast(ops.take(self.gates, places), own[key].dtype)
            for key, places in self.numbers.items()
        }
