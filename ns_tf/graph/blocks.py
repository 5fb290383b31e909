"""Blocks that can leave a network whole: branches that are added to an identity.

A branch is an input of an addition that is computed from another input of the same
addition. Without it the addition passes that input on, and all layers that nothing else
reads go with the branch. So blocks are found in the graph of any network with
shortcuts. A branch beside a projection is none: neither is computed from the other.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np

from ns_tf.graph import activations, weights
from ns_tf.graph.calls import Tensor, functional
from ns_tf.graph.channels import Call, ChannelGraph
from ns_tf.graph.gated import GatedNetwork, Passing
from ns_tf.graph.gates import Edge, Gates
from ns_tf.graph.rules import ADD, MAKE, NORM, THROUGH
from ns_tf.graph.thin import Editor, gate_name
from ns_tf.graph.weights import Key


@dataclasses.dataclass(frozen=True)
class Block:
    """A branch that may be dropped.

    Attributes:
        name: Of the addition.
        edge: Of the addition, by which it reads the branch.
        tensor: What the branch puts out; nothing else reads it.
        layers: The layers that go with it.
        ends: The weights by which the branch can be multiplied.
    """

    name: str
    edge: Edge
    tensor: Tensor
    layers: tuple[str, ...]
    ends: tuple[Key, ...]


def blocks(model: keras.Model, graph: ChannelGraph) -> tuple[Block, ...]:
    """The blocks of a network, in the order in which they are computed.

    A branch whose last layer cannot take a factor, as an attention, is left out. So is
    one that holds another block: no two blocks have a layer in common.

    Args:
        model: The network.
        graph: Its channel graph.
    """
    found = tuple(_Finder(model, graph).blocks())
    return tuple(
        block
        for block in found
        if not any(set(other.layers) < set(block.layers) for other in found)
    )


class _Finder:
    """Who computes and who reads the tensors of a graph."""

    def __init__(self, model: keras.Model, graph: ChannelGraph):
        self.graph = graph
        self.keys = list(weights.weights(model))
        self.layers = {layer.name: layer for layer in functional(model).operations}
        self.producer = {call.output[:2]: call for call in graph.calls}
        self.readers: dict[Tensor, int] = {}
        self.before: dict[Tensor, frozenset] = {}  # Tensors that one is computed from.
        numbers: dict[str, int] = {}
        self.calls: list[tuple[Call, int]] = []
        for call in graph.calls:
            number = numbers.get(call.name, 0)
            numbers[call.name] = number + 1
            self.calls.append((call, number))
            for tensor in call.inputs:
                self.readers[tensor] = self.readers.get(tensor, 0) + 1
        for call in graph.calls:
            known = (self.before.get(t, frozenset()) | {t} for t in call.inputs)
            self.before[call.output] = frozenset().union(*known)
        self.times = numbers

    def blocks(self) -> Iterable[Block]:
        """The blocks, in order."""
        for call, number in self.calls:
            if call.kind != ADD:
                continue
            for place, tensor in enumerate(call.inputs):
                others = [t for p, t in enumerate(call.inputs) if p != place]
                if not self._is_branch(tensor, call, others):
                    continue
                ends, edge = self._ends(tensor), (call.name, number, place)
                if ends:
                    layers = self._without(edge)
                    yield Block(call.name, edge, tensor, layers, ends)

    def _is_branch(self, tensor: Tensor, call: Call, others: list[Tensor]) -> bool:
        """Whether a tensor is computed from another one that the addition passes on."""
        shape = self.graph.shapes[call.output]
        return (
            self.readers[tensor] == 1
            and tensor not in self.graph.outputs
            and any(
                other in self.before.get(tensor, ())
                and self.graph.shapes[other] == shape
                for other in others
            )
        )

    def _ends(self, tensor: Tensor) -> tuple[Key, ...]:
        """The weights that multiply a tensor; none if there are none of that kind."""
        while self.readers.get(tensor) == 1:
            call = self.producer[tensor[:2]]
            layer = self.layers[call.name]
            if self.times[call.name] > 1:
                return ()
            if call.kind == THROUGH and call.scales and len(call.inputs) == 1:
                tensor = call.inputs[0]
                continue
            own = [key for key in self.keys if key[0] == call.name]
            names = {name for _, name in own}
            if call.kind == NORM and "gamma" in names:
                return tuple(key for key in own if key[1] in ("gamma", "beta"))
            linear = activations.scales(getattr(layer, "activation", None))
            if call.kind == MAKE and linear and names <= {"kernel", "bias"}:
                return tuple(own)
            return ()
        return ()

    def _without(self, edge: Edge) -> tuple[str, ...]:
        """The layers that nothing reads without an edge, in order."""
        needed = list(self.graph.outputs)
        numbers = {call.output[:2]: number for call, number in self.calls}
        read: set[Tensor] = set()
        while needed:
            tensor = needed.pop()
            if tensor in read or tensor[:2] not in self.producer:
                continue
            read.add(tensor)
            call = self.producer[tensor[:2]]
            place = edge[2] if (call.name, numbers[call.output[:2]]) == edge[:2] else -1
            needed += [t for p, t in enumerate(call.inputs) if p != place]
        left = {tensor[0] for tensor in read}
        return tuple(dict.fromkeys(c.name for c, _ in self.calls if c.name not in left))


def without(
    model: keras.Model, graph: ChannelGraph, dropped: Iterable[Block]
) -> keras.Model:
    """A copy of a network without some blocks; weights are not set.

    Args:
        model: Not changed.
        graph: Its channel graph.
        dropped: Of its blocks.

    Raises:
        InputError: a layer cannot be made again from its configuration.
    """
    editor = _Dropping(graph, [block.edge for block in dropped])
    return editor.copied(model)


class _Dropping(Editor):
    """Copies a network, some inputs of additions left out."""

    def __init__(self, graph: ChannelGraph, edges: Sequence[Edge]):
        super().__init__(graph, np.ones(len(graph.owner), bool), Gates((), {}))
        self.dropped = set(edges)

    def call(self, layer: keras.Operation, *args, **kwargs):
        """Calls the layer; an addition of one input is that input."""
        arguments = keras.tree.flatten((args, kwargs))
        tensors = [x for x in arguments if isinstance(x, keras.KerasTensor)]
        calls = self._which(layer.name, tensors)
        number, call = next(iter(calls.items()))
        left = [
            place
            for place in range(len(tensors))
            if (call.name, number, place) not in self.dropped
        ]
        if len(left) == len(tensors):
            return super().call(layer, *args, **kwargs)
        if len(left) > 1:
            output = layer([tensors[place] for place in left])
            names = set()
        else:
            output, source = tensors[left[0]], call.inputs[left[0]]
            _, names = self.copies.get(id(output), (output, {source}))
        self.copies[id(output)] = (output, {*names, call.output})
        return output


class BlockNetwork(GatedNetwork):
    """A copy of a network with a gate a block, as its second input.

    Args:
        model: Functional or sequential; not changed.
        graph: Its channel graph.
        found: Its blocks. The row of gates has an entry for each, and one that is 1.
    """

    def __init__(self, model: keras.Model, graph: ChannelGraph, found: Sequence[Block]):
        self.blocks = tuple(found)
        super().__init__(model, graph)

    @property
    def size(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    def places(self) -> dict[Edge, Tensor]:
        """The edges by which blocks are read."""
        return {block.edge: block.tensor for block in self.blocks}

    def editor(self, row: keras.KerasTensor) -> Passing:
        """What copies the network."""
        editor = Weighing(self.graph, self.edges, row)
        editor.numbers = self.numbers
        return editor

    @property
    def numbers(self) -> dict[str, int]:
        """Name of a gate -> number of its block."""
        return {gate_name(b.tensor): i for i, b in enumerate(self.blocks)}


class Weighing(Passing):
    """Gates of which a block has one."""

    numbers: Mapping[str, int]

    def gate(
        self, x: keras.KerasTensor, channels: np.ndarray, name: str, rows: int = 1
    ) -> keras.KerasTensor:
        """As of `Editor.gate`; all channels have the gate of the block."""
        return super().gate(x, np.full(x.shape[-1], self.numbers[name]), name, rows)
