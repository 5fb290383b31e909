"""What each layer type does to channels: one rule a type.

A rule is a function of (walk, layer, inputs, shapes) that returns an `Effect`. A layer
type without a rule freezes the channels that reach it, with the layer named as the
reason: nothing is guessed.

A layer of one's own is followed once `@rule("ClassName")` has registered its rule, in
every process that reads the model. For a layer that multiplies every channel by a
weight::

    from ns_tf.graph.rules import THROUGH, Effect, rule

    @keras.saving.register_keras_serializable("mine")
    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[-1:], name="scale")

        def call(self, x):
            return x * self.scale

    @rule("Scale")
    def scale(walk, layer, inputs, shapes):
        return Effect(THROUGH, output=inputs[0], axes={"scale": (inputs[0],)})

Its output has the channels of its input. A channel that is all zeros stays so. Axis 0
of its weight `scale` is indexed by those channels: removing some shortens the weight.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import activations
from ns_tf.graph.weights import frozen

layers = keras.layers

# Kinds of calls. They decide where gates go.
INPUT = "input"  # An input of the model.
MAKE = "make"  # Reads channels and makes others.
NORM = "norm"  # Batch norm: scales and shifts each channel by gamma and beta.
CHANNELWISE = "channelwise"  # Works within channels; a zero channel may become another.
THROUGH = "through"  # Works within channels and keeps a zero channel zero.
ADD = "add"  # Adds channels of its inputs.
JOIN = "join"  # Combines channels of its inputs in another way.
UNKNOWN = "unknown"  # No rule: what it reads is frozen.


@dataclasses.dataclass(frozen=True)
class Effect:
    """What one call does to channels; what a rule returns.

    Attributes:
        kind: `MAKE`, `NORM`, `CHANNELWISE`, `THROUGH`, `ADD` or `JOIN`. Say
            `CHANNELWISE` where in doubt between it and `THROUGH`: gates are then
            placed behind the call.
        output: [channels] channel numbers along the output's last axis.
        axes: Weight name -> for each axis its channel numbers `[axis]`, or None for an
            axis that no channels index. A weight that is not named keeps its size.
        crossing: Places of inputs of a join whose channels are in another group than
            the output's (see `Walk.same_group`).
        scales: Of a call of the kind `THROUGH`: whether a positive factor before it is
            the same factor behind it, as for a ReLU or a pooling. A batch norm before
            it may then be the gate of what leaves behind it.

    >>> Effect(THROUGH, np.array([3, 4, 5])).axes
    {}
    """

    kind: str
    output: np.ndarray
    axes: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    crossing: tuple[int, ...] = ()
    scales: bool = False


class Walk(Protocol):
    """What a rule may call on its first argument."""

    def make(self, name: str, size: int) -> np.ndarray:
        """New channels `[size]` of the layer; the same ones if it is called again."""

    def tie(self, one: np.ndarray, other: np.ndarray) -> None:
        """Makes channels `[size]` and `[size]` one: removed together or not at all."""

    def freeze(self, channels: np.ndarray, reason: str) -> None:
        """Keeps channels `[size]` from being removed; the reason is shown to users."""

    def same_group(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether a join may tie channels `[size]` and `[size]`.

        True unless a reference graph has them in different groups, which happen to
        have one size here.
        """

    def joined_in_reference(self, name: str, inputs: list[np.ndarray]) -> int:
        """Which input of the join `name` is in its output's group; 0 if unknown."""


Rule = Callable[[Walk, keras.Operation, list[np.ndarray], list[tuple]], Effect | None]
_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule of layers and operations whose classes have these names.

    The rule is called for every call of such a layer, as `rule(walk, layer, inputs,
    shapes)`:

    * walk: a `Walk`, for new channels, ties and reasons to freeze.
    * layer: the layer or operation, built.
    * inputs: for every input tensor its channel numbers `[channels]`; -1 is no channel.
    * shapes: for every input tensor its shape, batch axis included.

    It returns the `Effect`, or None for a layer that cannot be followed after all, for
    its settings say. A later rule of the same name replaces the earlier one. Layers
    with `data_format="channels_first"` are never followed.

    Args:
        *names: Class names, such as "Conv2D". Those of `keras.ops` are names of
            operation classes, such as "Relu" and "Add".

    Returns:
        The decorator; it returns the rule unchanged.

    Raises:
        TypeError: no name is given, as in `@rule` without parentheses.
    """
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError('Expected class names, as in @rule("Conv2D", "Dense").')

    def add(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return add


def apply(
    walk: Walk,
    operation: keras.Operation,
    inputs: list[np.ndarray],
    shapes: list[tuple],
    output_shape: Sequence[int | None],
) -> Effect:
    """The effect of one call; an operation without a rule freezes what it reads.

    Args:
        walk: Takes ties and reasons to freeze.
        operation: What is called.
        inputs: For every input tensor its channel numbers `[channels]`.
        shapes: For every input tensor its shape.
        output_shape: Of the first output.

    Returns:
        The rule's effect, or one of the kind `UNKNOWN` whose output has no channels.

    Raises:
        InputError: the rule's output has not as many channels as the tensor.
    """
    kind = type(operation).__name__
    known = _RULES.get(kind)
    # A class of the user's may have the name of one of Keras's.
    if known and known.__module__ == __name__ and not _of_keras(operation):
        known = None
    channels_last = getattr(operation, "data_format", None) != "channels_first"
    effect = known(walk, operation, inputs, shapes) if known and channels_last else None
    size = output_shape[-1] if len(output_shape) > 1 and output_shape[-1] else 0
    if effect is None:
        return _opaque(
            walk, f"{kind} {operation.name!r} cannot be followed", inputs, size
        )
    if size and len(effect.output) != size:
        raise InputError(
            f"The rule of {kind} says that {operation.name!r} puts out "
            f"{len(effect.output)} channels; it puts out {size}."
        )
    return effect


def _of_keras(operation: keras.Operation) -> bool:
    """Whether its class is one of Keras's own."""
    return type(operation).__module__.partition(".")[0] == "keras"


def _opaque(walk: Walk, reason: str, inputs: list[np.ndarray], size: int) -> Effect:
    """Freezes the inputs; nothing is known of the `size` channels that come out."""
    for channels in inputs:
        walk.freeze(channels, reason)
    return Effect(UNKNOWN, np.full(size, -1))


@rule("Conv1D", "Conv2D", "Conv3D", "Dense")
def _make(walk, layer, inputs, shapes):
    """Every filter is a new channel; the kernel reads those of the input."""
    if getattr(layer, "groups", 1) != 1:
        return None
    size = layer.units if isinstance(layer, layers.Dense) else layer.filters
    output = walk.make(layer.name, size)
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    axes = {"kernel": (*spatial, inputs[0], output), "bias": (output,)}
    reason = activations.mixing(layer)
    if reason:
        walk.freeze(output, reason)
    return Effect(MAKE, output, axes)


@rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(walk, layer, inputs, shapes):
    """Channel c becomes channels c, c, ... of the output, one a multiplier."""
    reason = activations.mixing(layer)
    if reason:
        return _opaque(walk, reason, inputs, len(inputs[0]) * layer.depth_multiplier)
    output = np.repeat(inputs[0], layer.depth_multiplier)
    spatial = (None,) * (len(layer.kernel.shape) - 2)
    axes = {"kernel": (*spatial, inputs[0], None), "bias": (output,)}
    return Effect(CHANNELWISE, output, axes)


@rule("BatchNormalization")
def _norm(walk, layer, inputs, shapes):
    """All its weights, of which `renorm` adds two, are indexed by the channels."""
    if layer.axis not in (-1, len(shapes[0]) - 1):
        return None
    names = [weight.name for weight in layer.weights]
    # A gate's gradient needs those of gamma and beta.
    kind = NORM if layer.scale and layer.center and not frozen(layer) else CHANNELWISE
    return Effect(kind, inputs[0], dict.fromkeys(names, (inputs[0],)))


# Of which there is one for sequences, one for images, one for volumes.
_SPATIAL = (
    "AveragePooling Cropping GlobalAveragePooling GlobalMaxPooling MaxPooling "
    "SpatialDropout UpSampling ZeroPadding"
).split()


@rule(
    *(f"{name}{axes}D" for name in _SPATIAL for axes in (1, 2, 3)),
    "Dropout",
    "GaussianDropout",
    "Identity",
    "LeakyReLU",
    "Relu",
    "Relu6",
)
def _scaling(walk, layer, inputs, shapes):
    """Each channel by itself, a zero stays zero, a factor stays a factor."""
    return Effect(THROUGH, inputs[0], scales=True)


@rule("ELU", "Gelu", "Silu")
def _curved(walk, layer, inputs, shapes):
    """Each channel by itself, a zero stays zero."""
    return Effect(THROUGH, inputs[0])


@rule("ReLU")
def _relu(walk, layer, inputs, shapes):
    """A threshold t > 0 lifts a zero to -slope * t."""
    if float(layer.threshold) == 0:
        return Effect(THROUGH, inputs[0], scales=True)
    return Effect(CHANNELWISE, inputs[0])


@rule("PReLU")
def _parametric(walk, layer, inputs, shapes):
    """Slopes of negative values: one a channel, or one for all if they share it."""
    own = layer.alpha.shape[-1] == len(inputs[0])
    spatial = (None,) * (len(shapes[0]) - 2)
    axes = {"alpha": (*spatial, inputs[0] if own else None)}
    return Effect(THROUGH, inputs[0], axes=axes, scales=True)


@rule("Reshape")
def _reshape(walk, layer, inputs, shapes):
    """Followed where the last axis keeps its length."""
    shape = getattr(layer, "target_shape", (None,))  # `keras.ops.reshape` has none.
    if shape[-1] != shapes[0][-1]:
        return None
    return Effect(THROUGH, inputs[0], scales=True)


@rule("Activation")
def _activation(walk, layer, inputs, shapes):
    """Channelwise, if the function is known to be."""
    reason = activations.mixing(layer)
    if reason:
        return _opaque(walk, reason, inputs, len(inputs[0]))
    kind = THROUGH if activations.keeps_zero(layer.activation) else CHANNELWISE
    return Effect(kind, inputs[0], scales=activations.scales(layer.activation))


@rule("Flatten")
def _flatten(walk, layer, inputs, shapes):
    """[pixels * channels]: channels are the last axis, so they vary fastest."""
    output = np.tile(inputs[0], int(np.prod(shapes[0][1:-1])))
    return Effect(THROUGH, output, scales=True)


@rule("Concatenate")
def _concatenate(walk, layer, inputs, shapes):
    """Inputs side by side, where it is the channels that are concatenated."""
    if layer.axis not in (-1, len(shapes[0]) - 1):
        return None
    return Effect(THROUGH, np.concatenate(inputs), scales=True)


@rule("Add", "Subtract", "Multiply", "Average", "Maximum")
def _join(walk, layer, inputs, shapes):
    """Channel i of every input is one channel, unless groups differ (a crossing)."""
    if len(inputs) < 2 or len({len(channels) for channels in inputs}) > 1:
        return None  # A constant, or one channel broadcast to all.
    leader = walk.joined_in_reference(layer.name, inputs)
    crossing = []
    for place, channels in enumerate(inputs):
        if walk.same_group(inputs[leader], channels):
            walk.tie(inputs[leader], channels)
        else:
            crossing.append(place)
    kind = ADD if type(layer).__name__ == "Add" else JOIN
    return Effect(kind, inputs[leader], crossing=tuple(crossing))
