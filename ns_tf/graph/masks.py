"""Masks in the kernels of a network: a gate a weight, in place of a gate a channel."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.substituted import SubstitutedNetwork
from ns_tf.graph.weights import Key

_KERNEL = "kernel"  # What Keras's names of weights that multiply inputs end in.


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The weights of a network that can go one by one, n of them.

    They are the entries of all kernels that train, in the order of the network's
    trainable variables. Biases, gammas, betas and embeddings are none.

    >>> kernels = Kernels({("a", "kernel"): (2, 1), ("b", "kernel"): (3,)})
    >>> [place.tolist() for place in kernels.places], kernels.names
    ([[0, 1], [2, 3, 4]], ('a', 'b'))

    Args:
        shapes: Of the kernels, by key.
    """

    shapes: Mapping[Key, tuple[int, ...]]

    @classmethod
    def of(cls, model: keras.Model, keep: Collection[str] = ()) -> "Kernels":
        """The kernels of a network.

        Args:
            model: Flat.
            keep: Names of layers whose kernels are none of them.
        """
        keys = weights.trainable_keys(model)
        found = zip(keys, model.trainable_variables, strict=True)
        return cls(
            {
                key: tuple(variable.shape)
                for key, variable in found
                if key[1].partition(".")[0].endswith(_KERNEL) and key[0] not in keep
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers; with the weight's, where it is not the kernel of its layer."""
        return tuple(
            layer if name == _KERNEL else f"{layer}/{name}"
            for layer, name in self.shapes
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Entries of each kernel."""
        return tuple(math.prod(shape) for shape in self.shapes.values())

    @property
    def size(self) -> int:
        """n."""
        return sum(self.sizes)

    @functools.cached_property
    def places(self) -> tuple[np.ndarray, ...]:
        """Numbers of the entries of each kernel."""
        return tuple(np.split(np.arange(self.size), np.cumsum(self.sizes)[:-1]))

    def flat(self, arrays: Mapping[Key, Any]) -> np.ndarray:
        """[n]: the entries of all kernels, float64.

        Args:
            arrays: By key; others may be among them.
        """
        return np.concatenate([np.array(arrays[k], float).ravel() for k in self.shapes])

    def shaped(self, values: np.ndarray) -> dict[Key, np.ndarray]:
        """The inverse of `flat`.

        Args:
            values: [n].
        """
        parts = zip(self.shapes.items(), self.places, strict=True)
        return {key: values[own].reshape(shape) for (key, shape), own in parts}


def masked(model: keras.Model, masks: Mapping[Key, np.ndarray]) -> None:
    """Sets weights to zero.

    Args:
        model: Changed in place.
        masks: By weight: its entries that stay, bool.

    Raises:
        KeyError: a weight that the model does not have or train.
    """
    keys = weights.trainable_keys(model)
    variables = dict(zip(keys, model.trainable_variables, strict=True))
    for key, mask in masks.items():
        variables[key].assign(np.where(mask, np.array(variables[key]), 0))


class MaskedNetwork(SubstitutedNetwork):
    """A network whose kernels are multiplied by gates of 0 or 1.

    Args:
        network: Trained in place; masks set none of its weights to zero.
        kernels: Of the network, n entries.
        gates: [n + 1]; the last entry is not read.
    """

    def __init__(self, network: keras.Model, kernels: Kernels, gates: keras.Variable):
        super().__init__(network, kernels.shapes)
        self.kernels, self.gates = kernels, gates

    def values(self, own: Mapping[Key, Any]) -> Mapping[Key, Any]:
        """The kernels, masked."""
        ops = keras.ops
        parts = ops.split(self.gates, np.cumsum(self.kernels.sizes))
        return {
            key: straight_through(
                own[key], ops.cast(ops.reshape(part, shape), own[key].dtype)
            )
            for (key, shape), part in zip(
                self.kernels.shapes.items(), parts[:-1], strict=True
            )
        }


def straight_through(weight: Any, gate: Any) -> Any:
    """t = weight · gate, whose derivative by the gate is dL/dt sgn(weight).

    It is the derivative by |weight| (AutoPrune's coarse gradient): that of the product,
    dL/dt weight, would favour large weights merely for being large. The derivative by
    the weight is that of the product, dL/dt gate.

    >>> t = straight_through(np.float32([0.5, -0.2]), np.float32([1.0, 0.0]))
    >>> t.numpy().tolist()
    [0.5, -0.0]

    Args:
        weight: A tensor.
        gate: Of its shape, 0 or 1.
    """
    # What is no variable any more: Keras may hand one on as a tensor.
    read = keras.ops.reshape(weight, keras.ops.shape(weight))
    return _product(read, keras.ops.convert_to_tensor(gate))


@keras.ops.custom_gradient
def _product(weight: Any, gate: Any) -> tuple[Any, Callable]:
    """weight · gate, and what a derivative by it is by each of the two."""

    def derivatives(*arguments, upstream=None):
        slope = arguments[0] if upstream is None else upstream
        return slope * gate, slope * keras.ops.sign(weight)

    return weight * gate, derivatives
