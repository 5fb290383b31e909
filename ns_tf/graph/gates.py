"""Where the gates of eq. 4 go: closing a channel's gates is the same as removing it.

Every edge by which a channel leaves for other channels (the input of a convolution, an
identity shortcut into another group) passes one gate. Behind a batch norm it needs no
operation of its own: gamma and beta are the gate, and gamma dL/dgamma + beta dL/dbeta
is its gradient. Elsewhere a `Gate` layer multiplies.
"""

import dataclasses

import keras
import numpy as np

from ns_tf.graph.channels import NONE, Call, ChannelGraph, Tensor
from ns_tf.graph.rules import ADD, MAKE, NORM, THROUGH

Edge = tuple[str, int, int]  # (operation, its call, its input).


@keras.saving.register_keras_serializable("ns_tf")
class Gate(keras.layers.Layer):
    """Multiplies every channel by its gate: 1 for a channel that lives, else 0."""

    def build(self, input_shape):
        """Makes the gates, [channels], open."""
        self.gate = self.add_weight(
            shape=input_shape[-1:], initializer="ones", trainable=False, name="gate"
        )

    def call(self, x):
        """x [..., channels], gated."""
        return x * self.gate


@dataclasses.dataclass(frozen=True)
class Gates:
    """Where a network's gates are."""

    norms: tuple[str, ...]  # Batch norms whose gamma and beta are gates.
    edges: dict[Edge, Tensor]  # Inputs that read their tensor through a `Gate`.


def place(graph: ChannelGraph) -> Gates:
    """A gate on every edge by which a removable channel leaves its group."""
    finder = _Finder(graph)
    norms: dict[str, None] = {}
    edges = {}
    for number, call in enumerate(graph.calls):
        for place in finder.leaving(call):
            tensor = call.inputs[place]
            found = finder.norms_of(tensor)
            if found is None:
                edges[call.name, finder.call_number[number], place] = tensor
            else:
                norms.update(dict.fromkeys(found))
    return Gates(tuple(norms), edges)


class _Finder:
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
        self.frozen = np.append(graph.frozen, True)  # The last one is NONE.

    def leaving(self, call: Call) -> list[int]:
        """Inputs by which removable channels leave their group in this call."""
        places = range(len(call.inputs)) if call.kind == MAKE else call.crossing
        return [p for p in places if not self._fixed(call.inputs[p])]

    def _fixed(self, tensor: Tensor) -> bool:
        assert NONE == -1
        return bool(self.frozen[self.graph.channels[tensor]].all())

    def norms_of(self, tensor: Tensor) -> list[str] | None:
        """Batch norms that gate all that reaches `tensor`; None if a `Gate` must."""
        call = self.producer[tensor]
        if call.kind == THROUGH:
            found = [self.norms_of(source) for source in call.inputs]
            return None if None in found else [n for names in found for n in names]
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
        """Whether every use of the tensor passes to other groups.

        Where it is also added to channels of its own group, closing it there would
        count the sum twice.
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
