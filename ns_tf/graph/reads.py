"""Which weights a call reads by itself, so that no graph of it shows them.

A layer that multiplies by the kernel of another one, as a decoder whose weights are
tied to those of the encoder, reads a number where its call is followed: the value that
the kernel has then. The graph would hold it as a constant, which no training moves.
"""

import contextlib
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.lengths import drawn
from ns_tf.graph.rules import is_known


class Reads(keras.StatelessScope):
    """A scope in which no weight changes, and in which those that are read are noted.

    What a layer reads that is called on symbolic tensors is not among them.

    >>> dense, x = keras.layers.Dense(3, name="dense"), keras.Input((2,))
    >>> y = dense(x)
    >>> with Reads() as reads:
    ...     y = keras.ops.matmul(dense(x), keras.ops.transpose(dense.kernel))
    >>> [weight.path for weight in reads.weights]
    ['dense/kernel']
    """

    def __init__(self):
        super().__init__()
        self.found: dict[int, keras.Variable] = {}

    @property
    def weights(self) -> list[keras.Variable]:
        """Those that were read, in order."""
        return list(self.found.values())

    def get_current_value(self, variable: keras.Variable) -> Any:
        """What Keras asks for wherever a weight is read."""
        self.found[id(variable)] = variable
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        return value


def check_own(given: keras.Model, copy: keras.Model) -> None:
    """Refuses layers that read weights of other layers by themselves.

    A copy of such a layer would read those of the model that was given.

    Args:
        given: The model that was given.
        copy: What networks are made of; its layers that cannot be followed are called.

    Raises:
        InputError: naming the layer and the weight.
    """
    weights = {id(variable) for variable in given.variables}
    for layer in copy.layers:
        own = {id(variable) for variable in layer.variables}
        for weight in _read(layer) if _may_read(layer) else ():
            if id(weight) in weights - own:
                raise InputError(
                    f"Layer {layer.name!r} reads {weight.path!r}, a weight of another "
                    "layer, by itself: networks that are made of the model would read "
                    "the model's own. Put both layers into one layer that has them as "
                    "attributes, or call the other one (a ReversibleEmbedding with "
                    "reverse=True)."
                )


def _may_read(layer: keras.Layer) -> bool:
    """Whether it is of a class outside of Keras, or has a function, or holds one such.

    What has a rule reads its own weights.
    """
    return not is_known(layer) and any(
        isinstance(one, keras.layers.Lambda)
        or type(one).__module__.partition(".")[0] not in ("keras", "ns_tf")
        for one in layer._flatten_layers()
    )


def _read(layer: keras.Layer) -> list[keras.Variable]:
    """The weights that the first call of a layer reads; few where numbers do not do."""
    rng, call = np.random.default_rng(0), layer._inbound_nodes[0].arguments
    with Reads() as reads, contextlib.suppress(Exception):  # It is anybody's code.
        args, kwargs = keras.tree.map_structure(
            lambda x: drawn(x, rng) if isinstance(x, keras.KerasTensor) else x,
            (call.args, call.kwargs),
        )
        layer(*args, **kwargs)
    return reads.weights
