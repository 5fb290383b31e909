"""Weights that a layer made of layers has of its own, as layers of a graph.

In the graph that a `call` leaves (`ns_tf.graph.traced`) a weight of the block is an
input at first. Where it meets a tensor, a layer that holds the weight takes its place.
It is called on that tensor, whose channels its last axis follows where the two are
multiplied or added: the gain of a norm of one's own, vectors of positions. A weight
that makes channels, as in a dense layer written by hand, becomes the kernel of a layer
of Keras's (`ns_tf.graph.own_kernels`).
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ns_tf.graph.own_kernels import Reading, readings
from ns_tf.graph.own_weights import (
    ELEMENTWISE,
    PRODUCTS,
    OwnWeight,
    Spread,
    like,
    own,
)


@dataclasses.dataclass(frozen=True)
class _Weight:
    """What is made of weights alone, as long as no tensor has met it.

    Attributes:
        spec: Its shape and dtype.
        made: (what gives the layer of a variable, the tensor that is met) -> itself.
        kernel: What a tensor becomes by it, as by the kernel of a layer; None for a
            weight that is read otherwise.
    """

    spec: keras.KerasTensor
    made: Callable[[Callable, keras.KerasTensor], Any]
    kernel: Callable[[keras.KerasTensor], Any] | None = None


def with_weights(
    model: keras.Model, layer: keras.Layer, examples: int | None = None
) -> keras.Model:
    """The graph of a layer's call, with layers that hold its own weights.

    Args:
        model: Its last inputs are those of `as_inputs`.
        layer: Whose call it is.
        examples: How many the model is of; None is any number.

    Returns:
        Another model of the same layers; the model itself if there are no such weights.

    Raises:
        ValueError: a weight meets no tensor.
    """
    variables = list((own(layer) or {}).values())
    if not variables:
        return model
    holders = _Holders(layer, examples)
    count = len(model.inputs) - len(variables)
    inputs = [
        keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in model.inputs[:count]
    ]
    specs = model.inputs[count:]
    pairs = zip(variables, specs, readings(model, specs), strict=True)
    weights = [holders.weight(*one) for one in pairs]
    outputs = model._run_through_graph(
        [*inputs, *weights], lambda one: one, call_fn=holders.call
    )
    if any(isinstance(one, _Weight) for one in keras.tree.flatten(outputs)):
        raise ValueError("a weight is put out as it is")
    return keras.Model(inputs, outputs, name=model.name)


class _Holders:
    """Calls operations, and layers that hold the weights that these read."""

    def __init__(self, layer: keras.Layer, examples: int | None):
        self.layer, self.examples = layer, examples
        # id of a variable -> (its layer, the first tensor that it met).
        self.known: dict[int, tuple[OwnWeight, keras.KerasTensor]] = {}
        # id of a variable -> the layer of which it is the kernel.
        self.kernels: dict[int, keras.Layer] = {}

    def weight(
        self,
        variable: keras.Variable,
        spec: keras.KerasTensor,
        reading: Reading | None,
    ) -> _Weight:
        """A weight that nothing was done to."""

        def kernel(x: keras.KerasTensor) -> Any:
            if id(variable) not in self.kernels:
                self.kernels[id(variable)] = self._kernel(variable, reading, x.shape)
            return self.kernels[id(variable)](x)

        # A constant is no parameter, as a kernel would be.
        known = reading is not None and self._learned(variable)
        return _Weight(spec, lambda held, x: held(variable), kernel if known else None)

    def call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        """What an operation makes of its arguments."""
        values = keras.tree.flatten((args, kwargs))
        tensors = [x for x in values if isinstance(x, keras.KerasTensor)]
        weights = [x for x in values if isinstance(x, _Weight)]
        if not weights:
            return operation(*args, **kwargs)
        if not tensors:
            return self._of_weights(operation, args, kwargs, weights)
        if weights[0].kernel is not None:  # Read in calls of exactly two arguments.
            return weights[0].kernel(tensors[0])
        met, follows = tensors[0], _by_channels(operation, tensors[0])

        def held(variable: keras.Variable) -> Any:
            made = self._held(variable, met, follows)
            self.known[id(variable)][0].multiplied |= (
                type(operation).__name__ in PRODUCTS
            )
            return made

        args, kwargs = _put((args, kwargs), lambda one: one.made(held, met))
        return operation(*args, **kwargs)

    def _of_weights(
        self, operation: keras.Operation, args: tuple, kwargs: dict, weights: list
    ) -> _Weight:
        """What an operation makes of weights alone."""
        specs, named = _put((args, kwargs), lambda one: one.spec)
        spec = operation.compute_output_spec(*specs, **named)
        first = weights[0]
        if self.examples and spec.shape[:1] == (self.examples,):
            if first.spec.shape != (1, *spec.shape[1:]) or len(weights) > 1:
                raise ValueError("weights differ between examples")
            return _Weight(spec, lambda held, x: _for_each(first.made(held, x), x))

        def made(held: Callable, x: keras.KerasTensor) -> Any:
            own, named = _put((args, kwargs), lambda one: one.made(held, x))
            return operation(*own, **named)

        return _Weight(spec, made)

    def _held(
        self, variable: keras.Variable, tensor: keras.KerasTensor, follows: bool
    ) -> Any:
        """The weight, as it meets a tensor."""
        if id(variable) not in self.known:
            self.known[id(variable)] = self._holder(variable, follows), tensor
        holder, first = self.known[id(variable)]
        if holder.follows != follows:
            raise ValueError("a weight follows channels in some places alone")
        return holder(tensor if follows else first)

    def _kernel(
        self, variable: keras.Variable, reading: Reading, shape: tuple
    ) -> keras.Layer:
        """A layer of which the variable itself is the kernel."""
        layer = reading.holding(variable, shape, **self._options(variable))
        layer.trainable = variable.trainable
        return layer

    def _learned(self, variable: keras.Variable) -> bool:
        """Whether a training moves it, unless the block is frozen."""
        return any(one is variable for one in self.layer._trainable_variables)

    def _options(self, variable: keras.Variable) -> dict[str, Any]:
        """Name and dtype of a layer that holds a variable.

        Keras numbers variables without a name anew in every process.
        """
        (attribute,) = (n for n, one in own(self.layer).items() if one is variable)
        unnamed = re.fullmatch(r"variable(_\d+)?", variable.name)
        name = f"{self.layer.name}_{attribute if unnamed else variable.name}"
        return {"name": name, "dtype": self.layer.dtype_policy}

    def _holder(self, variable: keras.Variable, follows: bool) -> OwnWeight:
        """A layer that holds the variable itself."""
        learned = self._learned(variable)
        values = np.asarray(variable)
        holder = OwnWeight(
            variable.shape,
            follows=follows,
            # No training would make a constant what it is.
            initializer=like(values) if learned or not values.ndim else Spread(values),
            regularizer=variable.regularizer,
            constraint=variable.constraint,
            learned=learned,
            **self._options(variable),
        )
        holder.weight = variable
        holder.built = True
        holder.trainable = variable.trainable or not learned
        return holder


def _by_channels(operation: keras.Operation, tensor: keras.KerasTensor) -> bool:
    """Whether channel i of the tensor meets channel i of another one alone."""
    if type(operation).__name__ == "Concatenate":
        rank = len(tensor.shape)
        return operation.axis % rank != rank - 1
    return type(operation).__name__ in ELEMENTWISE


def _for_each(weight: keras.KerasTensor, x: keras.KerasTensor) -> keras.KerasTensor:
    """A weight [1, ...] for each example of a tensor of as many axes: class tokens."""
    first = (slice(None), *(slice(0, 1),) * (len(x.shape) - 2))
    return keras.ops.ones_like(x[first]) * weight


def _put(arguments: tuple, change: Callable[[_Weight], Any]) -> tuple:
    """Arguments with something else in place of weights."""
    return keras.tree.map_structure(
        lambda one: change(one) if isinstance(one, _Weight) else one, arguments
    )
