"""Networks that have channels first, made again with channels last.

Keras computes a convolution with `data_format="channels_first"` on a CPU by two
transpositions around one with channels last. Both have the same weights. So such a
network is copied: its images are transposed once, layers get channels last, and what is
not known to do the same in that layout reads tensors that are transposed back. The copy
has the inputs, the outputs and the weights of the network.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from ns_tf.base import refusing
from ns_tf.graph import activations
from ns_tf.graph.calls import input_names
from ns_tf.graph.remake import config_of, copied
from ns_tf.graph.thin import policy_of

# Layers and operations whose `data_format` says where channels are; the last axes of
# their kernels are those of channels in both layouts.
_FORMATTED = (
    *"Conv1D Conv2D Conv3D DepthwiseConv1D DepthwiseConv2D SeparableConv1D".split(),
    *"SeparableConv2D Conv1DTranspose Conv2DTranspose Conv3DTranspose".split(),
    *(
        f"{name}{axes}D"
        for name in "AveragePooling MaxPooling GlobalAveragePooling GlobalMaxPooling"
        " UpSampling ZeroPadding Cropping SpatialDropout".split()
        for axes in (1, 2, 3)
    ),
    *"Flatten Resizing CenterCrop".split(),
)
# Those that compute each number by itself, or numbers at one place of several tensors.
_BY_NUMBER = (
    *"Activation ReLU LeakyReLU ELU Dropout GaussianDropout GaussianNoise".split(),
    *"AlphaDropout Identity ActivityRegularization Rescaling".split(),
    *"Add Subtract Multiply Average Maximum Minimum Divide TrueDivide".split(),
    *"Relu Relu6 LeakyRelu Silu Gelu Elu Selu Celu Sigmoid HardSigmoid".split(),
    *"HardSilu HardTanh Tanh Softplus Softsign Abs Absolute Negative Square".split(),
    *"Sqrt Exp Log Clip Cast".split(),
)
_MAY_BE_ARRAYS = ("scale", "offset", "x_min", "x_max", "noise_shape")
# Those that have one axis, or several where they have no weights.
_ALONG = (
    *"BatchNormalization LayerNormalization RMSNormalization Softmax".split(),
    *"UnitNormalization GroupNormalization Concatenate Split".split(),
)
_REDUCTIONS = "Mean Sum Max Min Amax Amin".split()


def channels_last(model: keras.Model, values: bool = True) -> keras.Model:
    """The network with channels last within, if it has them first.

    Args:
        model: Functional, no model within it; not changed.
        values: Whether the copy gets the values of the weights.

    Returns:
        The model itself where no layer of it has `data_format="channels_first"`; else
        a copy that takes and gives the same tensors, with the same weights by the same
        names of layers.

    Raises:
        InputError: a layer cannot be made again.
    """
    if not any(map(_is_first, model.operations)):
        return model
    turning = _Turning()
    inputs = [
        keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, input_names(model), strict=True)
    ]
    with refusing(f"{model.name!r} cannot be made with channels last"):
        outputs = model._run_through_graph(
            inputs, operation_fn=lambda one: one, call_fn=turning.call
        )
        outputs = keras.tree.map_structure(turning.first, outputs)
        given = keras.tree.pack_sequence_as(model.input, inputs)
        copy = keras.Model(given, outputs, name=model.name)
    copy.output_names = model.output_names
    if values:
        for original, made in turning.copies.values():
            for weight, target in zip(
                getattr(original, "weights", ()),
                getattr(made, "weights", ()),
                strict=True,
            ):
                target.assign(weight)
    return copy


def _is_first(operation: keras.Operation) -> bool:
    """Whether it has channels first, and computes the same with channels last."""
    return (
        getattr(operation, "data_format", None) == "channels_first"
        and type(operation).__name__ in _FORMATTED
        and type(operation).__module__.partition(".")[0] == "keras"
        and activations.mixing(operation) is None
        and not _adds_along_width(operation)
    )


def _adds_along_width(operation: keras.Operation) -> bool:
    """Whether Keras may add its bias along the last axis, though channels are first.

    With TensorFlow, `keras.ops.add` takes a bias as one of the last axis wherever that
    is as long as the bias.
    """
    if getattr(operation, "bias", None) is None:
        return False
    shapes = [node.output_tensors[0].shape for node in operation._inbound_nodes]
    return any(shape[-1] in (None, shape[1]) for shape in shapes)


class _Turning:
    """Calls copies of layers on tensors of which some have channels last now."""

    def __init__(self):
        # id of an operation -> (original, copy); holding both keeps ids unique.
        self.copies: dict[int, tuple[keras.Operation, keras.Operation]] = {}
        # id of a tensor -> (it, its other layout), for both of the two.
        self.others: dict[int, tuple[keras.KerasTensor, keras.KerasTensor | None]] = {}
        self.turned: set[int] = set()  # ids of tensors that have channels last now.

    def call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        """Calls a copy with channels last where that is the same, else as it was."""
        tensors = _tensors((args, kwargs))
        changes = self._changes(operation, tensors, args, kwargs)
        made = self._copied(operation, changes or {})
        way = self.first if changes is None else self.last
        args, kwargs = keras.tree.map_structure(
            lambda x: way(x) if isinstance(x, keras.KerasTensor) else x, (args, kwargs)
        )
        if changes is not None and type(operation).__name__ == "GetItem":
            args = (args[0], _moved_key(args[1], len(tensors[0].shape)))
        outputs = made(*args, **kwargs)
        if changes is not None:
            for output in _tensors(outputs):
                if len(output.shape) > 2:
                    self._note(output, None)
        return outputs

    def _note(self, last: keras.KerasTensor, first: keras.KerasTensor | None) -> None:
        """Notes a tensor that has channels last now, and the same one as it was."""
        self.turned.add(id(last))
        self.others[id(last)] = last, first
        if first is not None:
            self.others[id(first)] = first, last

    def first(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The tensor as the network has it."""
        if id(x) not in self.turned:
            return x
        _, other = self.others[id(x)]
        if other is None:
            rank = len(x.shape)
            other = _permuted(x, (rank - 1, *range(1, rank - 1)), "first")
            self._note(x, other)
        return other

    def last(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The tensor with its channels last."""
        if id(x) in self.turned or len(x.shape) < 3:
            return x
        _, other = self.others.get(id(x), (x, None))
        if other is None:
            other = _permuted(x, (*range(2, len(x.shape)), 1), "last")
            self._note(other, x)
        return other

    def _copied(
        self, operation: keras.Operation, changes: Mapping[str, Any]
    ) -> keras.Operation:
        """The copy of a layer for all of its calls; an operation may be shared."""
        if id(operation) not in self.copies:
            if isinstance(operation, keras.layers.Layer):
                made = copied(operation, **changes)
            elif changes:
                made = type(operation).from_config({**config_of(operation), **changes})
            else:
                made = operation
            self.copies[id(operation)] = operation, made
        return self.copies[id(operation)][1]

    def _changes(
        self,
        operation: keras.Operation,
        tensors: Sequence[keras.KerasTensor],
        args: tuple,
        kwargs: Mapping[str, Any],
    ) -> dict[str, Any] | None:
        """What changes in the configuration where its inputs have channels last.

        None if it has to read tensors as they were.
        """
        if _is_first(operation):
            return {"data_format": "channels_last"}
        ranks = {len(x.shape) for x in tensors}
        known = type(operation).__module__.partition(".")[0] == "keras"
        if not known or len(ranks) != 1:
            return None
        (rank,) = ranks
        if type(operation).__name__ == "Reshape" and rank == 2:
            changes = _reshaped(operation)
        elif any(id(x) in self.turned for x in tensors):
            changes = _alike(operation, rank, (args, kwargs))
        else:
            return None
        # All calls of a layer share its configuration.
        return None if changes and len(operation._inbound_nodes) > 1 else changes


def _tensors(values: Any) -> list[keras.KerasTensor]:
    """The symbolic tensors among values."""
    return [x for x in keras.tree.flatten(values) if isinstance(x, keras.KerasTensor)]


def _permuted(
    x: keras.KerasTensor, order: Sequence[int], name: str
) -> keras.KerasTensor:
    """The tensor with its axes in another order, by a layer of a name of its own."""
    operation, call, place = x._keras_history
    name = "_".join((operation.name, *map(str, (call, place)), "channels", name))
    return keras.layers.Permute(tuple(order), name=name, dtype=policy_of(x))(x)


def _reshaped(operation: keras.Operation) -> dict[str, Any] | None:
    """A reshape of channels [C] to [C, 1, 1], as in squeeze and excite."""
    size, *ones = getattr(operation, "target_shape", ()) or (None,)
    if len(ones) < 2 or set(ones) != {1}:
        return None
    return {"target_shape": (*ones, size)}


def _alike(operation: keras.Operation, rank: int, given: tuple) -> dict | None:
    """What changes in an operation that is the same with channels last, else None.

    Args:
        operation: Of Keras's; its tensors have this rank.
        rank: Axes of its tensors, the batch's included.
        given: The arguments of its call.
    """
    kind = type(operation).__name__
    if kind in _BY_NUMBER:
        args, kwargs = given
        settings = [getattr(operation, name, None) for name in _MAY_BE_ARRAYS]
        arrays = any(map(_is_array, (*args, *kwargs.values(), *settings)))
        return None if arrays or activations.mixing(operation) else {}
    if kind == "GetItem":
        key = given[0][1] if len(given[0]) > 1 else None
        return {} if key is not None and _moved_key(key, rank) else None
    if kind not in (*_ALONG, *_REDUCTIONS):
        return None
    axes = operation.axis if _is_list(operation.axis) else [operation.axis]
    if None in axes:
        return None
    moved = sorted(_place(axis % rank, rank) for axis in axes)
    if kind in _REDUCTIONS:
        whole = operation.keepdims or moved == list(range(1, rank - 1))
        return {"axis": moved} if whole else None
    if len(moved) > 1 and getattr(operation, "weights", ()):
        return None
    if kind == "Softmax" or _is_list(operation.axis):
        return {"axis": moved}
    return {"axis": moved[0]}


def _is_array(value: Any) -> bool:
    """Whether it is an array of constants, or a list of them."""
    if _is_list(value):
        return not all(isinstance(one, keras.KerasTensor) for one in value)
    tensor = isinstance(value, keras.KerasTensor)
    return not tensor and len(getattr(value, "shape", ())) > 0


def _is_list(value: Any) -> bool:
    """Whether it is a list or tuple of values."""
    return isinstance(value, (list, tuple))


def _place(axis: int, rank: int) -> int:
    """Where an axis of a tensor with channels first is when they are last.

    >>> [_place(axis, 4) for axis in range(4)]
    [0, 3, 1, 2]
    """
    return (0, rank - 1, *range(1, rank - 1))[axis]


def _moved_key(key: Any, rank: int) -> tuple | None:
    """A key of slices for a tensor with channels last; None if it is of another kind.

    >>> _moved_key((slice(None), slice(2, 5), Ellipsis), 4)[-1]
    slice(2, 5, None)
    """
    key = list(key) if _is_list(key) else [key]
    if Ellipsis not in key:
        key.append(Ellipsis)
    place = key.index(Ellipsis)
    key[place : place + 1] = [slice(None)] * (rank - len(key) + 1)
    if not all(isinstance(one, slice) for one in key):
        return None
    first, channels, *pixels = key
    return first, *pixels, channels
