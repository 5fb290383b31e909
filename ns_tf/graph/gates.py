"""Where the gates of eq. 4 go: closing a channel's gates is the same as removing it.

Every edge by which a channel leaves for other channels passes one gate: the input of a
convolution, an identity shortcut into another group. A gate multiplies its channel by
g = 1. Behind a batch norm it needs no operation: y = g (gamma x + beta), so

    g dL/dg = gamma dL/dgamma + beta dL/dbeta,

and closing the gate is setting gamma and beta to 0. Elsewhere a `Gate` layer
multiplies. A norm is the gate of an edge if

* what lies between passes a factor on (ReLU, pooling, concatenation; no SiLU);
* all that leaves behind the norm leaves by edges that norms are the gates of: an edge
  with a `Gate` of its own would count twice. All calls of a shared norm have to be so.

Units of a recurrent layer read one another, and an attention reads its heads. These
edges are within the layer, and so are their gates (`ns_tf.graph.within`).

A norm over channels, as a layer norm, reads its channels and passes them on. Its edge
has a gate too: the weight of each channel in its statistics (`ns_tf.graph.statistics`).
What leaves behind it has gates of its own.

Departure: a ReLU with a cap counts as passing a factor on. Where it cuts a value off,
the gradient before it is zero and that behind it is not. The gate of the paper's
MobileNetV2 is before it.
"""

import dataclasses
from typing import Any

import keras
import numpy as np

from ns_tf.graph.channels import NONE, Call, ChannelGraph, Tensor
from ns_tf.graph.rules import ADD, MAKE, NORM, STATISTICS, THROUGH

# (operation, its call, its input). By `WITHIN` channels act on others in the operation.
Edge = tuple[str, int, int]
WITHIN = -1


class Gating(keras.layers.Layer):
    """A layer whose output is like its first input, in shape, dtype and mask."""

    def compute_output_spec(
        self, x: keras.KerasTensor, *others: keras.KerasTensor
    ) -> keras.KerasTensor:
        """As x. Keras calls a product with a number sparse, and loses its shape."""
        return keras.KerasTensor(x.shape, x.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of x: which steps of a sequence are none."""
        return previous_mask


@keras.saving.register_keras_serializable("ns_tf")
class Gate(Gating):
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
            one tensor share the layer. Norms over channels take gates beside it, and so
            do layers in which channels act on others; there the tensor is the output.
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
    edges = finder.edges()
    weighed = {call.name for call in graph.calls if call.kind == STATISTICS}
    points = {
        edge: (
            None
            if edge[0] in weighed or edge[2] == WITHIN
            else finder.points_of(tensor)
        )
        for edge, tensor in edges.items()
    }
    used = {point for found in points.values() for point in found or ()}
    barred = {c.name for c in graph.calls if c.kind == NORM and c.output not in used}
    known = -1
    while len(barred) > known:
        known = len(barred)
        gated = {
            edge: tensor
            for edge, tensor in edges.items()
            if points[edge] is None or any(p[0] in barred for p in points[edge])
        }
        barred.update(*(finder.norms_before(tensor) for tensor in gated.values()))
    norms = [p[0] for e in edges if e not in gated for p in points[e]]
    return Gates(tuple(dict.fromkeys(norms)), gated)


def edges(graph: ChannelGraph) -> dict[Edge, Tensor]:
    """Every edge by which a removable channel leaves its group.

    A layer that multiplies each of them by the gates of its channels gates the whole
    network, whatever lies before the edge. Inputs of norms over channels are among
    them; there gates weigh channels. So are edges within layers.

    Args:
        graph: The network's channel graph.

    Returns:
        Edge -> the tensor that is read through it.
    """
    return _Finder(graph).edges()


class _Finder:
    """Looks up a graph's producers and readers to find the edges and their gates."""

    def __init__(self, graph: ChannelGraph):
        self.graph = graph
        self.producer = {call.output[:2]: call for call in graph.calls}
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

    def edges(self) -> dict[Edge, Tensor]:
        """The edges by which removable channels leave, and what they read."""
        found = {}
        for number, call in enumerate(self.graph.calls):
            name, count = call.name, self.call_number[number]
            found |= {(name, count, p): call.inputs[p] for p in self.leaving(call)}
            inside = call.gates is not None and call.kind != STATISTICS
            if inside and not self.frozen[call.gates].all():
                found[name, count, WITHIN] = call.output
        return found

    def leaving(self, call: Call) -> list[int]:
        """Inputs by which removable channels act on others in this call."""
        reads = call.kind in (MAKE, STATISTICS)
        some = (*call.crossing, *call.reads)
        places = range(len(call.inputs)) if reads else some
        return [
            p for p in places if p not in call.joins and not self._fixed(call.inputs[p])
        ]

    def _fixed(self, tensor: Tensor) -> bool:
        """Whether no channel of the tensor can be removed."""
        assert NONE == -1
        return bool(self.frozen[self.graph.channels[tensor]].all())

    def points_of(self, tensor: Tensor) -> list[Tensor] | None:
        """Outputs of batch norms that gate all that reaches `tensor`.

        None if a `Gate` must.
        """
        call = self.producer[tensor[:2]]
        if call.kind == THROUGH and call.scales:
            points = [self.points_of(source) for source in call.inputs]
            return None if None in points else [p for found in points for p in found]
        if not self._only_leaves(tensor):
            return None
        if call.kind == NORM:
            return [tensor]
        if call.kind == ADD and not call.crossing:
            sources = [self.producer[source[:2]] for source in call.inputs]
            alone = all(self.users[source] == [call] for source in call.inputs)
            if alone and all(source.kind == NORM for source in sources):
                return list(call.inputs)
        return None

    def norms_before(self, tensor: Tensor) -> set[str]:
        """Batch norms whose outputs reach the tensor, passed through or added."""
        found, seen, waiting = set(), set(), [tensor]
        while waiting:
            call = self.producer[waiting.pop()[:2]]
            if call.kind == NORM:
                found.add(call.name)
            elif call.kind in (THROUGH, ADD) and call.output not in seen:
                seen.add(call.output)
                # What crosses into another group has left by a gate of its own.
                waiting += [
                    t for p, t in enumerate(call.inputs) if p not in call.crossing
                ]
        return found

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
