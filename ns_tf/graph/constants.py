"""Numbers for each channel that a graph has as constants, as weights of layers.

A table of positions that is added to embeddings, or a factor for each channel, is a
constant among the arguments of a call. A network of fewer channels would need other
constants there. As a weight that no training moves it loses the entries of the channels
that go, as any weight does.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.calls import uncompiled
from ns_tf.graph.own_weights import ELEMENTWISE, OwnWeight, Spread
from ns_tf.graph.remake import copied


def as_weights(model: keras.Model, values: bool = True) -> keras.Model:
    """The model, in which constants of a number for each channel are weights.

    Those that meet an input of the model, as the mean of each colour, stay: no channels
    are there. Of those that are the same for all channels one is left.

    Args:
        model: Functional; not changed.
        values: Whether a copy gets the values of the weights.

    Returns:
        The model itself where it has no such constants; else a copy.

    Raises:
        InputError: a layer cannot be made again from its configuration.

    >>> x = keras.layers.Dense(5, name="a")(keras.Input((3,)))
    >>> model = keras.Model(x._keras_history.operation.input, x + np.arange(5.0))
    >>> [type(one).__name__ for one in as_weights(model).operations]
    ['InputLayer', 'Dense', 'OwnWeight', 'Add']
    """
    found = _found(model)
    if not found:
        return model
    copy = keras.models.clone_model(
        uncompiled(model),
        clone_function=_copy,
        call_function=_calling(found, {one.name for one in model.operations}),
    )
    copy.output_names = model.output_names
    if values:
        own = weights.values(copy)
        weights.assign(copy, {**own, **weights.values(model)})
    return copy


def _copy(operation: keras.Operation) -> keras.Operation:
    """A copy of a layer; an operation that has no weights is itself."""
    return copied(operation) if isinstance(operation, keras.Layer) else operation


def _found(model: keras.Model) -> set[str]:
    """Names of operations by which channels meet a constant of as many numbers."""
    behind: set[int] = set()  # Ids of tensors that a kernel lies before.
    names = set()
    for operation in model.operations:
        makes = any(len(w.shape) > 1 for w in getattr(operation, "weights", ()))
        for node in operation._inbound_nodes:
            channels = any(id(x) in behind for x in node.input_tensors)
            if makes or channels:
                behind.update(map(id, node.output_tensors))
            arguments = node.arguments
            if channels and _place(operation, arguments.args, arguments.kwargs) >= 0:
                names.add(operation.name)
    return names


def _place(
    operation: keras.Operation, args: Sequence, kwargs: Mapping[str, Any]
) -> int:
    """Which argument is a constant of a number for each channel; -1 if none is."""
    tensors = [isinstance(one, keras.KerasTensor) for one in args]
    known = type(operation).__name__ in ELEMENTWISE and not kwargs
    if not known or sorted(tensors) != [False, True]:
        return -1
    place = tensors.index(False)
    array, shape = np.asarray(args[place]), args[1 - place].shape
    fits = 0 < array.ndim <= len(shape) and array.dtype.kind in "biuf"
    if not fits or array.shape[-1] != shape[-1] or array.shape[-1] == 1:
        return -1
    examples = array.ndim == len(shape) and array.shape[0] > 1
    return -1 if examples else place


def _calling(names: set[str], taken: Collection[str]) -> Any:
    """What calls the operations of a copy, some of these names with a weight.

    An operation that is called several times, as in a model that is shared, has one.

    Args:
        names: Of the operations.
        taken: Names that no weight may have.
    """
    holders: dict[str, OwnWeight] = {}

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        place = _place(operation, args, kwargs) if operation.name in names else -1
        if place < 0:
            return operation(*args, **kwargs)
        x, changed, name = args[1 - place], list(args), operation.name
        array = np.asarray(args[place])
        if (array == array[..., :1]).all():  # One number does for all channels.
            changed[place] = array[..., :1]
        else:
            if name not in holders:
                holders[name] = _holder(_unused(f"{name}_constant", taken), array, x)
            changed[place] = holders[name](x)
        return operation(*changed)

    return call


def _unused(name: str, taken: Collection[str]) -> str:
    """The name, with an underscore more as long as it is taken."""
    while name in taken:
        name += "_"
    return name


def _holder(name: str, array: np.ndarray, x: Any) -> OwnWeight:
    """A layer that has a constant as a weight, to be called with a tensor beside it."""
    return OwnWeight(
        array.shape,
        follows=True,
        learned=False,
        initializer=Spread(array),
        name=name,
        dtype=array.dtype.name if array.dtype.kind == "f" else x.dtype,
    )
