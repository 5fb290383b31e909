"""Weights that a layer made of layers has of its own, as layers of a graph.

In the graph that a `call` leaves (`ns_tf.graph.traced`) a weight of the block is an
input at first. Where it meets a tensor, a layer that holds the weight takes its place.
It is called on that tensor, whose channels its last axis follows where the two are
multiplied or added: the gain of a norm of one's own, vectors of positions.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

# Operations in which channel i of one tensor meets channel i of the other alone.
_ELEMENTWISE = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}


@keras.saving.register_keras_serializable("ns_tf")
class OwnWeight(keras.layers.Layer):
    """A weight, whatever it is called on.

    Args:
        shape: Of the weight.
        follows: Whether its last axis has the channels of what it is called on.
        initializer: Of the weight.
        regularizer: Of the weight.
        constraint: Of the weight.
        **options: Of `keras.layers.Layer`.

    >>> layer = OwnWeight((5,), initializer="ones")
    >>> layer(keras.Input((3, 5))).shape
    (5,)
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        follows: bool = False,
        initializer: Any = "zeros",
        regularizer: Any = None,
        constraint: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.shape, self.follows = tuple(shape), follows
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    def build(self, input_shape: tuple) -> None:
        """Makes the weight."""
        self.weight = self.add_weight(
            shape=self.shape,
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
            name="weight",
        )

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The weight, as it is stored, without an axis of examples.

        Args:
            x: [batch, ..., channels], of any unit: its values are not read. Where the
                weight follows channels, they are those of its last axis.
        """
        return keras.ops.convert_to_tensor(self.weight)

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Of the weight, which has no axis of examples."""
        return keras.KerasTensor(self.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {
            **super().get_config(),
            "shape": self.shape,
            "follows": self.follows,
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


def own(layer: keras.Layer) -> dict[str, keras.Variable] | None:
    """The weights of a layer beside those of the layers within, by attribute.

    Args:
        layer: Built.

    Returns:
        None if one is no attribute of the layer, as what counts random numbers, or is a
        single number.
    """
    within = layer._flatten_layers(include_self=False)
    theirs = {id(variable) for inner in within for variable in inner.variables}
    named = {id(value): name for name, value in vars(layer).items()}
    found = [v for v in layer.variables if id(v) not in theirs]
    if any(id(variable) not in named or not variable.shape for variable in found):
        return None
    return {named[id(variable)]: variable for variable in found}


@contextlib.contextmanager
def as_inputs(layer: keras.Layer) -> Iterator[list[keras.KerasTensor]]:
    """Symbolic tensors in place of a layer's own weights, while its `call` is followed.

    Args:
        layer: As of `own`.

    Yields:
        The tensors, in the order of `own`.
    """
    weights = own(layer) or {}
    inputs = [
        keras.Input(batch_shape=variable.shape, dtype=layer.compute_dtype)
        for variable in weights.values()
    ]
    try:
        vars(layer).update(zip(weights, inputs, strict=True))
        yield inputs
    finally:
        vars(layer).update(weights)


@dataclasses.dataclass(frozen=True)
class _Weight:
    """A weight that no tensor has met yet, and what was done to it so far."""

    variable: keras.Variable
    steps: tuple[tuple[keras.Operation, tuple, dict[str, Any]], ...] = ()


def with_weights(model: keras.Model, layer: keras.Layer) -> keras.Model:
    """The graph of a layer's call, with layers that hold its own weights.

    Args:
        model: Its last inputs are those of `as_inputs`.
        layer: Whose call it is.

    Returns:
        Another model of the same layers; the model itself if there are no such weights.

    Raises:
        ValueError: a weight meets no tensor, or two weights one another.
    """
    variables = list((own(layer) or {}).values())
    if not variables:
        return model
    holders = _Holders(layer)
    inputs = [
        keras.Input(batch_shape=x.shape, dtype=x.dtype)
        for x in model.inputs[: -len(variables)]
    ]
    outputs = model._run_through_graph(
        [*inputs, *map(_Weight, variables)], lambda one: one, call_fn=holders.call
    )
    if any(isinstance(one, _Weight) for one in keras.tree.flatten(outputs)):
        raise ValueError("a weight is put out as it is")
    return keras.Model(inputs, outputs, name=model.name)


class _Holders:
    """Calls operations, and layers that hold the weights that these read."""

    def __init__(self, layer: keras.Layer):
        self.layer = layer
        # id of a variable -> (its layer, the first tensor that it met).
        self.known: dict[int, tuple[OwnWeight, keras.KerasTensor]] = {}

    def call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        """What an operation makes of its arguments."""
        values = keras.tree.flatten((args, kwargs))
        tensors = [x for x in values if isinstance(x, keras.KerasTensor)]
        weights = [x for x in values if isinstance(x, _Weight)]
        if not weights:
            return operation(*args, **kwargs)
        if not tensors:
            (one,) = weights
            step = operation, *_put((args, kwargs), None)
            return _Weight(one.variable, (*one.steps, step))
        follows = type(operation).__name__ in _ELEMENTWISE
        args, kwargs = keras.tree.map_structure(
            lambda x: (
                self._met(x, tensors[0], follows) if isinstance(x, _Weight) else x
            ),
            (args, kwargs),
        )
        return operation(*args, **kwargs)

    def _met(self, weight: _Weight, tensor: keras.KerasTensor, follows: bool) -> Any:
        """The weight behind its steps, as it meets a tensor."""
        variable = weight.variable
        if id(variable) not in self.known:
            self.known[id(variable)] = self._holder(variable, follows), tensor
        holder, first = self.known[id(variable)]
        if holder.follows != follows:
            raise ValueError("a weight follows channels in some places alone")
        x = holder(tensor if follows else first)
        for operation, args, kwargs in weight.steps:
            args, kwargs = _put((args, kwargs), x)
            x = operation(*args, **kwargs)
        return x

    def _holder(self, variable: keras.Variable, follows: bool) -> OwnWeight:
        """A layer that holds the variable itself."""
        holder = OwnWeight(
            variable.shape,
            follows=follows,
            initializer=_like(np.asarray(variable)),
            regularizer=variable.regularizer,
            constraint=variable.constraint,
            name=f"{self.layer.name}_{variable.name}",
            dtype=self.layer.dtype_policy,
        )
        holder.weight = variable
        holder.built = True
        holder.trainable = variable.trainable
        return holder


_HERE = object()  # Stands for a weight among the arguments of a step.


def _put(arguments: tuple, x: Any) -> tuple:
    """Arguments with `x` in place of a weight; with a mark for it if x is None."""
    found = _HERE if x is None else x
    return keras.tree.map_structure(
        lambda one: found if isinstance(one, _Weight) or one is _HERE else one,
        arguments,
    )


def _like(values: np.ndarray) -> keras.initializers.Initializer:
    """What draws numbers like these: Keras forgets how a variable was initialised.

    >>> type(_like(np.ones(3))).__name__, type(_like(np.arange(3.0))).__name__
    ('Constant', 'RandomNormal')
    """
    if (values == values.flat[0]).all():
        return keras.initializers.Constant(float(values.flat[0]))
    return keras.initializers.RandomNormal(float(values.mean()), float(values.std()))
