"""Where the gates of eq. 4 go: closing a channel's gates is the same as removing it.

Every edge by which a channel leaves for other channels passes one gate: the input of a
convolution, an identity shortcut into another group. A gate multiplies its channel by
g = 1. Behind a batch norm it needs no operation: y = g (gamma x + beta), so

    g dL/dg = gamma dL/dgamma + beta dL/dbeta,

and closing the gate is setting gamma and beta to 0. Elsewhere a `Gate` layer
multiplies.
"""

import dataclasses

import keras
import numpy as np

from ns_tf.graph.channels import NONE, Call, ChannelGraph, Tensor
from ns_tf.graph.rules import ADD, MAKE, NORM, THROUGH

Edge = tuple[str, int, int]  # (operation, its call, its input).


@keras.saving.register_keras_serializable("ns_tf")
class Gate(keras.layers.Layer):
    """Multiplies every channel by its gate: 1 for a channel that lives, else 0.

    The gates are one weight `gate` [channels] that no optimiser trains.
    """

    def build(self, input_shape: tuple) -> None:
        """Makes the gates [channels], all of them 1."""
        self.gate = self.add_weight(
            shape=input_shape[-1:], initializer="ones", trainable=False, name="gate"
        )

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """x `[..., channels]` times the gates `[channels]`."""
        return x * self.gate


@dataclasses.dataclass(frozen=True)
class Gates:
    """Where a network's gates are.

    Attributes:
        norms: Batch norms whose gamma and beta are gates.
        edges: Inputs of calls that read their tensor through a `Gate` layer. Edges of
            one tensor share the layer.
    """

    norms: tuple[str, ...]
    edges: dict[Edge, Tensor]


def place(graph: ChannelGraph) -> Gates:
    """A gate on every edge by which a removable channel leaves its group.

    Args:
        graph: The network's channel graph.

    Returns:
        Batch norms where they can be the gate of all that passes, else `Gate` layers.
    """
    finder = _Finder(graph)
    norms: dict[str, None] = {}
    layers = {}
    for edge, tensor in edges(graph).items():
        before = finder.norms_of(tensor)
        if before is None:
            layers[edge] = tensor
        else:
            norms.update(dict.fromkeys(before))
    return Gates(tuple(norms), layers)


def edges(graph: ChannelGraph) -> dict[Edge, Tensor]:
    """Every edge by which a removable channel leaves its group.

    A layer that multiplies each of them by the gates of its channels gates the whole
    network, whatever lies before the edge.

    Args:
        graph: The network's channel graph.

    Returns:
        Edge -> the tensor that is read through it.
    """
    finder = _Finder(graph)
    return {
        (call.name, finder.call_number[number], place): call.inputs[place]
        for number, call in enumerate(graph.calls)
        for place in finder.leaving(call)
    }


class _Finder:
    """Looks up a graph's producers and readers to find the edges and their gates."""

    def __init__(self, graph: ChannelGraph):
        self.graph = graph
        self.producer = {call.output: call for call in graph.calls}
        self.users: dict[Tensor, list[Call]] = {}
        self.call_number = []
        calls: dict[str, int] = {}
        for call in graph.calls:
            self.call_number.append(calls.get(call.name, 0))
            calls[call.name] = calls.get(call.name, 0) + 1
            for tensor in call.inputs:
                self.users.setdefault(tensor, []).append(call)
        # NONE is -1: the appended entry says that no channel is frozen too.
        self.frozen = np.append(graph.frozen, True)

    def leaving(self, call: Call) -> list[int]:
        """Inputs by which removable channels leave their group in this call."""
        places = range(len(call.inputs)) if call.kind == MAKE else call.crossing
        return [p for p in places if not self._fixed(call.inputs[p])]

    def _fixed(self, tensor: Tensor) -> bool:
        """Whether no channel of the tensor can be removed."""
        assert NONE == -1
        return bool(self.frozen[self.graph.channels[tensor]].all())

    def norms_of(self, tensor: Tensor) -> list[str] | None:
        """Batch norms that gate all that reaches `tensor`; None if a `Gate` must."""
        call = self.producer[tensor]
        if call.kind == THROUGH:
            norms = [self.norms_of(source) for source in call.inputs]
            return None if None in norms else [n for names in norms for n in names]
        if not self._only_leaves(tensor):
            return None
        if call.kind == NORM:
            return [call.name]
        if call.kind == ADD and not call.crossing:
            sources = [self.producer[source] for source in call.inputs]
            alone = all(self.users[source] == [call] for source in call.inputs)
            if alone and all(source.kind == NORM for source in sources):
                return [source.name for source in sources]
        return None

    def _only_leaves(self, tensor: Tensor) -> bool:
        """Whether every reader of the tensor makes channels of other groups.

        A reader that adds the tensor to channels of its own group is none of these: the
        sum passes a gate where it leaves, and a gate here would count it twice.
        """
        if tensor in self.graph.outputs:
            return False
        for call in self.users.get(tensor, []):
            places = [p for p, source in enumerate(call.inputs) if source == tensor]
            leaves = set(places) <= set(self.leaving(call))
            if call.kind == THROUGH:
                leaves = self._only_leaves(call.output)
            if not leaves:
                return False
        return True
