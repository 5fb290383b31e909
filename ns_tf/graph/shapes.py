"""The shapes that a model takes, and a copy of it for others."""

import keras

from ns_tf.base import InputError, refusing
from ns_tf.graph import weights
from ns_tf.graph.calls import alone, input_names, uncompiled
from ns_tf.graph.compilation import carried
from ns_tf.graph.remake import copied
from ns_tf.parts import Parts, parts


def shape_of(model: keras.Model) -> tuple[int | None, ...] | Parts:
    """The shape of an example; `Parts` of shapes of several inputs.

    Args:
        model: Functional.
    """
    shapes = Parts(tuple(tensor.shape[1:]) for tensor in model.inputs)
    return shapes if len(shapes) > 1 else shapes[0]


def check_outputs(model: keras.Model) -> None:
    """Refuses outputs whose last axis is missing, or as long as a batch.

    Axes that the model leaves open get the lengths of the data.

    Args:
        model: Functional.

    Raises:
        InputError: naming the layer or the operation that puts one out.
    """
    for tensor in model.outputs:
        if len(tensor.shape) < 2:
            name = tensor._keras_history.operation.name
            raise InputError(
                f"{model.name!r} puts out one number an example, of shape (None,), by "
                f"{name!r}. Keep the last axis, as Dense(1) has it: (None, 1)."
            )
        if tensor.shape[-1] is None and not open_axes(model):
            name = tensor._keras_history.operation.name
            raise InputError(
                f"{model.name!r} puts out {tensor.shape} by {name!r}, whose last axis "
                "has no fixed length. Where it counts the examples of a batch, put out "
                "what is compared, and compare in the loss."
            )


def listed(model: keras.Model) -> keras.Model:
    """The model with its inputs in a list, if they are a dictionary or nested.

    It can be called with a tuple in the order of `model.inputs` then, and with a
    dictionary of the names of the inputs as before. An input or an output that is alone
    in a list or a dictionary is a tensor then, as losses and layers behind it take it.

    Args:
        model: Functional.

    Returns:
        The model itself where they are; else one of the same layers, not compiled.
    """
    inputs, outputs = alone(model.input), alone(model.output)
    flat = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if not all(isinstance(tensor, keras.KerasTensor) for tensor in flat):
        inputs = model.inputs
    if inputs is model.input and outputs is model.output:
        return model
    return keras.Model(inputs, outputs, name=model.name)


def with_shape(model: keras.Model, shape: tuple[int, ...] | Parts) -> keras.Model:
    """The model for examples of one shape, where it leaves lengths of axes open.

    Args:
        model: Functional; not changed.
        shape: Of an example; `Parts` of shapes of several inputs.

    Returns:
        A copy with the same weights; the model itself where no axis is open, or where
        the known ones are of other lengths, which its user has to be told.

    Raises:
        InputError: a layer cannot be made or called for that shape.
    """
    own, wanted = parts(shape_of(model)), parts(shape)
    fits = len(own) == len(wanted) and all(map(_fits, own, wanted))
    if not open_axes(model) or not fits:
        return model
    inputs = [
        keras.Input(size, dtype=tensor.dtype, name=name)
        for size, tensor, name in zip(
            wanted, model.inputs, input_names(model), strict=True
        )
    ]
    with refusing(f"{model.name!r} cannot be made for the shape of the data"):
        copy = keras.models.clone_model(
            uncompiled(model),
            input_tensors=keras.tree.pack_sequence_as(model.input, inputs),
            clone_function=_copied,
        )
    weights.assign(copy, weights.values(model))
    return carried(model, copy)


def of_lengths(model: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """The model at the lengths that a user names for the axes that it leaves open.

    Args:
        model: Functional; not changed.
        shape: Of an example; empty if none is named.

    Returns:
        As of `with_shape`; the model itself where no shape is named.

    Raises:
        InputError: the model takes other inputs, or cannot be made for these.
    """
    if not shape:
        return model
    own = parts(shape_of(model))
    if len(own) > 1:
        raise InputError(
            f"{model.name!r} has {len(own)} inputs, and --input_shape is of one. Leave "
            "it out; make the model with the lengths that are open."
        )
    if not _fits(own[0], tuple(shape)):
        raise InputError(
            f"{model.name!r} takes inputs {own[0]}; --input_shape is {tuple(shape)}. "
            "Leave it out, or give the lengths in place of None."
        )
    return with_shape(model, tuple(shape))


def open_axes(model: keras.Model) -> bool:
    """Whether an example of the model may have axes of any length."""
    return any(size is None for shape in parts(shape_of(model)) for size in shape)


def _fits(own: tuple[int | None, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an example of the wanted shape can be fed."""
    pairs = zip(own, wanted, strict=False)
    return len(own) == len(wanted) and all(a in (None, b) for a, b in pairs)


def _copied(operation: keras.Operation) -> keras.Operation:
    """A layer made again; an operation that has no weights is itself."""
    layer = isinstance(operation, keras.layers.Layer)
    return copied(operation) if layer else operation
