"""Layers that are made of layers, seen through: what one computes, as a model.

A block is often a class: layers in its constructor, and a `call` that calls them and
`keras.ops`. KerasHub's transformers are of such blocks. `call` on symbolic tensors
leaves a graph of the layers within, which is a model within the model then
(`ns_tf.graph.flat`).
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.rules import is_known

_EXAMPLES = 2
_BATCH = 13  # Of calls that ask how many examples there are.
_UNKNOWN = 3  # Along an axis whose length is not known, where numbers are needed.
_LARGEST = 2**18  # Entries of a constant, as a mask, that a configuration holds.
_CLOSE = 1e-4  # Of the largest output: calls are compared in float32 or better.


def traced(
    layer: keras.Operation, given: Sequence[keras.KerasTensor] | None = None
) -> keras.Model | None:
    """What a layer made of layers computes, as a model of these layers.

    It shares the layers, so it has their weights. It is compared with the layer on
    random numbers.

    Args:
        layer: Called in a functional model. A layer, model or operation of Keras's is
            none; neither is a model of a class of its own that overrides `call`.
        given: The tensors that it is called with, where more of their shapes is known
            than its own calls say.

    Returns:
        The model, whose inputs are the tensors that the layer is called with, in the
        order of `keras.tree.flatten` of its arguments. None for a layer that has
        weights of its own beside its layers', a mask or a rule; whose calls differ;
        that adds losses; that computes something else in training than its layers do;
        or whose `call` takes no symbolic tensors.

    >>> class Twice(keras.layers.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(3, name="dense")
    ...
    ...     def call(self, x):
    ...         return self.dense(keras.ops.relu(self.dense(x)))
    >>> twice, image = Twice(), keras.Input((3,))
    >>> output = twice(image)
    >>> [type(one).__name__ for one in traced(twice).operations]
    ['InputLayer', 'Dense', 'Relu']
    """
    if not is_block(layer):
        return None
    for examples in (None, _BATCH):
        try:
            model = _graph(layer, given, examples)
        except Exception:  # `call` is anybody's code: it may ask for their number.
            continue
        try:
            return model if model is not None and _same(layer, model) else None
        except Exception:
            return None
    return None


def tensors(args: tuple, kwargs: dict[str, Any]) -> list[keras.KerasTensor]:
    """The symbolic tensors among the arguments of a call, in order.

    Args:
        args: Arguments by position.
        kwargs: Arguments by name.
    """
    values = keras.tree.flatten((args, kwargs))
    return [x for x in values if isinstance(x, keras.KerasTensor)]


def is_block(layer: keras.Operation) -> bool:
    """Whether it is a layer of a class outside of Keras, whose weights are of layers.

    Args:
        layer: A layer, model or operation.

    >>> is_block(keras.layers.LSTM(3))
    False
    """
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        return False
    if type(layer).__module__.partition(".")[0] == "keras" or is_known(layer):
        return False
    within = layer._flatten_layers(include_self=False)
    theirs = {id(variable) for inner in within for variable in inner.variables}
    own = any(id(variable) not in theirs for variable in layer.variables)
    return bool(theirs) and not own and not _takes_masks(layer)


def _takes_masks(layer: keras.Layer) -> bool:
    """Whether Keras gives its calls masks that no argument of theirs shows."""
    names = list(inspect.signature(layer.call).parameters)
    if "mask" in names or any(f"{name}_mask" in names for name in names):
        return True
    return any(
        getattr(x, "_keras_mask", None) is not None
        for call in layer._inbound_nodes
        for x in call.arguments.keras_tensors
    )


def _graph(
    layer: keras.Layer,
    given: Sequence[keras.KerasTensor] | None,
    examples: int | None = None,
) -> keras.Model | None:
    """The graph that its call leaves; None if calls or phases differ.

    Args:
        layer: Made of layers.
        given: As of `traced`.
        examples: How many there are while it is called; None is any number.
    """
    first, *others = (_Call(node.arguments) for node in layer._inbound_nodes)
    if any(other.alike != first.alike for other in others):
        return None
    inner = layer._flatten_layers(include_self=False)
    called = [(one, len(one._inbound_nodes)) for one in inner]
    model = first.model(layer, given=given, examples=examples)
    if _has_phases(layer):
        other = first.model(layer, training=True, given=given, examples=examples)
        if _kinds(model) != _kinds(other):
            return None
    if examples is not None:
        for one, count in called:  # They are no calls of any number of examples.
            del one._inbound_nodes[count:]
        model = _of_any_number(model, examples)
    if {*map(id, layer.weights)} != {*map(id, model.weights)}:
        return None
    return model


def _has_phases(layer: keras.Layer) -> bool:
    """Whether its call is told whether it is a training's."""
    return "training" in inspect.signature(layer.call).parameters


def _kinds(model: keras.Model) -> list[type]:
    return [type(operation) for operation in model.operations]


class _Call:
    """The arguments of a call of a layer, tensors apart."""

    def __init__(self, arguments: Any):
        self.args, self.kwargs = arguments.args, dict(arguments.kwargs)
        self.kwargs.pop("training", None)
        self.tensors = tensors(self.args, self.kwargs)

    @property
    def alike(self) -> tuple:
        """What calls that one graph stands for have in common."""
        args, kwargs = self.filled(repr(_spec(x)) for x in self.tensors)
        return repr(args), repr(kwargs)

    def filled(self, values: Iterator) -> tuple[tuple, dict[str, Any]]:
        """The arguments with other values in place of the tensors."""
        values = iter(values)
        return keras.tree.map_structure(
            lambda x: next(values) if isinstance(x, keras.KerasTensor) else x,
            (self.args, self.kwargs),
        )

    def model(
        self,
        layer: keras.Layer,
        training: bool | None = None,
        given: Sequence[keras.KerasTensor] | None = None,
        examples: int | None = None,
    ) -> keras.Model:
        """The model of what the layer calls."""
        tensors = self.tensors if given is None else given
        inputs = [
            keras.Input(batch_shape=(examples, *x.shape[1:]), dtype=x.dtype)
            for x in tensors
        ]
        args, kwargs = self.filled(inputs)
        if _has_phases(layer):
            kwargs["training"] = training
        model = keras.Model(inputs, layer.call(*args, **kwargs), name=layer.name)
        for operation in model.operations:
            _infer_length(operation)
        return model


def _of_any_number(model: keras.Model, examples: int) -> keras.Model:
    """The graph of a fixed number of examples, for any number of them.

    Args:
        model: Of the fixed number.
        examples: That number, which no other axis should have.

    Raises:
        ValueError: something else than a reshape, or a constant that is the same for
            all examples, is of their number.
    """

    def constant(value: Any) -> Any:
        array = None if isinstance(value, keras.KerasTensor) else np.asarray(value)
        if array is None or array.dtype.kind not in "biuf" or not array.ndim:
            return value
        if array.shape[0] == examples and (array == array[:1]).all():
            value, array = value[:1], array[:1]
        if array.shape[0] == examples or array.size > _LARGEST:
            raise ValueError("a constant is of the number of examples, or too large")
        return value

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(constant, (args, kwargs))
        return _reshaping(operation, examples)(*args, **kwargs)

    inputs = [
        keras.Input(batch_shape=(None, *x.shape[1:]), dtype=x.dtype)
        for x in model.inputs
    ]
    outputs = model._run_through_graph(inputs, lambda one: one, call_fn=call)
    return keras.Model(inputs, outputs, name=model.name)


def _reshaping(operation: keras.Operation, examples: int) -> keras.Operation:
    """The operation; a reshape to a fixed number of examples as one to any number."""
    shape = getattr(operation, "newshape", None)
    if not shape or shape[0] != examples or -1 in shape:
        return operation
    return type(operation)((-1, *shape[1:]))


def _infer_length(operation: keras.Operation) -> None:
    """Lets a reshape find the length that `keras.ops.shape` did not know.

    Where another one was to be found, it is what is left of the entries of an example.
    """
    shape = list(getattr(operation, "newshape", None) or ())
    if shape.count(None) != 1:
        return
    if -1 in shape:
        if shape[0] is not None or None in operation.input.shape[1:]:
            return
        known = math.prod(n for n in shape if n and n > 0)
        shape[shape.index(-1)] = math.prod(operation.input.shape[1:]) // known
    operation.newshape = tuple(-1 if n is None else n for n in shape)


def _spec(x: keras.KerasTensor) -> tuple:
    return tuple(x.shape), x.dtype


def _same(layer: keras.Layer, model: keras.Model) -> bool:
    """Whether layer and model compute the same of random numbers."""
    rng = np.random.default_rng(0)
    numbers = [_drawn(x, rng) for x in model.inputs]
    args, kwargs = _Call(layer._inbound_nodes[0].arguments).filled(numbers)
    ones = keras.tree.flatten(layer(*args, **kwargs))
    others = keras.tree.flatten(model(numbers))
    return len(ones) == len(others) and all(
        one.dtype == other.dtype and _close(np.asarray(one), np.asarray(other))
        for one, other in zip(ones, others, strict=True)
    )


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outputs are equal but for rounding."""
    if one.shape != other.shape:
        return False
    return bool(np.allclose(one, other, rtol=0, atol=_CLOSE * np.abs(one).max()))


def _drawn(x: keras.KerasTensor, rng: np.random.Generator) -> Any:
    """Random numbers of the shape and kind of a tensor; whole ones are 0 or 1."""
    shape = [_EXAMPLES, *(n or _UNKNOWN for n in x.shape[1:])]
    if keras.backend.is_float_dtype(x.dtype):
        return keras.ops.cast(rng.normal(size=shape), x.dtype)
    return keras.ops.cast(rng.integers(0, 2, shape), x.dtype)
