"""Weights that a layer made of layers has of its own, as layers of a graph.

In the graph that a `call` leaves (`ns_tf.graph.traced`) a weight of the block is an
input at first. Where it meets a tensor, a layer that holds the weight takes its place.
It is called on that tensor, whose channels its last axis follows where the two are
multiplied or added: the gain of a norm of one's own, vectors of positions.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

# Operations in which channel i of one tensor meets channel i of the other alone.
ELEMENTWISE = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}


@keras.saving.register_keras_serializable("ns_tf")
class Spread(keras.initializers.Initializer):
    """Given numbers; of another number of channels those at equal distances.

    Args:
        values: [..., channels], numbers.

    >>> Spread([1.0, 2.0, 4.0, 8.0])((2,)).numpy().tolist()
    [1.0, 4.0]
    """

    def __init__(self, values: Any):
        self.values = np.asarray(values).tolist()

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> keras.KerasTensor:
        """Numbers of a shape that differs from that of the values in its last axis.

        Args:
            shape: Of the weight.
            dtype: Of the weight.
        """
        values = np.array(self.values)
        places = np.arange(shape[-1]) * values.shape[-1] // shape[-1]
        return keras.ops.convert_to_tensor(values[..., places], dtype)

    def get_config(self) -> dict[str, Any]:
        """The values."""
        return {"values": self.values}


@keras.saving.register_keras_serializable("ns_tf")
class Fixed(keras.layers.Layer):
    """Numbers, whatever it is called on.

    Args:
        values: The numbers.
        kind: Their dtype.
        **options: Of `keras.layers.Layer`.

    >>> Fixed([0, 1, 2], "int32")(keras.Input((5,))).shape
    (3,)
    """

    def __init__(self, values: Any, kind: str, **options: Any):
        super().__init__(**options)
        self.values, self.kind = np.asarray(values).tolist(), kind

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The numbers; of x nothing is read."""
        return keras.ops.convert_to_tensor(np.array(self.values), self.kind)

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Of the numbers, which have no axis of examples."""
        return keras.KerasTensor(np.shape(self.values), self.kind)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        own = {"values": self.values, "kind": self.kind}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("ns_tf")
class OwnWeight(keras.layers.Layer):
    """A weight, whatever it is called on.

    Args:
        shape: Of the weight.
        follows: Whether its last axis has the channels of what it is called on.
        learned: Whether a training moves it; a constant is not moved.
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
        learned: bool = True,
        initializer: Any = "zeros",
        regularizer: Any = None,
        constraint: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.shape, self.follows, self.learned = tuple(shape), follows, learned
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
            trainable=self.learned,
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
            "learned": self.learned,
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


def own(layer: keras.Layer) -> dict[str, keras.Variable] | None:
    """The weights of a layer beside those of the layers within, by attribute.

    Args:
        layer: Built.

    Returns:
        None if one is no attribute of the layer, as what counts random numbers.
    """
    within = layer._flatten_layers(include_self=False)
    theirs = {id(variable) for inner in within for variable in inner.variables}
    named = {id(value): name for name, value in vars(layer).items()}
    found = [v for v in layer.variables if id(v) not in theirs]
    if any(id(variable) not in named for variable in found):
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
    """What is made of weights alone, as long as no tensor has met it.

    Attributes:
        spec: Its shape and dtype.
        made: (what gives the layer of a variable, the tensor that is met) -> itself.
    """

    spec: keras.KerasTensor
    made: Callable[[Callable, keras.KerasTensor], Any]


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
    pairs = zip(variables, model.inputs[count:], strict=True)
    weights = [holders.weight(variable, spec) for variable, spec in pairs]
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

    def weight(self, variable: keras.Variable, spec: keras.KerasTensor) -> _Weight:
        """A weight that nothing was done to."""
        return _Weight(spec, lambda held, x: held(variable))

    def call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        """What an operation makes of its arguments."""
        values = keras.tree.flatten((args, kwargs))
        tensors = [x for x in values if isinstance(x, keras.KerasTensor)]
        weights = [x for x in values if isinstance(x, _Weight)]
        if not weights:
            return operation(*args, **kwargs)
        if not tensors:
            return self._of_weights(operation, args, kwargs, weights)
        met, follows = tensors[0], _by_channels(operation, tensors[0])

        def held(variable: keras.Variable) -> Any:
            return self._held(variable, met, follows)

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

    def _holder(self, variable: keras.Variable, follows: bool) -> OwnWeight:
        """A layer that holds the variable itself."""
        learned = any(one is variable for one in self.layer._trainable_variables)
        values = np.asarray(variable)
        holder = OwnWeight(
            variable.shape,
            follows=follows,
            # No training would make a constant what it is.
            initializer=_like(values) if learned or not values.ndim else Spread(values),
            regularizer=variable.regularizer,
            constraint=variable.constraint,
            learned=learned,
            name=f"{self.layer.name}_{variable.name}",
            dtype=self.layer.dtype_policy,
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


def _like(values: np.ndarray) -> keras.initializers.Initializer:
    """What draws numbers like these: Keras forgets how a variable was initialised.

    >>> type(_like(np.ones(3))).__name__, type(_like(np.arange(3.0))).__name__
    ('Constant', 'RandomNormal')
    """
    if (values == values.flat[0]).all():
        return keras.initializers.Constant(float(values.flat[0]))
    return keras.initializers.RandomNormal(float(values.mean()), float(values.std()))
