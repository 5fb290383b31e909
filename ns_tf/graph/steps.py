"""Models that are applied at every step of a sequence: steps as examples.

`TimeDistributed(backbone)` applies a model to each image of a video. That is what the
model computes of all images at once, if they are taken for examples: the axis of steps
goes into that of examples before the model, and comes out behind it.

A layer whose statistics a training updates, as a batch norm, sees the examples of one
step at a time. It is put into a `TimeDistributed` of its own, which keeps that so.
"""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.calls import functional, has_graph
from ns_tf.graph.lengths import drawn
from ns_tf.graph.remake import copied

_CLOSE = 1e-4  # Of the largest output.


def is_stepped(operation: keras.Operation) -> bool:
    """Whether it applies a model with a graph at every step of a sequence.

    >>> inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> layer = keras.layers.TimeDistributed(inner)
    >>> is_stepped(layer), is_stepped(inner)
    (True, False)

    Args:
        operation: A layer, model or operation.
    """
    kind = type(operation) is keras.layers.TimeDistributed
    return kind and has_graph(operation.layer) and operation.layer.built


def by_step(layer: keras.layers.TimeDistributed) -> list[keras.Layer]:
    """The layers within that see the examples of one step at a time in a training.

    Args:
        layer: That `is_stepped`.
    """
    return [
        one
        for one in layer.layer._flatten_layers(include_self=False)
        if one.trainable and one._non_trainable_variables and one._call_has_training_arg
    ]


def hides(operation: keras.Operation, stepped: Collection[int]) -> bool:
    """Whether layers that see one step at a time are within something else.

    Args:
        operation: That is copied as a whole.
        stepped: Ids of the layers, as of `by_step`.
    """
    if is_stepped(operation) or not isinstance(operation, keras.layers.Layer):
        return False  # The first keeps its steps apart itself.
    within = operation._flatten_layers(include_self=False)
    return any(id(one) in stepped for one in within)


def as_examples(
    layer: keras.layers.TimeDistributed, given: keras.KerasTensor
) -> keras.Model | None:
    """What the layer computes, as a model that calls the model within once.

    Args:
        layer: That `is_stepped`; not changed.
        given: What it is called on.

    Returns:
        None where a length is not known, where masks go with the steps, where the model
        within keeps states, has several inputs or outputs, or is not applied to each
        example by itself, and where steps within steps have statistics.

    >>> inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> layer, x = keras.layers.TimeDistributed(inner), keras.Input((5, 3))
    >>> y = layer(x)
    >>> [type(one).__name__ for one in as_examples(layer, x).operations]
    ['InputLayer', 'Reshape', 'Sequential', 'Reshape']
    """
    inner = functional(layer.layer)
    within = list(layer.layer._flatten_layers(include_self=False))
    nested = any(isinstance(one, keras.layers.TimeDistributed) for one in within)
    if (
        None in given.shape[1:]
        or getattr(given, "_keras_mask", None) is not None
        or len(inner.inputs) != 1
        or len(inner.outputs) != 1
        or any(getattr(one, "stateful", False) for one in within)
        or (nested and by_step(layer))
    ):
        return None
    calls = len(layer.layer._inbound_nodes)
    x = keras.Input(batch_shape=given.shape, dtype=given.dtype)
    try:
        made = layer.layer(keras.ops.reshape(x, (-1, *given.shape[2:])))
        if None in made.shape[1:]:
            return None
        y = keras.ops.reshape(made, (-1, given.shape[1], *made.shape[1:]))
        model = keras.Model(x, y, name=layer.name)
    finally:
        del layer.layer._inbound_nodes[calls:]  # It is no call of the user's model.
    return model if _alone(inner) or _same(layer, model) else None


def _alone(model: keras.Model) -> bool:
    """Whether it has layers of Keras's only, which read each example by itself."""
    return all(map(_of_keras, model._flatten_layers()))


def _of_keras(layer: keras.layers.Layer) -> bool:
    """Whether it is one of Keras's; a model, whether it has no operations."""
    if type(layer).__module__.partition(".")[0] != "keras":
        return False
    if has_graph(layer) and layer.built:
        operations = functional(layer).operations
        return all(isinstance(one, keras.layers.Layer) for one in operations)
    return not isinstance(layer, keras.layers.Lambda)


def _same(layer: keras.layers.TimeDistributed, model: keras.Model) -> bool:
    """Whether layer and model compute the same of random numbers."""
    numbers = drawn(model.inputs[0], np.random.default_rng(0))
    one, other = np.asarray(layer(numbers)), np.asarray(model(numbers))
    return np.allclose(one, other, rtol=0, atol=_CLOSE * np.abs(one).max(initial=0))


def stepped(layer: keras.Layer, name: str) -> keras.layers.TimeDistributed:
    """A copy of a layer that is applied at every step, not built.

    Args:
        layer: The original.
        name: Of the copy.

    Raises:
        InputError: it cannot be made again from its configuration, or is called on
            something else than one tensor without a mask.
    """
    if not all(map(is_plain, layer._inbound_nodes)):
        raise InputError(
            f"{layer.name!r} is called on several tensors, by name or with a mask, so "
            "it cannot be applied at every step by itself."
        )
    inner = copied(layer, name=f"{name}_step")
    return keras.layers.TimeDistributed(inner, name=name, dtype=layer.dtype_policy)


def is_plain(call: Any) -> bool:
    """Whether a call of a layer is of one tensor, by its place, without a mask.

    Args:
        call: A node of the layer's.
    """
    args, tensors = call.arguments.args, call.arguments.keras_tensors
    one = len(args) == len(tensors) == 1 and args[0] is tensors[0]
    return one and getattr(tensors[0], "_keras_mask", None) is None


def of_examples(
    layer: keras.layers.TimeDistributed,
    x: keras.KerasTensor,
    *,
    steps: int,
    **options: Any,
) -> keras.KerasTensor:
    """What a layer that is applied at every step makes of steps among the examples.

    Args:
        layer: Of `stepped`.
        x: [batch * steps, ...].
        steps: How many an example has; 1 where there is no sequence.
        **options: Of the call.
    """
    if steps == 1:  # Lengths need not be known.
        return keras.ops.squeeze(layer(keras.ops.expand_dims(x, 1), **options), 1)
    y = layer(keras.ops.reshape(x, (-1, steps, *x.shape[1:])), **options)
    return keras.ops.reshape(y, (-1, *y.shape[2:]))
