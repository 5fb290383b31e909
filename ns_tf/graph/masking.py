"""Masks that Keras hands on with tensors, which no argument of a call shows.

An `Embedding` with `mask_zero` puts a mask beside its output. A layer whose `call` has
an argument `mask` gets that of its input where it is given none. The call of such a
layer can be followed as it was written only if no mask comes so.
"""

import inspect

import keras

from ns_tf.graph.calls import keras_class

# Keras's layers that hand a mask on which they were given by name.
_HANDING = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)


def has_mask(x: keras.KerasTensor) -> bool:
    """Whether a mask comes with a tensor.

    >>> words = keras.layers.Embedding(5, 3, mask_zero=True)
    >>> tokens = keras.Input((7,), dtype="int32")
    >>> has_mask(tokens), has_mask(words(tokens))
    (False, True)

    Args:
        x: Symbolic.
    """
    return getattr(x, "_keras_mask", None) is not None


def has_masks(layer: keras.Layer) -> bool:
    """Whether masks come with what the calls of a layer read or make.

    Args:
        layer: Called on symbolic tensors, or not called.
    """
    return any(
        has_mask(x)
        for call in layer._inbound_nodes
        for x in (*call.arguments.keras_tensors, *call.output_tensors)
    )


def takes_masks(layer: keras.Layer) -> bool:
    """Whether the `call` of a layer has an argument that Keras fills with a mask.

    >>> takes_masks(keras.layers.LSTM(3)), takes_masks(keras.layers.Dense(3))
    (True, False)

    Args:
        layer: Of any class.
    """
    called = layer.function if type(layer) is keras.layers.Lambda else layer.call
    names = list(inspect.signature(called).parameters)
    return "mask" in names or any(f"{name}_mask" in names for name in names)


def makes_masks(model: keras.Model) -> bool:
    """Whether a mask may come with some tensor of a model.

    Models within a model do not show the masks of what they put out, and layers of
    one's own those of what they call. So what could make one is said to do so.

    >>> tokens = keras.Input((7,), dtype="int32")
    >>> words = [keras.layers.Embedding(5, 3, mask_zero=one) for one in (True, False)]
    >>> [makes_masks(keras.Model(tokens, one(tokens))) for one in words]
    [True, False]

    Args:
        model: Functional.
    """
    return any(map(_makes_masks, model._flatten_layers(include_self=False)))


def _makes_masks(layer: keras.Layer) -> bool:
    """Whether a layer may put out a mask where none comes in."""
    given = getattr(layer, "mask_zero", False) or isinstance(
        layer, keras.layers.Masking
    )
    if given or any(
        has_mask(x) for call in layer._inbound_nodes for x in call.output_tensors
    ):
        return True
    if type(layer) is keras.layers.Lambda:
        return layer.mask is not None
    kind = keras_class(layer)
    return kind is not type(layer) and _is_of_makers(layer, kind)


def _is_of_makers(layer: keras.Layer, kind: type[keras.Layer]) -> bool:
    """Whether a layer of somebody's class may put out a mask.

    Args:
        layer: Of a class derived from one of Keras's.
        kind: That class of Keras's.
    """
    if type(layer).compute_mask is not kind.compute_mask:
        return True
    within = layer._flatten_layers(include_self=False)
    hands = layer.supports_masking and takes_masks(layer)
    # One of a model is seen where the model is.
    hidden = not hasattr(layer, "operations") and any(
        isinstance(one, _HANDING) for one in within
    )
    return hands or hidden
