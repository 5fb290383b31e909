"""How many entries every weight has, as a polynomial of the widths.

Read off a network whose widths are all different, so every axis of a weight tells which
widths set its length.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from ns_tf.graph.calls import functional, has_graph, uncompiled
from ns_tf.graph.channels import NONE, Axes, ChannelGraph, Tensor
from ns_tf.graph.rules import MAKE
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.costs import ALWAYS

Sizes = dict[int, tuple[int, int]]  # Group -> (width, factor): factor * width channels.


@dataclasses.dataclass(frozen=True)
class WeightSize:
    """How many entries a weight has, as a polynomial of the widths.

    Attributes:
        layer: The layer's name.
        name: The weight's: "kernel", "gamma", ...
        trainable: Whether it is trained.
        positions: Pixels that it is applied at, over all calls of its layer.
        terms: (coefficient, width, width) each, as in `CostPolynomial.collect`.
        differ: The two widths that must differ for the layer to exist; `ALWAYS` if
            it always does.
    """

    layer: str
    name: str
    trainable: bool
    positions: int
    terms: tuple[tuple[int, int, int], ...]
    differ: tuple[int, int]


def weight_sizes(
    model: keras.Model,
    graph: ChannelGraph,
    sizes: Sizes,
    vanishing: Mapping[str, tuple[int, int]],
    layers: int,
) -> Iterator[WeightSize]:
    """The size of every weight of the model.

    Args:
        model: At widths that are all different.
        graph: Its channel graph.
        sizes: Group -> (width, factor).
        vanishing: As `vanishing_layers` returns it.
        layers: Number of widths.
    """
    positions = _positions(model, graph)
    for layer in model.layers:
        trainable = {id(weight) for weight in layer.trainable_variables}
        for weight in layer.weights:
            axes = graph.axes.get((layer.name, weight.name))
            yield WeightSize(
                layer=layer.name,
                name=weight.name,
                trainable=id(weight) in trainable,
                positions=positions[id(weight)],
                terms=tuple(_terms(graph, sizes, weight.shape, axes, layers)),
                differ=vanishing.get(layer.name, ALWAYS),
            )


def _terms(
    graph: ChannelGraph,
    sizes: Sizes,
    shape: Sequence[int],
    axes: Axes | None,
    layers: int,
) -> Iterator[tuple[int, int, int]]:
    """(coefficient, width, width) of every term of a weight's number of entries.

    A weight has at most two axes of channels, so its size is of degree two.
    """
    constant, lengths = 1, []
    for size, channels in zip(shape, axes or (None,) * len(shape), strict=True):
        if channels is None:
            constant *= size
        else:
            lengths.append(_axis(graph, sizes, channels, layers))
    lengths += [{layers: 1}] * (2 - len(lengths))
    for (one, a), (other, b) in itertools.product(
        lengths[0].items(), lengths[1].items()
    ):
        yield constant * a * b, one, other


def _axis(
    graph: ChannelGraph, sizes: Sizes, channels: np.ndarray, layers: int
) -> dict[int, int]:
    """Length of an axis as a sum: width -> times; `layers` stands for the constant 1.

    Args:
        graph: At widths that are all different.
        sizes: Group -> (width, factor).
        channels: [axis] channel numbers.
        layers: Number of widths.
    """
    length: dict[int, int] = {}
    owners, counts = np.unique(
        np.where(channels == NONE, NONE, graph.owner[channels]), return_counts=True
    )
    for owner, count in zip(owners, counts, strict=True):
        width, times = layers, int(count)
        if owner != NONE and owner in sizes:
            width, factor = sizes[owner]
            times = times // graph.groups[owner].size * factor
        length[width] = length.get(width, 0) + times
    return length


def vanishing_layers(
    graph: ChannelGraph, sizes: Sizes, present: set[str]
) -> dict[str, tuple]:
    """The layers that are missing where two widths agree.

    These are projections, whose input and output have the two widths, and the batch
    norms behind them.

    Args:
        graph: At widths that are all different.
        sizes: Group -> (width, factor).
        present: Layers that exist where all widths agree.

    Returns:
        Layer -> the two widths that must differ for it to exist, the smaller index
        first.
    """
    vanishing: dict[str, tuple] = {}
    producer = {call.output: call for call in graph.calls}
    for call in graph.calls:
        if call.name in present:
            continue
        if call.kind == MAKE:
            ends = [
                _width(graph, sizes, tensor) for tensor in (call.inputs[0], call.output)
            ]
            if None not in ends:
                vanishing[call.name] = tuple(sorted(ends))
        else:  # A norm behind a projection goes when the projection goes.
            source = producer[call.inputs[0]].name
            if source in vanishing:
                vanishing[call.name] = vanishing[source]
    return vanishing


def _width(graph: ChannelGraph, sizes: Sizes, tensor: Tensor) -> int | None:
    """The width that a tensor's channels follow; None if their number is fixed."""
    channels = graph.channels[tensor]
    group = int(graph.owner[channels[0]]) if channels[0] != NONE else None
    return sizes[group][0] if group in sizes else None


def _positions(model: keras.Model, graph: ChannelGraph) -> dict[int, int]:
    """Pixels that every weight is applied at, over all calls, by the weight's id.

    A weight is applied at every pixel that its layer puts out. The kernel of a
    transposed convolution is applied at every pixel that comes in. Models within the
    model are followed to their layers.
    """
    operations = {operation.name: operation for operation in model.operations}
    positions: collections.Counter[int] = collections.Counter()
    for call in graph.calls:
        operation = operations[call.name]
        if has_graph(operation):
            shape = graph.shapes[call.inputs[0]][1:]
            positions.update(_positions_within(operation, shape))
            continue
        transposed = "Transpose" in type(operation).__name__
        shape = graph.shapes[call.inputs[0] if transposed else call.output]
        pixels = int(np.prod([n or 1 for n in shape[1:-1]]))
        weights = getattr(operation, "weights", [])
        positions.update({id(weight): pixels for weight in weights})
    return positions


def _positions_within(model: keras.Model, shape: tuple) -> dict[int, int]:
    """`_positions` of a model within, whose first input has this shape in the call.

    The model may be declared for other image sizes; then a copy of the call's size is
    counted.

    Args:
        model: Sequential or functional.
        shape: Without the batch axis.
    """
    inner = functional(model)
    if inner.inputs[0].shape[1:] == shape:
        return _positions(inner, channel_graph(inner))
    tensors = keras.tree.map_structure(
        lambda one: keras.Input(shape if one is inner.inputs[0] else one.shape[1:]),
        inner.input,
    )
    copy = keras.models.clone_model(uncompiled(inner), input_tensors=tensors)
    positions = _positions(copy, channel_graph(copy))
    pairs = zip(inner.weights, copy.weights, strict=True)
    return {id(weight): positions[id(copied)] for weight, copied in pairs}
