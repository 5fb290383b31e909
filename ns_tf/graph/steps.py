"""Models that are applied at every step of a sequence: steps as examples.

`TimeDistributed(backbone)` applies a model to each image of a video. That is what the
model computes of all images at once, if they are taken for examples: the axis of steps
goes into that of examples before the model, and comes out behind it.

A layer whose statistics a training updates, as a batch norm, sees the examples of one
step at a time. It is put into a `TimeDistributed` of its own, which keeps that so.
"""

from typing import Any

import keras
import numpy as np

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
    made = layer.layer(keras.ops.reshape(x, (-1, *given.shape[2:])))
    if None not in made.shape[1:]:
        y = keras.ops.reshape(made, (-1, given.shape[1], *made.shape[1:]))
        model = keras.Model(x, y, name=layer.name)
    del layer.layer._inbound_nodes[calls:]  # It is no call of the user's model.
    known = None not in made.shape[1:] and (_alone(inner) or _same(layer, model))
    return model if known else None


def _alone(model: keras.Model) -> bool:
    """Whether it has layers of Keras's only, which read each example by itself."""
    return all(
        isinstance(one, keras.layers.Layer)
        and type(one).__module__.partition(".")[0] == "keras"
        and not isinstance(one, keras.layers.Lambda)
        and (not has_graph(one) or _alone(functional(one)))
        for one in model.operations
    )


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
        InputError: it cannot be made again from its configuration.
    """
    inner = copied(layer, name=f"{name}_step")
    return keras.layers.TimeDistributed(inner, name=name, dtype=layer.dtype_policy)


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
