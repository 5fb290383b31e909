"""Norms, and layers that scale each channel by a weight of its own."""

import numpy as np

from ns_tf.graph.rules.convolutions import alike
from ns_tf.graph.rules.effects import (
    CHANNELWISE,
    NORM,
    STATISTICS,
    THROUGH,
    Effect,
    rule,
)
from ns_tf.graph.weights import frozen, names


def _last(axis, rank: int) -> bool:
    """Whether this axis, or list of one axis, is the last of a tensor."""
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return list(axes) in ([-1], [rank - 1])


def _by_channel(layer, channels: np.ndarray) -> dict[str, tuple]:
    """The axes of a layer all of whose weights are indexed by the channels."""
    return dict.fromkeys(names(layer).values(), (channels,))


@rule("BatchNormalization")
def _batch_norm(walk, layer, inputs, shapes):
    """All its weights, of which `renorm` adds two, are indexed by the channels."""
    if not _last(layer.axis, len(shapes[0])):
        return None
    # A gate's gradient needs those of gamma and beta.
    kind = NORM if layer.scale and layer.center and not frozen(layer) else CHANNELWISE
    return Effect(kind, inputs[0], _by_channel(layer, inputs[0]))


@rule("LayerNormalization", "RMSNormalization", "UnitNormalization")
def _statistics(walk, layer, inputs, shapes):
    """Statistics over the channels of a pixel; a network's own, however thin it is."""
    odd = getattr(layer, "rms_scaling", False)  # Deprecated: scaled by the variance.
    if odd or not _last(layer.axis, len(shapes[0])):
        return None
    return Effect(STATISTICS, inputs[0], _by_channel(layer, inputs[0]))


@rule("Normalize")
def _normalize(walk, layer, inputs, shapes):
    """The operation: by the root of the sum of squares over channels, or pixels."""
    rank = len(shapes[0])
    if layer.axis is None:
        return None
    if _last(layer.axis, rank) and layer.order == 2 and (inputs[0] >= 0).all():
        return Effect(STATISTICS, inputs[0])
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if any(axis % rank in (0, rank - 1) for axis in axes):
        return None
    return Effect(CHANNELWISE, inputs[0])


@rule("GroupNormalization")
def _group_norm(walk, layer, inputs, shapes):
    """Statistics over blocks of channels, all of which lose the same places."""
    if not _last(layer.axis, len(shapes[0])):
        return None
    axes = _by_channel(layer, inputs[0])
    each = layer.groups == len(inputs[0])
    if each and walk.follows(layer.name, "groups", otherwise=True):
        # Each channel by itself; at some widths others have as many groups, too.
        return Effect(CHANNELWISE, inputs[0], axes, settings={"groups": inputs[0]})
    alike(walk, inputs[0], layer.groups)
    return Effect(STATISTICS, inputs[0], axes)


@rule("PReLU")
def _parametric(walk, layer, inputs, shapes):
    """Slopes of negative values: one a channel, or one for all if they share it."""
    axes = len(shapes[0]) - 1  # Of the weight; Keras counts them from 1.
    own = axes - 1 not in {(axis - 1) % axes for axis in layer.shared_axes or ()}
    spatial = (None,) * (axes - 1)
    axes = {"alpha": (*spatial, inputs[0] if own else None)}
    return Effect(THROUGH, inputs[0], axes=axes, scales=True)


@rule("OwnWeight")
def _own_weight(walk, layer, inputs, shapes):
    """A weight of a block's own; one that meets no channels keeps its shape."""
    *others, last = layer.shape or (1,)  # A number.
    if not layer.shape or not layer.follows or last != len(inputs[0]):
        return Effect(CHANNELWISE, np.full(last, -1))
    (name,) = names(layer).values()
    axes = {name: (*(None for _ in others), inputs[0])}
    settings = {"shape": (*others, inputs[0])}
    return Effect(CHANNELWISE, inputs[0], axes, settings=settings)


@rule("Fixed")
def _fixed(walk, layer, inputs, shapes):
    """Numbers that are no channels, whatever it is called on."""
    *_, last = np.shape(layer.values) or (1,)
    return Effect(CHANNELWISE, np.full(last, -1))


@rule("LayerScale")
def _layer_scale(walk, layer, inputs, shapes):
    """That of `keras.applications`' ConvNeXt: gamma times x."""
    axes = _by_channel(layer, inputs[0])
    settings = {"projection_dim": inputs[0]}
    return Effect(THROUGH, inputs[0], axes, scales=True, settings=settings)
