"""Layers written by hand: operations by which a weight makes channels.

`ops.matmul(x, self.w)` in a block's `call` is a dense layer, `ops.conv(x, self.w)` a
convolution, `ops.take(self.table, tokens, axis=0)` an embedding. As layers of Keras's
with that weight they have rules, counts and files like all others.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.own_weights import like

layers = keras.layers


@dataclasses.dataclass(frozen=True)
class Reading:
    """How an operation reads a weight: as a layer reads its kernel.

    Attributes:
        kind: The class of the layer.
        settings: What its constructor takes.
        prefix: Of the arguments that are of its kernel, as in "kernel_initializer".
    """

    kind: type[keras.layers.Layer]
    settings: Mapping[str, Any]
    prefix: str = "kernel"

    def holding(
        self, variable: keras.Variable, shape: Sequence[int | None], **options: Any
    ) -> keras.layers.Layer:
        """The layer, built, with a variable as its kernel.

        Args:
            variable: Of a block.
            shape: Of what the layer is called on.
            **options: Of `keras.layers.Layer`.

        Raises:
            ValueError: its kernel has another shape, or it has other weights as well.

        >>> weight = keras.Variable(np.ones((3, 5)))
        >>> reading = Reading(layers.Dense, {"units": 5, "use_bias": False})
        >>> layer = reading.holding(weight, (None, 3))
        >>> layer.kernel is weight, layer.count_params()
        (True, 15)
        """
        own = {
            "initializer": like(np.asarray(variable)),
            "regularizer": variable.regularizer,
            "constraint": variable.constraint,
        }
        named = {f"{self.prefix}_{name}": value for name, value in own.items()}
        layer = self.kind(**self.settings, **named, **options)

        def given(shape: Sequence[int], **others: Any) -> keras.Variable:
            if tuple(shape) != tuple(variable.shape):
                raise ValueError(f"expected {tuple(shape)}, got {variable.shape}")
            return variable

        vars(layer)["add_weight"] = given
        try:
            layer.build(tuple(shape))
        finally:
            del vars(layer)["add_weight"]
        return layer


def readings(
    model: keras.Model, weights: Sequence[keras.KerasTensor]
) -> list[Reading | None]:
    """How each of some weights is read, where all that reads it does so alike.

    Args:
        model: The graph of a call, of which the weights are inputs.
        weights: Symbolic.

    Returns:
        For each weight the layer that reads it so; None where there is no such layer.
    """
    found: dict[int, list[Reading | None]] = {id(weight): [] for weight in weights}
    for node in (one for depth in model._nodes_by_depth.values() for one in depth):
        args, kwargs = node.arguments.args, node.arguments.kwargs
        for place, one in enumerate(keras.tree.flatten((args, kwargs))):
            if id(one) in found:
                whole = not kwargs and len(args) == 2
                own = _reading(node.operation, args, place) if whole else None
                found[id(one)].append(own)
    every = (found[id(weight)] for weight in weights)
    return [own[0] if own and own.count(own[0]) == len(own) else None for own in every]


def _reading(operation: keras.Operation, args: tuple, place: int) -> Reading | None:
    """How an operation of two arguments reads the one at this place."""
    weight, x = args[place], args[1 - place]
    known = _KINDS.get(type(operation).__name__)
    if known is None or not isinstance(x, keras.KerasTensor) or not x.shape:
        return None
    kernel = weight.shape
    if known is _embedding:
        return _embedding(operation, x, kernel) if place == 0 else None
    if known is _einsum:
        return _einsum(operation, x, kernel, place)
    return known(operation, x, kernel) if place == 1 else None


def _dense(operation: Any, x: keras.KerasTensor, kernel: tuple) -> Reading | None:
    """x [..., reads] times a kernel [reads, units]."""
    if len(kernel) != 2 or len(x.shape) < 2:
        return None
    return Reading(layers.Dense, {"units": kernel[1], "use_bias": False})


def _tensordot(operation: Any, x: keras.KerasTensor, kernel: tuple) -> Reading | None:
    """The same, summed over the last axis of x and the first of the kernel."""
    axes, last = operation.axes, len(x.shape) - 1
    if not isinstance(axes, int):
        one, other = (np.atleast_1d(one).tolist() for one in axes)
        axes = int(one in ([-1], [last]) and other in ([0], [-len(kernel)]))
    return _dense(operation, x, kernel) if axes == 1 else None


def _einsum(
    operation: Any, x: keras.KerasTensor, kernel: tuple, place: int
) -> Reading | None:
    """By an equation in which every axis has a letter, the first that of examples."""
    read, _, made = operation.subscripts.replace(" ", "").partition("->")
    terms = read.split(",")
    if len(terms) != 2 or not made:
        return None
    own, other = terms[1 - place], terms[place]
    if own[:-1] == made[:-1] and other == own[-1] + made[-1] and len(kernel) == 2:
        return _dense(operation, x, kernel)
    if not (own + other + made).isalpha() or own[0] != made[0] or own[0] in other:
        return None
    sizes = dict(zip(own, x.shape, strict=True)) | dict(zip(other, kernel, strict=True))
    shape = tuple(sizes[letter] for letter in made[1:])
    equation = f"{own},{other}->{made}"
    return Reading(layers.EinsumDense, {"equation": equation, "output_shape": shape})


def _embedding(operation: Any, x: keras.KerasTensor, kernel: tuple) -> Reading | None:
    """Rows of a table [tokens, channels] at the numbers in x."""
    whole = keras.backend.standardize_dtype(x.dtype).startswith(("int", "uint"))
    if not whole or operation.axis != 0 or len(kernel) != 2:
        return None
    settings = {"input_dim": kernel[0], "output_dim": kernel[1]}
    return Reading(layers.Embedding, settings, "embeddings")


def _convolution(operation: Any, x: keras.KerasTensor, kernel: tuple) -> Reading | None:
    """x [batch, ..., reads] and a kernel [..., reads, filters]."""
    settings = _window(operation, x, kernel)
    if settings is None:
        return None
    kind = getattr(layers, f"Conv{len(kernel) - 2}D")
    return Reading(kind, {"filters": kernel[-1], **settings})


def _depthwise(operation: Any, x: keras.KerasTensor, kernel: tuple) -> Reading | None:
    """x [batch, ..., reads] and a kernel [..., reads, multiplier]."""
    settings = _window(operation, x, kernel)
    kind = getattr(layers, f"DepthwiseConv{len(kernel) - 2}D", None)
    if settings is None or kind is None:
        return None
    return Reading(kind, {"depth_multiplier": kernel[-1], **settings}, "depthwise")


def _window(operation: Any, x: keras.KerasTensor, kernel: tuple) -> dict | None:
    """What a convolution's constructor takes of its operation; None for channels first.

    One number of a stride or dilation is for all axes.
    """
    layout = operation.data_format or keras.config.image_data_format()
    if layout != "channels_last" or x.shape[-1] != kernel[-2]:
        return None
    return {
        "kernel_size": tuple(kernel[:-2]),
        "strides": operation.strides,
        "padding": operation.padding,
        "dilation_rate": operation.dilation_rate,
        "data_format": layout,
        "use_bias": False,
    }


_KINDS: dict[str, Callable[..., Reading | None]] = {
    "Matmul": _dense,
    "Dot": _dense,
    "Tensordot": _tensordot,
    "Einsum": _einsum,
    "Take": _embedding,
    "Conv": _convolution,
    "DepthwiseConv": _depthwise,
}
