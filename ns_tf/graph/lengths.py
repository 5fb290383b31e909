"""Reshapes of a graph that its layers' calls left, for any number of examples.

A `call` on symbolic tensors asks `keras.ops.shape` for lengths. It gets None where
Keras does not know one, and a number where the number of examples had to be fixed.
"""

import math
from typing import Any

import keras
import numpy as np

_EXAMPLES = 2  # The least at which what mixes examples differs from what does not.
_UNKNOWN = 3  # Along an axis whose length is not known, where numbers are needed.
# Entries of a constant: a mask of 512 x 512 tokens. Configurations hold constants as
# text, which is some megabytes for so many numbers.
_LARGEST = 2**18
_RECURRENT = keras.layers.RNN, keras.layers.Bidirectional


def with_lengths(model: keras.Model) -> keras.Model:
    """The graph, in which reshapes have the lengths that Keras did not know.

    >>> x = keras.Input((5, 6))
    >>> model = keras.Model(x, keras.ops.reshape(x, (x.shape[0], 3, 10)))
    >>> [one.newshape for one in with_lengths(model).operations[1:]]
    [(-1, 3, 10)]

    Args:
        model: Of the call of a layer; its reshapes are changed in place.
    """
    for operation in model.operations:
        _infer_length(operation)
    if any(None in _new_shape(one) for one in model.operations):
        _measure_lengths(model)
    return model


def of_any_number(model: keras.Model, examples: int) -> keras.Model:
    """The graph of a fixed number of examples, for any number of them.

    Args:
        model: Of the fixed number; of several rows for each, as windows of an image.
        examples: That number, a prime that no other axis should have as a factor.

    Returns:
        Another model of the same layers.

    Raises:
        ValueError: something else than a reshape, or a constant that is the same for
            all examples, is of their number; or a recurrent layer starts from constants
            that are not zero.
    """
    batches = {examples, *(x.shape[0] for x in model.inputs)}

    def constant(value: Any) -> Any:
        array = None if isinstance(value, keras.KerasTensor) else np.asarray(value)
        if array is None or array.dtype.kind not in "biuf" or not array.ndim:
            return value
        if array.shape[0] in batches and (array == array[:1]).all():
            value, array = value[:1], array[:1]
        if array.shape[0] in batches or array.size > _LARGEST:
            raise ValueError("a constant is of the number of examples, or too large")
        return value

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, _RECURRENT):
            args, kwargs = _started(operation, args, kwargs)
        args, kwargs = keras.tree.map_structure(constant, (args, kwargs))
        return _reshaping(operation, examples)(*args, **kwargs)

    inputs = [
        keras.Input(batch_shape=(None, *x.shape[1:]), dtype=x.dtype)
        for x in model.inputs
    ]
    outputs = model._run_through_graph(inputs, lambda one: one, call_fn=call)
    return keras.Model(inputs, outputs, name=model.name)


def _started(
    layer: keras.Layer, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """The arguments of a recurrent layer, without states of zeros: it begins so itself.

    Raises:
        ValueError: it starts from other constants, of which it would need as many as
            there are examples; or its states outlive a batch.
    """
    given = dict(zip(("sequences", "initial_state"), args, strict=False)) | kwargs
    states = keras.tree.flatten(given.pop("initial_state", None))
    if not states or any(isinstance(x, keras.KerasTensor) for x in states):
        return args, kwargs
    if layer.stateful or any(np.any(x) for x in states):
        raise ValueError("a recurrent layer starts from constants")
    return (given.pop("sequences"),), given


def _reshaping(operation: keras.Operation, examples: int) -> keras.Operation:
    """The operation; a reshape to rows of a fixed number of examples as one to any."""
    shape = _new_shape(operation)
    if not shape or shape[0] in (None, -1) or shape[0] % examples:
        return operation
    if -1 in shape:
        known = -math.prod(shape)
        shape[shape.index(-1)] = math.prod(operation.input.shape) // known
    return type(operation)((-1, *shape[1:]))


def _new_shape(operation: keras.Operation) -> list[int | None]:
    """What a reshape was asked for; nothing for what is none."""
    return list(getattr(operation, "newshape", None) or ())


def _measure_lengths(model: keras.Model) -> None:
    """Lets reshapes find lengths that some layer on the way did not tell Keras.

    An axis of unknown length is taken for the axis of the input at its place; whether
    that is right is seen where layer and model are compared.
    """
    if any(None in x.shape[1:] for x in model.inputs):
        return  # Lengths would be those of the numbers that are drawn.

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        shape = _new_shape(operation)
        if None in shape and shape[0] in (None, -1):
            (x,) = keras.tree.flatten((args, kwargs))
            shape = [x.shape[i] if n is None else n for i, n in enumerate(shape)]
            if -1 in shape:
                shape[shape.index(-1)] = math.prod(x.shape) // -math.prod(shape)
            operation.newshape = (-1, *shape[1:])
        return operation(*args, **kwargs)

    numbers = [drawn(x, np.random.default_rng(0)) for x in model.inputs]
    model._run_through_graph(numbers, lambda one: one, call_fn=call)


def _infer_length(operation: keras.Operation) -> None:
    """Lets a reshape find the length that `keras.ops.shape` did not know.

    Where another one was to be found, it is what is left of the entries of an example.
    """
    shape = _new_shape(operation)
    if shape.count(None) != 1:
        return
    if -1 in shape:
        if shape[0] is not None or None in operation.input.shape[1:]:
            return
        known = math.prod(n for n in shape if n and n > 0)
        shape[shape.index(-1)] = math.prod(operation.input.shape[1:]) // known
    operation.newshape = tuple(-1 if n is None else n for n in shape)


def drawn(x: keras.KerasTensor, rng: np.random.Generator, rows: int = 1) -> Any:
    """Random numbers of the shape and kind of a tensor; whole ones are 0 or 1.

    >>> drawn(keras.Input((None, 5)), np.random.default_rng(0)).shape
    TensorShape([2, 3, 5])

    Args:
        x: Symbolic; an axis of unknown length gets a small one.
        rng: Draws them.
        rows: Of each example along the first axis.
    """
    shape = [x.shape[0] or rows * _EXAMPLES, *(n or _UNKNOWN for n in x.shape[1:])]
    if keras.backend.is_float_dtype(x.dtype):
        return keras.ops.cast(rng.normal(size=shape), x.dtype)
    return keras.ops.cast(rng.integers(0, 2, shape), x.dtype)
