"""How many entries every weight has, as a polynomial of the widths.

Read off a network whose widths are all different, so every axis of a weight tells which
widths set its length.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np

from ns_tf.graph.channels import NONE, Axes, ChannelGraph, Tensor
from ns_tf.graph.rules import MAKE
from ns_tf.graph.weights import learnable, names
from ns_tf.networks.costs import ALWAYS
from ns_tf.networks.positions import Count, positions

Sizes = dict[int, tuple[int, int]]  # Group -> (width, factor): factor * width channels.


@dataclasses.dataclass(frozen=True)
class WeightSize:
    """How many entries a weight has, as a polynomial of the widths.

    Attributes:
        layer: The layer's name.
        name: The weight's: "kernel", "gamma", ...
        trainable: Whether it is trained, unless its layer is frozen.
        positions: Pixels, or steps, that it is applied at, over all calls of its layer;
            of an epitome's entries their mean (`ns_tf.networks.positions`).
        terms: (coefficient, width, width) each, or one width more, as in
            `CostPolynomial.collect`.
        differ: The two widths that must differ for the layer to exist; `ALWAYS` if
            it always does.
    """

    layer: str
    name: str
    trainable: bool
    positions: Count
    terms: tuple[tuple[int, ...], ...]
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
    places = positions(model, graph)
    for layer in model.layers:
        trainable = {id(weight) for weight in learnable(layer)}
        for weight, name in zip(layer.weights, names(layer).values(), strict=True):
            axes = graph.axes.get((layer.name, name))
            yield WeightSize(
                layer=layer.name,
                name=weight.name,
                trainable=id(weight) in trainable,
                positions=places[id(weight)],
                terms=tuple(_terms(graph, sizes, weight.shape, axes, layers)),
                differ=vanishing.get(layer.name, ALWAYS),
            )


def _terms(
    graph: ChannelGraph,
    sizes: Sizes,
    shape: Sequence[int],
    axes: Axes | None,
    layers: int,
) -> Iterator[tuple[int, ...]]:
    """(coefficient, width, width) of every term of a weight's number of entries.

    A weight has at most three axes of channels. A term of three widths has all three.
    """
    constant, lengths = 1, []
    for size, channels in zip(shape, axes or (None,) * len(shape), strict=True):
        if channels is None:
            constant *= size
        else:
            lengths.append(axis_length(graph, sizes, channels, layers))
    for factors in itertools.product(*(length.items() for length in lengths)):
        widths = [width for width, _ in factors if width != layers]
        widths += [layers] * (2 - len(widths))
        yield constant * math.prod(times for _, times in factors), *widths


def axis_length(
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
    producer = {call.output[:2]: call for call in graph.calls}
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
            source = producer[call.inputs[0][:2]].name
            if source in vanishing:
                vanishing[call.name] = vanishing[source]
    return vanishing


def _width(graph: ChannelGraph, sizes: Sizes, tensor: Tensor) -> int | None:
    """The width that a tensor's channels follow; None if their number is fixed."""
    channels = graph.channels[tensor]
    group = int(graph.owner[channels[0]]) if channels[0] != NONE else None
    return sizes[group][0] if group in sizes else None
