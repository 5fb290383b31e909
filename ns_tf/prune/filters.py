"""Gates that are the filters themselves: how large their kernels are."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.channels import NONE, ChannelGraph
from ns_tf.graph.weights import Key
from ns_tf.prune.formulas import KernelGates
from ns_tf.prune.penalised import Penalised
from ns_tf.prune.scoring import ScoredNetwork


class Filters(Penalised):
    """The kernels of the layers that make channels as gates."""

    def penalised(self) -> Iterator[tuple[Key, int]]:
        """(kernel, its axis of filters) of every layer that makes channels."""
        return weights.making(self.network, self.graph)

    @property
    def raw(self) -> np.ndarray:
        """[n]: the size of a filter, of several that make a channel the largest."""
        return sizes(self.network, self.graph, self.formulas)

    def pull(self, variable: keras.Variable, axis: int, price: Any) -> Any:
        """As of `Penalised`.

        Args:
            variable: A kernel.
            axis: Of its filters.
            price: [filters], a tensor.
        """
        moved = ops.moveaxis(ops.convert_to_tensor(variable), axis, -1)
        flat = ops.reshape(moved, (-1, moved.shape[-1]))
        pull = ops.reshape(self.formulas.pull(flat, price), moved.shape)
        return ops.moveaxis(pull, -1, axis)


def sizes(model: keras.Model, graph: ChannelGraph, formulas: KernelGates) -> np.ndarray:
    """[n]: how large filters are, of several that make a channel the largest.

    Args:
        model: The network.
        graph: Its channel graph, of n channels.
        formulas: Whose `size` it is.
    """
    found = np.zeros(len(graph.owner))
    for axes, kernel in weights.kernels(model, graph):
        size = ops.convert_to_numpy(formulas.size(kernel.reshape(-1, len(axes[-1]))))
        real = axes[-1] != NONE
        np.maximum.at(found, axes[-1][real], size[real])
    return found


def check(network: ScoredNetwork) -> None:
    """Refuses a network with a channel that no kernel makes.

    Args:
        network: Of its channels those that are asked for count.

    Raises:
        InputError: there is one; names the layer.
    """
    made = np.zeros(len(network.alive), bool)
    for axes, _ in weights.kernels(network.model, network.graph):
        made[axes[-1][axes[-1] != NONE]] = True
    bare = np.flatnonzero(network.wanted & ~made)
    if len(bare):
        layer = network.layer_of(bare[0])
        raise InputError(
            f"The method reads kernels, and none makes the channels of {layer!r}. Keep "
            f"that layer (--keep={layer}), or use taylor_fo."
        )
