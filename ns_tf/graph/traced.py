"""Layers that are made of layers, seen through: what one computes, as a model.

A block is often a class: layers in its constructor, and a `call` that calls them and
`keras.ops`. KerasHub's transformers are of such blocks. `call` on symbolic tensors
leaves a graph of the layers within, which is a model within the model then
(`ns_tf.graph.flat`).
"""

import dataclasses
import hashlib
import inspect
import math
import types
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.held_weights import with_weights
from ns_tf.graph.lengths import drawn, of_any_number, with_lengths
from ns_tf.graph.masking import has_masks, takes_masks
from ns_tf.graph.own_weights import as_inputs, own
from ns_tf.graph.reads import Reads
from ns_tf.graph.rules import is_known
from ns_tf.graph.symbolic import fed_from, followable, is_array, tensors

_EXAMPLES = 13  # Of calls that ask for their number: a prime that few axes have.
_ROWS = 2**12  # Of an example at most, as windows of an image.
_CLOSE = 1e-4  # Of the largest output: calls are compared in float32 or better.


@dataclasses.dataclass(frozen=True)
class Trace:
    """What a layer made of layers computes.

    Attributes:
        model: Of the layers within. Its inputs are the tensors that the layer is
            called with, in the order of `keras.tree.flatten` of its arguments.
        constants: Of all that the layer puts out, None apart: a constant, or None in
            place of the next output of the model.

    >>> Trace(None, (None, 0.5, None)).outputs(["first", "second"])
    ['first', 0.5, 'second']
    """

    model: keras.Model
    constants: tuple[Any, ...]

    def outputs(self, made: Sequence) -> list:
        """All that the layer puts out.

        Args:
            made: The outputs of the model.
        """
        following = iter(made)
        return [next(following) if c is None else c for c in self.constants]


def traced(
    layer: keras.Operation,
    given: Sequence[keras.KerasTensor] | None = None,
    masks: bool = True,
) -> Trace | None:
    """What a layer made of layers computes, as a model of these layers.

    It shares the layers, so it has their weights. It is compared with the layer on
    random numbers.

    Args:
        layer: Called in a functional model. A layer, model or operation of Keras's is
            none; neither is a model of a class of its own that overrides `call`.
        given: The tensors that it is called with, where more of their shapes is known
            than its own calls say.
        masks: As of `is_block`.

    Returns:
        None for a layer that has a rule, or with whose tensors masks come; whose calls
        differ; that adds losses; that draws random numbers or computes something else
        in training than its layers do; that reads weights of layers by itself or gives
        functions to operations; or whose `call` takes no symbolic tensors.

    >>> class Twice(keras.layers.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(3, name="dense")
    ...
    ...     def call(self, x):
    ...         return self.dense(keras.ops.relu(self.dense(x)))
    >>> twice, image = Twice(), keras.Input((3,))
    >>> output = twice(image)
    >>> [type(one).__name__ for one in traced(twice).model.operations]
    ['InputLayer', 'Dense', 'Relu']
    """
    if not is_block(layer, masks):
        return None
    inner = layer._flatten_layers(include_self=False)
    called = [(one, len(one._inbound_nodes)) for one in inner]
    blocks = [one for one in inner if is_block(one, masks)]
    call = _Call(layer._inbound_nodes[0].arguments)
    for rows in dict.fromkeys((None, 1, call.rows)):
        try:
            trace = _graph(layer, blocks, call, given, rows)
            same = trace is not None and _same(layer, trace, call, rows or 1)
            return trace if same else None
        except Exception:  # `call` is anybody's code: it may ask for their number.
            _forget(called)
    return None


def _forget(called: Sequence[tuple[keras.Layer, int]]) -> None:
    """Calls of layers that came after these counts of calls are none."""
    for one, count in called:
        del one._inbound_nodes[count:]


def is_block(layer: keras.Operation, masks: bool = True) -> bool:
    """Whether it is a layer of a class outside of Keras whose weights are all known.

    They are those of layers within, or attributes; it may have none.

    Args:
        layer: A layer, model or operation.
        masks: Whether masks may come with tensors, though none is seen
            (`ns_tf.graph.masking.makes_masks`). One that takes a mask is none then.

    >>> is_block(keras.layers.LSTM(3))
    False
    """
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        return False
    function = type(layer) is keras.layers.Lambda
    keras_own = type(layer).__module__.partition(".")[0] == "keras"
    if (keras_own and not function) or is_known(layer):
        return False
    if has_masks(layer) or (masks and takes_masks(layer)):
        return False
    if layer.activity_regularizer is not None:
        return False  # It adds a loss that no layer within has.
    return own(layer) is not None


def _graph(
    layer: keras.Layer,
    blocks: Sequence[keras.Layer],
    call: "_Call",
    given: Sequence[keras.KerasTensor] | None,
    rows: int | None,
) -> Trace | None:
    """The graph that its call leaves; None if calls or phases differ.

    Args:
        layer: Made of layers.
        blocks: Those within it.
        call: The first one of the layer.
        given: As of `traced`.
        rows: Of each example while it is called, where it is called on a fixed number
            of examples; None is any number of both.
    """
    others = [_Call(node.arguments) for node in layer._inbound_nodes[1:]]
    if any(other.alike != call.alike for other in others):
        return None
    inner = layer._flatten_layers(include_self=False)
    called = [(one, len(one._inbound_nodes)) for one in inner]
    with followable(layer, blocks):
        trace = call.trace(layer, given=given, rows=rows)
        if _has_phases(layer):
            other = call.trace(layer, training=True, given=given, rows=rows)
            if _kinds(trace.model) != _kinds(other.model):
                return None
        if rows is not None:
            _forget(called)  # They are no calls of any number of examples.
            model = of_any_number(trace.model, _EXAMPLES)
            trace = dataclasses.replace(trace, model=model)
    if {*map(id, layer.weights)} != {*map(id, trace.model.weights)}:
        return None
    return None if any(map(_takes_functions, trace.model.operations)) else trace


def _takes_functions(operation: keras.Operation) -> bool:
    """Whether an operation was given Python code, as a scan: no file would hold it."""
    if isinstance(operation, keras.Layer):
        return False
    calls = [(x.arguments.args, x.arguments.kwargs) for x in operation._inbound_nodes]
    values = keras.tree.flatten([calls, list(vars(operation).values())])
    return any(isinstance(one, types.FunctionType) for one in values)


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
        filled = self.filled(repr(_spec(x)) for x in self.tensors)
        args, kwargs = keras.tree.map_structure(_told, filled)
        return repr(args), repr(kwargs)

    @property
    def rows(self) -> int:
        """Of each example, so that each has all rows of the constants of the call.

        Masks that windows of an image take are such: one mask a window.
        """
        values = keras.tree.flatten((self.args, self.kwargs))
        lengths = [np.shape(one)[0] for one in values if is_array(one) and np.ndim(one)]
        rows = math.lcm(*lengths)
        return rows if 0 < rows <= _ROWS else 1

    def filled(self, values: Iterator) -> tuple[tuple, dict[str, Any]]:
        """The arguments with other values in place of the tensors."""
        values = iter(values)
        return keras.tree.map_structure(
            lambda x: next(values) if isinstance(x, keras.KerasTensor) else x,
            (self.args, self.kwargs),
        )

    def trace(
        self,
        layer: keras.Layer,
        training: bool | None = None,
        given: Sequence[keras.KerasTensor] | None = None,
        rows: int | None = None,
    ) -> Trace:
        """What the layer calls."""
        batch = rows and rows * _EXAMPLES
        inputs = [
            keras.Input(batch_shape=(batch, *x.shape[1:]), dtype=x.dtype)
            for x in (self.tensors if given is None else given)
        ]
        args, kwargs = self.filled(inputs)
        if _has_phases(layer):
            kwargs["training"] = training
        with fed_from(layer, inputs[0]), as_inputs(layer) as weights, Reads() as reads:
            made = _put_out(layer.call(*args, **kwargs))
        if reads.weights:
            raise ValueError("the graph would have numbers in place of weights")
        symbolic = tensors(tuple(made), {})
        constants = (None if isinstance(x, keras.KerasTensor) else x for x in made)
        model = keras.Model([*inputs, *weights], symbolic, name=layer.name)
        model = with_weights(with_lengths(model), layer, batch)
        return Trace(model, tuple(constants))


def _put_out(outputs: Any) -> list:
    """What a layer puts out, in order, without what is None."""
    return [one for one in keras.tree.flatten(outputs) if one is not None]


def _spec(x: keras.KerasTensor) -> tuple:
    return tuple(x.shape), x.dtype


def _told(value: Any) -> Any:
    """What tells an argument from others: the text of a long array leaves some out."""
    if not is_array(value):
        return value
    array = np.asarray(value)
    return array.shape, array.dtype.name, hashlib.sha256(array.tobytes()).digest()


def _same(layer: keras.Layer, trace: Trace, call: _Call, rows: int) -> bool:
    """Whether layer and trace compute the same of random numbers."""
    rng = np.random.default_rng(0)
    numbers = [drawn(x, rng, rows) for x in trace.model.inputs]
    args, kwargs = call.filled(numbers)
    ones = _put_out(layer(*args, **kwargs))
    others = trace.outputs(keras.tree.flatten(trace.model(numbers)))
    return len(ones) == len(others) and all(
        one.dtype == other.dtype and _close(np.asarray(one), np.asarray(other))
        for one, other in zip(ones, others, strict=True)
    )


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outputs are equal but for rounding."""
    if one.shape != other.shape:
        return False
    largest = np.abs(one).max(initial=0)
    return bool(np.allclose(one, other, rtol=0, atol=_CLOSE * largest))
