"""Arithmetic of several tensors, or of one and a constant; concatenation, split."""

import numpy as np

from ns_tf.graph.calls import Place
from ns_tf.graph.rules.convolutions import alike
from ns_tf.graph.rules.effects import (
    ADD,
    CHANNELWISE,
    JOIN,
    THROUGH,
    Effect,
    rule,
)

# What zero channels of all inputs make: a zero.
_KEEPING_ZERO = "Add Subtract Multiply Average Maximum Minimum CustomScaleLayer".split()


_OTHERS = (
    "Divide TrueDivide Power Hypot Fmax Fmin Equal NotEqual Greater GreaterEqual Less"
    " LessEqual LogicalAnd LogicalOr"
).split()


@rule(*_KEEPING_ZERO, *_OTHERS)
def _join(walk, layer, inputs, shapes):
    """Channel i of every input is one channel, unless groups differ (a crossing)."""
    if len(inputs) == 1:
        return _with_constant(walk, layer, inputs[0])
    if not all(shapes):
        return _with_numbers(layer, inputs, shapes)
    kind = CHANNELWISE
    if type(layer).__name__ in _KEEPING_ZERO:
        kind = ADD if type(layer).__name__ == "Add" else JOIN
    return _met(walk, layer, inputs, kind)


def _met(walk, layer, inputs, kind: str):
    """Channel i of every input is one channel; one of one channel is spread."""
    widest = max(inputs, key=len)
    if any(len(channels) not in (1, len(widest)) for channels in inputs):
        return None
    wide = [channels for channels in inputs if len(channels) == len(widest)]
    if len(wide) < len(inputs):
        return _spread(walk, layer, inputs, wide)
    leader, crossing = _tied(walk, layer.name, inputs)
    return Effect(kind, inputs[leader], crossing=crossing)


def _tied(walk, name: str, inputs: list[np.ndarray]) -> tuple[int, tuple[int, ...]]:
    """Ties the inputs; gives the place of the one that leads, and the crossings."""
    leader = walk.joined_in_reference(name, inputs)
    crossing = []
    for place, channels in enumerate(inputs):
        if walk.same_group(inputs[leader], channels):
            walk.tie(inputs[leader], channels)
        else:
            crossing.append(place)
    return leader, tuple(crossing)


def _spread(walk, layer, inputs, wide):
    """One channel meets all channels of another input, as in spatial attention."""
    reason = f"{type(layer).__name__} {layer.name!r} spreads it over all channels"
    for channels in inputs:
        if len(channels) == 1:
            walk.freeze(channels, reason)
    for channels in wide[1:]:
        walk.tie(wide[0], channels)
    # A product of zeros is zero, whatever the one channel is.
    product = type(layer).__name__ == "Multiply"
    return Effect(JOIN if product else CHANNELWISE, wide[0])


def _with_numbers(layer, inputs, shapes):
    """A tensor and a number that is one of the network's, as a weight."""
    *others, place = [place for place, shape in enumerate(shapes) if shape] or [0]
    if others or not shapes[place]:
        return None
    product = type(layer).__name__ == "Multiply"
    return Effect(THROUGH if product else CHANNELWISE, inputs[place])


def _with_constant(walk, layer, channels: np.ndarray):
    """A number, or one a pixel. One a channel is no weight that could get shorter."""
    arguments, _ = walk.arguments()
    if len(arguments) != 2:
        return None
    first = isinstance(arguments[0], Place)
    constant = np.asarray(arguments[first], float)
    *_, last = walk.output_shape() or (0,)
    if (last or 0) != len(channels):
        return None
    kind = type(layer).__name__
    if constant.ndim and constant.shape[-1] > 1:
        reason = f"{kind} {layer.name!r} has a constant for each channel"
        walk.freeze(channels, reason)
    divided = kind in ("Divide", "TrueDivide") and first
    if kind == "Multiply" or divided:
        return Effect(THROUGH, channels, scales=bool((constant > 0).all()))
    return Effect(CHANNELWISE, channels)


@rule("Concatenate")
def _concatenate(walk, layer, inputs, shapes):
    """Side by side where channels are concatenated; joined where pixels are."""
    if layer.axis in (-1, len(shapes[0]) - 1):
        return Effect(THROUGH, np.concatenate(inputs), scales=True)
    if layer.axis % len(shapes[0]) == 0:
        return None
    leader, crossing = _tied(walk, layer.name, inputs)
    return Effect(JOIN, inputs[leader], crossing=crossing)


@rule("Where")
def _where(walk, layer, inputs, shapes):
    """Of tensors and numbers, channel by channel."""
    arguments, _ = walk.arguments()
    constants = [one for one in arguments if not isinstance(one, Place)]
    if any(np.ndim(one) for one in constants) or not all(shapes):
        return None
    return _met(walk, layer, inputs, CHANNELWISE)


@rule("Stack")
def _stack(walk, layer, inputs, shapes):
    """Channels that meet along a new axis are one; it may be behind theirs."""
    rank = len(shapes[0]) + 1
    if layer.axis % rank == 0 or rank < 3:
        return None
    leader, crossing = _tied(walk, layer.name, inputs)
    output = inputs[leader]
    if layer.axis % rank == rank - 1:
        output = np.repeat(output[:, None], len(inputs), axis=1)
    return Effect(JOIN, output, crossing=crossing)


@rule("Unstack")
def _unstack(walk, layer, inputs, shapes):
    """Pixels or tokens apart."""
    rank = len(shapes[0])
    if layer.axis % rank in (0, rank - 1):
        return None
    count = layer.num or shapes[0][layer.axis]
    if not count:
        return None
    return Effect(CHANNELWISE, inputs[0], others=(inputs[0],) * (count - 1))


@rule("Glu")
def _gated_halves(walk, layer, inputs, shapes):
    """One half of the channels times the sigmoid of the other."""
    if layer.axis not in (-1, len(shapes[0]) - 1):
        return None
    return Effect(THROUGH, alike(walk, inputs[0], 2))


@rule("Split")
def _split(walk, layer, inputs, shapes):
    """Parts of the channels, or of pixels.

    No norm before it is a gate of what leaves behind it, for it has several outputs.
    """
    rank, parts = len(shapes[0]), layer.indices_or_sections
    count = parts if isinstance(parts, int) else len(parts) + 1
    channels = inputs[0]
    if layer.axis % rank == 0:
        return None
    if layer.axis % rank < rank - 1:
        return Effect(CHANNELWISE, channels, others=(channels,) * (count - 1))
    if isinstance(parts, int):
        parts = [len(channels) // parts * number for number in range(1, parts)]
    first, *others = np.split(channels, parts)
    if not len(first) or not all(map(len, others)):
        return None
    ends = tuple(channels[:end] for end in parts)
    for end in ends:
        walk.part(end)
    settings = {"indices_or_sections": ends}
    return Effect(CHANNELWISE, first, others=tuple(others), settings=settings)
