"""Calls on symbolic tensors, as long as the call of a block is followed.

Keras takes less of a symbolic call than of one with numbers. What a block calls within
its own `call` is prepared for that: see `followable`.
"""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.masking import has_mask
from ns_tf.graph.own_weights import Fixed

_ANCHOR = "_followed_from"  # Attribute of a layer while its call is followed.


@contextlib.contextmanager
def followable(layer: keras.Layer, blocks: Sequence[keras.Layer]) -> Iterator[None]:
    """Lets a block's call be followed on symbolic tensors.

    * Blocks within may put out what is no tensor. Those without weights or phases are
      followed together with the block, each call by itself: it may be of other shapes.
    * Layers of Keras's within may be called on numbers. A table of positions is looked
      up at 0, 1, 2 and so on, whatever the input is. These numbers become a layer,
      called on a tensor (`fed_from`).
    * `keras.ops.ndim` of a symbolic tensor is a number.

    Args:
        layer: Whose call is followed.
        blocks: Those within it.
    """
    inner = layer._flatten_layers(include_self=False)
    fed = [one for one in inner if one.weights and _is_of_keras(type(one))]
    kinds = {id(one): _feeding(type(one), layer) for one in fed}
    kinds |= {id(one): _open(type(one), _is_transparent(one)) for one in blocks}
    with _of_classes([*fed, *blocks], kinds), _known_ranks():
        yield


@contextlib.contextmanager
def fed_from(layer: keras.Layer, x: keras.KerasTensor) -> Iterator[None]:
    """Has numbers that layers are called on stand beside a tensor.

    Args:
        layer: As of `followable`.
        x: An input of the call.
    """
    layer.__dict__[_ANCHOR] = x
    try:
        yield
    finally:
        del layer.__dict__[_ANCHOR]


@contextlib.contextmanager
def _of_classes(
    layers: Sequence[keras.Layer], kinds: dict[int, type]
) -> Iterator[None]:
    """Gives layers other classes, by their ids, for a while."""
    own = [type(one) for one in layers]
    try:
        for one in layers:
            object.__setattr__(one, "__class__", kinds[id(one)])
        yield
    finally:
        for one, kind in zip(layers, own, strict=True):
            object.__setattr__(one, "__class__", kind)


def _is_of_keras(kind: type) -> bool:
    """Whether a class is one of Keras's own."""
    return kind.__module__.partition(".")[0] == "keras"


def _open(kind: type[keras.Layer], transparent: bool) -> type[keras.Layer]:
    """A class of layers whose symbolic calls are noted by their tensors alone.

    Keras takes no call with an output that is no tensor, and asks a class derived from
    one of its layers for the shapes of that layer, which may know less arguments.

    Args:
        kind: Of the layers.
        transparent: Whether to follow calls in place of noting them.
    """

    def specs(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        try:
            return kind.compute_output_spec(layer, *args, **kwargs)
        except Exception:  # It is somebody's, or knows less arguments than `call`.
            return keras.Operation.compute_output_spec(layer, *args, **kwargs)

    def symbolic_call(layer: keras.Layer, *args: Any, **kwargs: Any) -> list:
        layer.__dict__["_put_out"] = specs(layer, *args, **kwargs)
        return tensors((layer.__dict__["_put_out"],), {})

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if transparent and _is_plain(layer, args, kwargs):
            with contextlib.suppress(Exception):  # `call` is anybody's code.
                return kind.call(layer, *args, **kwargs)
        made = kind.__call__(layer, *args, **kwargs)
        return layer.__dict__.pop("_put_out", made)

    body = {"symbolic_call": symbolic_call, "__call__": call}
    return type(kind.__name__, (kind,), body)


def _is_transparent(layer: keras.Layer) -> bool:
    """Whether a block has nothing but its call: no weights, and no phases."""
    phases = "training" in inspect.signature(layer.call).parameters
    parts = layer.variables or layer._flatten_layers(include_self=False)
    return layer.built and not (phases or parts or layer.activity_regularizer)


def _is_plain(layer: keras.Layer, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether a call does nothing to what it is given before: no cast, no mask."""
    values = keras.tree.flatten((args, kwargs))
    given = [x for x in values if is_array(x) or isinstance(x, keras.KerasTensor)]
    cast = [
        keras.backend.is_float_dtype(x.dtype)
        and keras.backend.standardize_dtype(x.dtype) != layer.compute_dtype
        for x in given
    ]
    symbolic = tensors(args, kwargs)
    return bool(symbolic) and not any((*cast, *map(has_mask, symbolic)))


def tensors(args: tuple, kwargs: dict[str, Any]) -> list[keras.KerasTensor]:
    """The symbolic tensors among the arguments of a call, in order.

    Args:
        args: Arguments by position.
        kwargs: Arguments by name.
    """
    values = keras.tree.flatten((args, kwargs))
    return [x for x in values if isinstance(x, keras.KerasTensor)]


def _feeding(kind: type[keras.Layer], outer: keras.Layer) -> type[keras.Layer]:
    """A class of layers that may be called on one array of numbers.

    One of `EinsumDense` keeps lengths of axes, which a block may ask for.
    """

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        anchor = outer.__dict__.get(_ANCHOR)
        if anchor is not None and len(args) == 1 and is_array(args[0]):
            array = np.asarray(args[0])
            args = (Fixed(array, array.dtype.name)(anchor),)
        return kind.__call__(layer, *args, **kwargs)

    def compute_output_shape(layer: keras.Layer, input_shape: Sequence) -> tuple:
        made = kind.compute_output_shape(layer, input_shape)
        return _known(layer.equation, input_shape, made)

    body = {"__call__": call, "__module__": "keras"}
    if issubclass(kind, keras.layers.EinsumDense):
        body["compute_output_shape"] = compute_output_shape
    return type(kind.__name__, (kind,), body)


def _known(equation: str, read: Sequence, made: Sequence) -> tuple:
    """A shape that an `EinsumDense` makes, with the lengths of the axes that it keeps.

    Keras knows those alone that its constructor was given.

    >>> _known("bsm,mhd->bshd", (None, 5, 7), (None, None, 2, 3))
    (None, 5, 2, 3)
    """
    own, _, letters = equation.replace(",", "->").split("->")
    if not (own + letters).isalpha() or (len(own), len(letters)) != (
        len(read),
        len(made),
    ):
        return tuple(made)
    lengths = dict(zip(own, read, strict=True))
    pairs = zip(letters, made, strict=True)
    return tuple(lengths.get(letter) if n is None else n for letter, n in pairs)


def is_array(value: Any) -> bool:
    """Whether it is an array, or a tensor whose numbers are known.

    >>> is_array(np.ones(3)), is_array(keras.Input((3,))), is_array(3)
    (True, False, False)

    Args:
        value: An argument of a call.
    """
    if isinstance(value, keras.KerasTensor):
        return False
    return isinstance(value, np.ndarray) or hasattr(value, "numpy")


@contextlib.contextmanager
def _known_ranks() -> Iterator[None]:
    """Lets `keras.ops.ndim` of a symbolic tensor be a number, as `len(x.shape)` is."""
    kind = type(keras.ops.ndim(keras.KerasTensor((1,)))._keras_history.operation)
    kind.symbolic_call = lambda operation, x: len(x.shape)
    try:
        yield
    finally:
        del kind.symbolic_call
