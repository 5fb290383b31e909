"""What each layer type does to channels: one rule a type.

A rule is a function of (walk, layer, inputs, shapes): the channel numbers `[channels]`
and the shape of every input. It returns an `Effect`. A layer type without a rule
freezes the channels that reach it, with the layer named as the reason: nothing is
guessed.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

layers = keras.layers
# Kinds of calls, for those who place gates.
INPUT = "input"
MAKE = "make"  # Reads channels and makes others.
NORM = "norm"  # Scales and shifts each channel: what precedes it does not matter.
CHANNELWISE = "channelwise"  # Works within channels, but does not keep a zero.
THROUGH = "through"  # Works within channels and keeps a zero channel zero.
ADD = "add"  # Adds channels of its inputs.
JOIN = "join"  # Combines channels of its inputs in another way.
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Effect:
    """What one call does."""

    kind: str
    output: np.ndarray  # [channels]: channel numbers of the output.
    axes: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    crossing: tuple[int, ...] = ()  # Inputs of a join that belong to another group.


_RULES: dict[str, Callable[..., Effect]] = {}


def rule(*names: str):
    """Decorator: the rule of layers and operations whose classes have these names."""

    def add(function):
        _RULES.update(dict.fromkeys(names, function))
        return function

    return add


def apply(walk, operation, inputs, shapes, output_shape) -> Effect:
    """The effect of one call; unknown operations freeze what they read."""
    known = _RULES.get(type(operation).__name__)
    channels_last = getattr(operation, "data_format", None) != "channels_first"
    effect = known(walk, operation, inputs, shapes) if known and channels_last else None
    if effect is None:
        reason = f"{type(operation).__name__} {operation.name!r} cannot be followed"
        for channels in inputs:
            walk.freeze(channels, reason)
        size = output_shape[-1] if len(output_shape) > 1 and output_shape[-1] else 0
        return Effect(UNKNOWN, np.full(size, -1))
    return effect


@rule("Conv1D", "Conv2D", "Conv3D", "Dense")
def _make(walk, layer, inputs, shapes):
    if getattr(layer, "groups", 1) != 1:
        return None
    size = layer.units if isinstance(layer, layers.Dense) else layer.filters
    output = walk.make(layer.name, size)
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    axes = {"kernel": (*spatial, inputs[0], output), "bias": (output,)}
    if getattr(getattr(layer, "activation", None), "__name__", "") == "softmax":
        walk.freeze(output, f"the softmax of {layer.name!r} mixes channels")
    return Effect(MAKE, output, axes)


@rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(walk, layer, inputs, shapes):
    output = np.repeat(inputs[0], layer.depth_multiplier)
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    axes = {"kernel": (*spatial, inputs[0], None), "bias": (output,)}
    return Effect(CHANNELWISE, output, axes)


@rule("BatchNormalization")
def _norm(walk, layer, inputs, shapes):
    if layer.axis not in (-1, len(shapes[0]) - 1):
        return None
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    # Without both gradients it cannot tell a gate's.
    kind = NORM if layer.scale and layer.center and layer.trainable else CHANNELWISE
    return Effect(kind, inputs[0], dict.fromkeys(names, (inputs[0],)))


@rule(
    "AveragePooling2D",
    "Cropping2D",
    "Dropout",
    "GaussianDropout",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Identity",
    "LeakyReLU",
    "MaxPooling2D",
    "Relu",
    "Relu6",
    "Silu",
    "Gelu",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
    "ELU",
)
def _through(walk, layer, inputs, shapes):
    return Effect(THROUGH, inputs[0])


@rule("ReLU")
def _relu(walk, layer, inputs, shapes):
    kind = THROUGH if float(layer.threshold) == 0 else CHANNELWISE
    return Effect(kind, inputs[0])


@rule("Reshape")
def _reshape(walk, layer, inputs, shapes):
    shape = getattr(layer, "target_shape", (None,))  # `keras.ops.reshape` has none.
    if shape[-1] != shapes[0][-1]:
        return None  # Else the last axis stays as it is, whatever the others do.
    return Effect(THROUGH, inputs[0])


@rule("Activation")
def _activation(walk, layer, inputs, shapes):
    if getattr(layer.activation, "__name__", "") == "softmax":
        return None
    kind = THROUGH if keeps_zero(layer.activation) else CHANNELWISE
    return Effect(kind, inputs[0])


@rule("Flatten")
def _flatten(walk, layer, inputs, shapes):
    # Channels are the last axis, so they vary fastest in the flattened map.
    return Effect(THROUGH, np.tile(inputs[0], int(np.prod(shapes[0][1:-1]))))


@rule("Concatenate")
def _concatenate(walk, layer, inputs, shapes):
    if layer.axis not in (-1, len(shapes[0]) - 1):
        return None
    return Effect(THROUGH, np.concatenate(inputs))


@rule("Add", "Subtract", "Multiply", "Average", "Maximum")
def _join(walk, layer, inputs, shapes):
    if len(inputs) < 2 or len({len(channels) for channels in inputs}) > 1:
        return None  # With a constant, or broadcast along the channels.
    leader = walk.joined_in_reference(layer.name, inputs)
    crossing = []
    for place, channels in enumerate(inputs):
        if walk.same_group(inputs[leader], channels):
            walk.tie(inputs[leader], channels)
        else:
            crossing.append(place)
    kind = ADD if type(layer).__name__ == "Add" else JOIN
    return Effect(kind, inputs[leader], crossing=tuple(crossing))


def keeps_zero(activation) -> bool:
    """Whether the activation maps a zero to zero, each value by itself."""
    name = getattr(activation, "__name__", "linear" if activation is None else "?")
    return name in {
        "linear",
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "tanh",
        "softsign",
        "hard_silu",
        "hard_tanh",
        "tanh_shrink",
    }
