"""At how many positions every weight is applied in one forward pass of one example.

A position is a pixel of an image, a step of a sequence, or both. A multiply-add of a
kernel's entry happens once at each.
"""

import collections
import functools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, reason_of
from ns_tf.graph.calls import (
    arguments,
    functional,
    graph_config,
    has_graph,
    uncompiled,
)
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.own_weights import OwnWeight
from ns_tf.graph.rules.attention import streams
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.layers import EpitomeLayer
from ns_tf.networks.products import products

Shape = Sequence[int | None]  # With the batch axis.
Count = int | Fraction
layers = keras.layers
ATTENTIONS = layers.MultiHeadAttention, layers.GroupQueryAttention


def positions(model: keras.Model, graph: ChannelGraph) -> Mapping[int, Count]:
    """Positions that every weight is applied at, over all calls, by the weight's id.

    A weight is applied at every position that its layer puts out, with these
    exceptions. The kernel of a transposed convolution is applied at every pixel that
    comes in. Those of a recurrent layer are applied at every step, whether it puts out
    all of them or the last. The key's and the value's of an attention are applied at
    every token that they read. An entry of an epitome is applied as often as it is in
    the kernel, on average over its entries. Models within the model and layers within
    layers are followed. An axis of unknown length counts as one position. Where a
    reshape took windows into the axis of examples, those of all windows count. A layer
    that reads no examples, as a table of weights, counts as for one example. The weight
    of an `OwnWeight` is applied where products read it or what is made of it.

    Args:
        model: Functional.
        graph: Its channel graph.
    """
    operations = {operation.name: operation for operation in model.operations}
    written = functools.cache(lambda: _written(model))
    found: dict[int, Count] = collections.Counter(products(model, graph))
    for call in graph.calls:
        operation = operations[call.name]
        if getattr(operation, "weights", None) and not isinstance(operation, OwnWeight):
            reads = [graph.shapes[tensor] for tensor in call.inputs]
            makes = graph.shapes[call.output]
            if isinstance(operation, ATTENTIONS) and len(set(reads)) > 1:
                reads = _streams(written()[call.output[:2]], reads)
            rows = graph.rows.get(call.inputs[0], 1)
            if not rows:  # No axis of examples: one of a single example.
                reads, makes = [(1, *shape) for shape in reads], (1, *makes)
            own = _of(operation, reads, makes)
            times = max(1, rows)
            found.update({weight: times * count for weight, count in own.items()})
    return found


def _written(model: keras.Model) -> dict[tuple[str, int], dict[str, Any]]:
    """(operation, call) -> its arguments, as the model saves them."""
    return {
        (layer["name"], number): node
        for layer in graph_config(functional(model))["layers"]
        for number, node in enumerate(layer["inbound_nodes"])
    }


def _streams(node: dict[str, Any], reads: Sequence[Shape]) -> Sequence[Shape]:
    """Of the inputs of an attention's call the query, the value and the key."""
    places = streams(*arguments(node))
    return [reads[place] for place in places.values()] if places else reads


def _of(layer: keras.Layer, reads: Sequence[Shape], makes: Shape) -> dict[int, Count]:
    """Positions of the weights of one call of a layer, by the weight's id.

    Args:
        layer: Built.
        reads: The shapes of its inputs; of an attention those of the query, the value
            and the key, which may be left out.
        makes: The shape of its first output.
    """
    if has_graph(layer):
        return _within(layer, tuple(reads[0][1:]))
    if isinstance(layer, layers.Bidirectional):
        sides = (layer.forward_layer, layer.backward_layer)
        return {k: n for side in sides for k, n in _of(side, reads, makes).items()}
    if isinstance(layer, layers.TimeDistributed):
        steps = reads[0][1] or 1
        every = _of(layer.layer, [_at_once(s) for s in reads], _at_once(makes))
        return {weight: steps * count for weight, count in every.items()}
    if isinstance(layer, layers.Wrapper):
        return _of(layer.layer, reads, makes)
    if isinstance(layer, layers.RNN):
        out = _at_once(makes) if layer.return_sequences else makes
        return _all(layer, (reads[0][1] or 1) * _pixels(layer, out))
    if isinstance(layer, ATTENTIONS):
        value, key = reads[1], reads[-1]
        return {
            **_all(layer, _pixels(layer, makes)),
            **_all(layer._value_dense, _pixels(layer, value)),
            **_all(layer._key_dense, _pixels(layer, key)),
        }
    if isinstance(layer, layers.EinsumDense):
        return _all(layer, _einsum_positions(layer, reads[0]))
    if isinstance(layer, EpitomeLayer):
        entries = math.prod(layer.how.epitome)
        times = Fraction(layer.how.multiply_adds, entries)
        return _all(layer, times * _pixels(layer, makes))
    transposed = "Transpose" in type(layer).__name__
    return _all(layer, _pixels(layer, reads[0] if transposed else makes))


def _all(layer: keras.Layer, count: Count) -> dict[int, Count]:
    """The same number of positions for all weights of a layer."""
    return {id(weight): count for weight in layer.weights}


def _at_once(shape: Shape) -> Shape:
    """The shape of one step of a sequence: [batch, steps, ...] -> [batch, ...]."""
    return (shape[0], *shape[2:])


def _pixels(layer: keras.Layer, shape: Shape) -> int:
    """Positions of a tensor: all of its axes but the batch's and the channels'."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return int(np.prod([n or 1 for n in (shape[2:] if first else shape[1:-1])]))


def _einsum_positions(layer: layers.EinsumDense, reads: Shape) -> int:
    """Entries of an example over those that an entry of the kernel's output sums."""
    inputs, kernel = layer.equation.replace(" ", "").partition("->")[0].split(",")
    axes = zip(kernel, layer.kernel.shape, strict=True)
    summed = int(np.prod([size for name, size in axes if name in inputs]))
    return int(np.prod([n or 1 for n in reads[1:]])) // summed


def _within(model: keras.Model, shape: tuple) -> dict[int, Count]:
    """`positions` of a model within, whose first input has this shape in the call.

    The model may be declared for other image sizes; then a copy of the call's size is
    counted.

    Args:
        model: Sequential or functional.
        shape: Without the batch axis.

    Raises:
        InputError: Keras cannot make the copy.
    """
    inner = functional(model)
    if inner.inputs[0].shape[1:] == shape:
        return dict(positions(inner, channel_graph(inner)))
    tensors = keras.tree.map_structure(
        lambda one: keras.Input(shape if one is inner.inputs[0] else one.shape[1:]),
        inner.input,
    )
    try:
        copy = keras.models.clone_model(uncompiled(inner), input_tensors=tensors)
    except Exception as error:  # Keras raises what its parts raise.
        size = "x".join(str(n) for n in shape)
        raise InputError(
            f"Model {model.name!r} cannot be made again for the {size} that it reads: "
            f"{reason_of(error)} Declare its keras.Input of this size."
        ) from error
    found = positions(copy, channel_graph(copy))
    pairs = zip(inner.weights, copy.weights, strict=True)
    return {id(weight): found[id(copied)] for weight, copied in pairs}
