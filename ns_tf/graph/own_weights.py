"""Layers of one weight or of numbers: what a block has of its own in a graph.

A block's `call` is followed with symbolic tensors in place of its own weights
(`as_inputs`). `ns_tf.graph.held_weights` puts layers in place of these.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.calls import functional

# Operations in which channel i of one tensor meets channel i of the other alone.
ELEMENTWISE = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}
# Those that sum products of what they read.
_CONVOLUTIONS = "Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose"
PRODUCTS = {"Matmul", "Dot", "Tensordot", "Einsum", *_CONVOLUTIONS}


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
        multiplied: Whether products read it, or what is made of it, as a kernel whose
            mean is taken off. Its weight is called "factor" then.
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
        multiplied: bool = False,
        learned: bool = True,
        initializer: Any = "zeros",
        regularizer: Any = None,
        constraint: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.shape, self.follows, self.learned = tuple(shape), follows, learned
        self.multiplied = multiplied
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
            name="factor" if self.multiplied else "weight",
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
            "multiplied": self.multiplied,
            "learned": self.learned,
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


def as_numbers(model: keras.Model) -> keras.Model:
    """The model with numbers in place of its layers `OwnWeight` and `Fixed`.

    Keras reads a file of it without anything of ns_tf, but no training moves them.

    Args:
        model: Functional or sequential.

    Returns:
        A model that shares all other layers; the model itself without any of these.
    """
    if not any(isinstance(one, (OwnWeight, Fixed)) for one in model.layers):
        return model
    graph = functional(model)

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, Fixed):
            return operation.call(None)
        if isinstance(operation, OwnWeight):
            return keras.ops.cast(operation.weight, operation.compute_dtype)
        return operation(*args, **kwargs)

    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name),
        graph.input,
    )
    outputs = graph._run_through_graph(inputs, lambda one: one, call_fn=call)
    found = keras.Model(inputs, outputs, name=model.name)
    found.output_names = graph.output_names
    return found


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


def like(values: np.ndarray) -> keras.initializers.Initializer:
    """What draws numbers like these: Keras forgets how a variable was initialised.

    >>> type(like(np.ones(3))).__name__, type(like(np.arange(3.0))).__name__
    ('Constant', 'RandomNormal')

    Args:
        values: Of a variable.
    """
    if (values == values.flat[0]).all():
        return keras.initializers.Constant(float(values.flat[0]))
    return keras.initializers.RandomNormal(float(values.mean()), float(values.std()))
