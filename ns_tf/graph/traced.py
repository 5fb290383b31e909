"""Layers that are made of layers, seen through: what one computes, as a model.

A block is often a class: layers in its constructor, and a `call` that calls them and
`keras.ops`. KerasHub's transformers are of such blocks. `call` on symbolic tensors
leaves a graph of the layers within, which is a model within the model then
(`ns_tf.graph.flat`).
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.held_weights import with_weights
from ns_tf.graph.lengths import drawn, of_any_number, with_lengths
from ns_tf.graph.own_weights import Fixed, as_inputs, own
from ns_tf.graph.rules import is_known

_BATCH = 13  # Of calls that ask how many examples there are.
_ANCHOR = "_followed_from"  # Attribute of a layer while its call is followed.
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
    layer: keras.Operation, given: Sequence[keras.KerasTensor] | None = None
) -> Trace | None:
    """What a layer made of layers computes, as a model of these layers.

    It shares the layers, so it has their weights. It is compared with the layer on
    random numbers.

    Args:
        layer: Called in a functional model. A layer, model or operation of Keras's is
            none; neither is a model of a class of its own that overrides `call`.
        given: The tensors that it is called with, where more of their shapes is known
            than its own calls say.

    Returns:
        None for a layer that has a rule, or that takes or makes a mask; whose calls
        differ; that adds losses; that draws random numbers or computes something else
        in training than its layers do; or whose `call` takes no symbolic tensors.

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
    if not is_block(layer):
        return None
    inner = layer._flatten_layers(include_self=False)
    called = [(one, len(one._inbound_nodes)) for one in inner]
    for examples in (None, _BATCH):
        try:
            trace = _graph(layer, given, examples)
            return trace if trace is not None and _same(layer, trace) else None
        except Exception:  # `call` is anybody's code: it may ask for their number.
            _forget(called)
    return None


def _forget(called: Sequence[tuple[keras.Layer, int]]) -> None:
    """Calls of layers that came after these counts of calls are none."""
    for one, count in called:
        del one._inbound_nodes[count:]


def tensors(args: tuple, kwargs: dict[str, Any]) -> list[keras.KerasTensor]:
    """The symbolic tensors among the arguments of a call, in order.

    Args:
        args: Arguments by position.
        kwargs: Arguments by name.
    """
    values = keras.tree.flatten((args, kwargs))
    return [x for x in values if isinstance(x, keras.KerasTensor)]


def is_block(layer: keras.Operation) -> bool:
    """Whether it is a layer of a class outside of Keras whose weights are all known.

    They are those of layers within, or attributes; it may have none.

    Args:
        layer: A layer, model or operation.

    >>> is_block(keras.layers.LSTM(3))
    False
    """
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.Model):
        return False
    function = type(layer) is keras.layers.Lambda
    keras_own = type(layer).__module__.partition(".")[0] == "keras"
    if (keras_own and not function) or is_known(layer):
        return False
    return own(layer) is not None and not _has_masks(layer)


def _has_masks(layer: keras.Layer) -> bool:
    """Whether masks that no argument shows come with what its calls read or make."""
    called = layer.function if type(layer) is keras.layers.Lambda else layer.call
    names = list(inspect.signature(called).parameters)
    if "mask" in names or any(f"{name}_mask" in names for name in names):
        return True
    return any(
        getattr(x, "_keras_mask", None) is not None
        for call in layer._inbound_nodes
        for x in (*call.arguments.keras_tensors, *call.output_tensors)
    )


def _graph(
    layer: keras.Layer,
    given: Sequence[keras.KerasTensor] | None,
    examples: int | None = None,
) -> Trace | None:
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
    with _open_calls(layer), _fed(layer):
        trace = first.trace(layer, given=given, examples=examples)
        if _has_phases(layer):
            other = first.trace(layer, training=True, given=given, examples=examples)
            if _kinds(trace.model) != _kinds(other.model):
                return None
        if examples is not None:
            _forget(called)  # They are no calls of any number of examples.
            model = of_any_number(trace.model, examples)
            trace = dataclasses.replace(trace, model=model)
    if {*map(id, layer.weights)} != {*map(id, trace.model.weights)}:
        return None
    return trace


@contextlib.contextmanager
def _open_calls(layer: keras.Layer) -> Iterator[None]:
    """Lets blocks within a layer be called on symbolic tensors, whatever they put out.

    Keras takes no call with an output that is no tensor, and asks a class derived from
    one of its layers for the shapes of that layer, which may know less arguments.
    """
    blocks = [one for one in layer._flatten_layers(include_self=False) if is_block(one)]
    kinds = [type(one) for one in blocks]
    try:
        for one, kind in zip(blocks, kinds, strict=True):
            object.__setattr__(one, "__class__", _open(kind))
        yield
    finally:
        for one, kind in zip(blocks, kinds, strict=True):
            object.__setattr__(one, "__class__", kind)


def _open(kind: type[keras.Layer]) -> type[keras.Layer]:
    """A class of layers whose symbolic calls are noted by their tensors alone."""

    def specs(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        try:
            return kind.compute_output_spec(layer, *args, **kwargs)
        except Exception:  # It is somebody's, or knows less arguments than `call`.
            return keras.Operation.compute_output_spec(layer, *args, **kwargs)

    def symbolic_call(layer: keras.Layer, *args: Any, **kwargs: Any) -> list:
        layer.__dict__["_put_out"] = specs(layer, *args, **kwargs)
        return tensors((layer.__dict__["_put_out"],), {})

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        made = kind.__call__(layer, *args, **kwargs)
        return layer.__dict__.pop("_put_out", made)

    body = {"symbolic_call": symbolic_call, "__call__": call}
    return type(kind.__name__, (kind,), body)


@contextlib.contextmanager
def _fed(layer: keras.Layer) -> Iterator[None]:
    """Lets layers of Keras's within a layer be called on numbers, while it is followed.

    A table of positions is looked up at 0, 1, 2 and so on, whatever the input is. These
    numbers become a layer, called on the layer's first input.
    """
    inner = [
        one
        for one in layer._flatten_layers(include_self=False)
        if one.weights and type(one).__module__.partition(".")[0] == "keras"
    ]
    kinds = [type(one) for one in inner]
    try:
        for one, kind in zip(inner, kinds, strict=True):
            object.__setattr__(one, "__class__", _feeding(kind, layer))
        yield
    finally:
        for one, kind in zip(inner, kinds, strict=True):
            object.__setattr__(one, "__class__", kind)


def _feeding(kind: type[keras.Layer], outer: keras.Layer) -> type[keras.Layer]:
    """A class of layers that may be called on one array of numbers."""

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        anchor = outer.__dict__.get(_ANCHOR)
        if anchor is not None and len(args) == 1 and _is_known(args[0]):
            array = np.asarray(args[0])
            args = (Fixed(array, array.dtype.name)(anchor),)
        return kind.__call__(layer, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__call__": call, "__module__": "keras"})


def _is_known(value: Any) -> bool:
    """Whether it is an array, or a tensor whose numbers are known."""
    if isinstance(value, keras.KerasTensor):
        return False
    return isinstance(value, np.ndarray) or hasattr(value, "numpy")


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

    def trace(
        self,
        layer: keras.Layer,
        training: bool | None = None,
        given: Sequence[keras.KerasTensor] | None = None,
        examples: int | None = None,
    ) -> Trace:
        """What the layer calls."""
        inputs = [
            keras.Input(batch_shape=(examples, *x.shape[1:]), dtype=x.dtype)
            for x in (self.tensors if given is None else given)
        ]
        args, kwargs = self.filled(inputs)
        if _has_phases(layer):
            kwargs["training"] = training
        layer.__dict__[_ANCHOR] = inputs[0]
        try:
            with as_inputs(layer) as weights:
                made = _put_out(layer.call(*args, **kwargs))
        finally:
            del layer.__dict__[_ANCHOR]
        symbolic = tensors(tuple(made), {})
        constants = (None if isinstance(x, keras.KerasTensor) else x for x in made)
        model = keras.Model([*inputs, *weights], symbolic, name=layer.name)
        model = with_weights(with_lengths(model), layer, examples)
        return Trace(model, tuple(constants))


def _put_out(outputs: Any) -> list:
    """What a layer puts out, in order, without what is None."""
    return [one for one in keras.tree.flatten(outputs) if one is not None]


def _spec(x: keras.KerasTensor) -> tuple:
    return tuple(x.shape), x.dtype


def _same(layer: keras.Layer, trace: Trace) -> bool:
    """Whether layer and trace compute the same of random numbers."""
    rng = np.random.default_rng(0)
    numbers = [drawn(x, rng) for x in trace.model.inputs]
    args, kwargs = _Call(layer._inbound_nodes[0].arguments).filled(numbers)
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
