"""Layers and operations that move channels, or that move and reduce pixels."""

from collections.abc import Sequence

import numpy as np

from ns_tf.graph.calls import Place, entries
from ns_tf.graph.rules.convolutions import alike
from ns_tf.graph.rules.effects import (
    CHANNELWISE,
    JOIN,
    STATISTICS,
    THROUGH,
    Effect,
    folded,
    rule,
)


@rule("Flatten")
@folded
def _flatten(walk, layer, inputs, shapes):
    """[pixels * channels]: the last axis varies fastest."""
    if None in shapes[0][1:]:
        return None
    output = np.broadcast_to(inputs[0], shapes[0][1:]).reshape(-1)
    return Effect(THROUGH, output, scales=True)


@rule("Reshape")
@folded
def _reshape(walk, layer, inputs, shapes):
    """Followed where the last axis stays, takes in whole axes, or is cut into axes.

    It may take in a part of an axis, as every second row.
    """
    name = "target_shape" if hasattr(layer, "target_shape") else "newshape"
    *others, last = getattr(layer, name)
    after = walk.output_shape()
    known = name == "newshape" and None not in shapes[0][1:]
    if known and entries(shapes[0]) != entries(after):
        output = _windows(inputs[0], shapes[0], after)
    else:
        output = _reshaped(walk, inputs[0], shapes[0], after)
    if output is None:
        return None
    if len(output) == 1 < inputs[0].size:
        walk.freeze(inputs[0], f"{layer.name!r} makes one channel of all")
    size = last if last == -1 else output
    settings = {name: (*others, size)}
    return Effect(THROUGH, output, scales=True, settings=settings)


def _windows(
    channels: np.ndarray, before: Sequence, after: Sequence
) -> np.ndarray | None:
    """Channels of a reshape that takes axes into the examples', or out of there."""
    ratio = entries(before) / entries(after)
    whole = ratio % 1 == 0 or 1 / ratio % 1 == 0
    kept = channels.ndim == 1 and len(after) > 1 and before[-1] == after[-1]
    return channels if whole and kept else None


def _reshaped(walk, channels: np.ndarray, before: Sequence, after: Sequence):
    """Channels along the last axis of the new shape; None if it mixes them."""
    size = after[-1]
    if not size:
        return None
    if channels.ndim > 1:
        return _joined(channels, before, size)
    if size == before[-1]:
        return channels
    known = None not in (*before[1:], *after[1:])
    if _product_of_last(before, size) or (known and size % before[-1] == 0):
        return np.tile(channels, size // len(channels))
    if _product_of_last(after, before[-1]):
        return alike(walk, channels, len(channels) // size)
    return None


def _joined(channels: np.ndarray, shape: Sequence, size: int) -> np.ndarray | None:
    """Channels along several last axes, on one axis of this size; None if it is not."""
    for count in range(channels.ndim, len(shape)):
        axes = shape[-count:]
        if None not in axes and np.prod(axes) == size:
            return np.broadcast_to(channels, axes).reshape(-1)
    return None


def _product_of_last(shape: Sequence, size: int) -> bool:
    """Whether some of the last axes, not the batch's, have this many entries."""
    known = [n or 0 for n in shape[:0:-1]]
    return size in np.cumprod(known).tolist()


def _order(layer, rank: int) -> tuple[int, ...]:
    """The axes of the input in the order of the output's."""
    places = np.arange(rank)
    if type(layer).__name__ == "Swapaxes":
        return tuple(np.swapaxes(np.empty(places), layer.axis1, layer.axis2).shape)
    if type(layer).__name__ == "Moveaxis":
        moved = np.moveaxis(np.empty(places), layer.source, layer.destination)
        return tuple(moved.shape)
    axes = (0, *layer.dims) if hasattr(layer, "dims") else layer.axes
    return tuple(axis % rank for axis in axes) if axes else tuple(places[::-1])


@rule("Permute", "Transpose", "Swapaxes", "Moveaxis")
@folded
def _transpose(walk, layer, inputs, shapes):
    """Channels may be moved to other axes than the last, and back from there."""
    rank = len(shapes[0])
    order = _order(layer, rank)
    channels = inputs[0]
    if order[0] == 0 and order[-1] == rank - 1 and channels.ndim == 1:
        return Effect(THROUGH, channels, scales=True)
    if order[0] != 0 or None in shapes[0][1:]:
        return None
    numbers = np.broadcast_to(channels, shapes[0][1:])
    numbers = numbers.transpose([axis - 1 for axis in order[1:]])
    while numbers.ndim > 1 and (numbers == numbers[:1]).all():
        numbers = numbers[0]  # No channels along the first axis.
    return Effect(THROUGH, numbers, scales=True)


@rule("DepthToSpace")
def _depth_to_space(walk, layer, inputs, shapes):
    """Blocks of channels become pixels; all blocks lose the same places."""
    return Effect(THROUGH, alike(walk, inputs[0], layer.block_size**2), scales=True)


@rule("SpaceToDepth")
def _space_to_depth(walk, layer, inputs, shapes):
    """Pixels become blocks of channels."""
    return Effect(THROUGH, np.tile(inputs[0], layer.block_size**2), scales=True)


def _axes(axis, rank: int) -> set[int]:
    """Axes of a reduction, counted from 0; None is all."""
    given = range(rank) if axis is None else np.atleast_1d(axis)
    return {int(one) % rank for one in given}


@rule(*"Mean Sum Max Min Amax Amin".split())
@folded
def _reduce(walk, layer, inputs, shapes):
    """Over pixels or over channels; over examples none is followed."""
    rank = len(shapes[0])
    if getattr(layer, "initial", None) is not None:
        return None  # The largest would be of that number as well.
    axes = _axes(layer.axis, rank)
    if inputs[0].ndim > 1:
        return _along_others(layer, inputs[0], axes, rank)
    if axes == {rank - 1} and rank > 1:
        return _over_channels(walk, layer, inputs[0])
    if axes & {0, rank - 1}:
        return None
    return Effect(THROUGH, inputs[0], scales=True)


def _along_others(layer, channels: np.ndarray, axes: set[int], rank: int):
    """A reduction along axes that tell no channels apart, which are along another."""
    if 0 in axes:
        return None
    first = rank - channels.ndim
    for axis in sorted((axis - first for axis in axes if axis >= first), reverse=True):
        one = np.take(channels, [0], axis=axis)
        if (channels != one).any():
            return None
        channels = one if layer.keepdims else one.squeeze(axis)
    return Effect(THROUGH, channels, scales=True) if channels.ndim else None


@rule(*"Var Std Prod Logsumexp Median Cumsum Cumprod".split())
def _over_pixels(walk, layer, inputs, shapes):
    """Along axes of pixels."""
    rank = len(shapes[0])
    if layer.axis is None or _axes(layer.axis, rank) & {0, rank - 1}:
        return None
    return Effect(CHANNELWISE, inputs[0])


@rule("Take")
def _take(walk, layer, inputs, shapes):
    """Some pixels or tokens, at places that are known."""
    (x, *_), _ = walk.arguments()
    rank = len(shapes[0])
    known = len(inputs) == 1 and isinstance(x, Place) and layer.axis is not None
    if not known or layer.axis % rank in (0, rank - 1):
        return None
    return Effect(THROUGH, inputs[0], scales=True)


@rule("Tile")
def _tile(walk, layer, inputs, shapes):
    """Pixels several times."""
    *others, last = np.atleast_1d(layer.repeats).tolist()
    # Those of axes of pixels aside, and of new axes before the examples.
    examples = others[: max(0, len(others) - len(shapes[0]) + 2)]
    if last != 1 or any(one != 1 for one in examples):
        return None
    return Effect(THROUGH, inputs[0], scales=True) if others else None


def _over_channels(walk, layer, channels: np.ndarray) -> Effect | None:
    """Zeros add nothing to a sum; others are over the channels that there are."""
    shape = walk.output_shape()
    output = np.full((shape[-1] or 0) if len(shape) > 1 else 0, -1)
    if type(layer).__name__ == "Sum":
        return Effect(JOIN, output, reads=(0,))
    if (channels >= 0).all():
        return Effect(STATISTICS, output, gates=channels)
    return None


@rule(*"Flip Roll Repeat".split())
def _within_axes(walk, layer, inputs, shapes):
    """Along axes of pixels."""
    rank = len(shapes[0])
    if _axes(layer.axis, rank) & {0, rank - 1}:
        return None
    return Effect(THROUGH, inputs[0], scales=True)


@rule("ExpandDims", "Squeeze")
def _unit_axes(walk, layer, inputs, shapes):
    """An axis of length 1 comes or goes; the channels stay last."""
    rank = len(shapes[0]) + (type(layer).__name__ == "ExpandDims")
    if layer.axis is None or _axes(layer.axis, rank) & {0, rank - 1}:
        return None
    return Effect(THROUGH, inputs[0], scales=True)


@rule("Pad")
def _pad(walk, layer, inputs, shapes):
    """Pixels around, of zeros or of what is there; or channels that are zero."""
    width = np.broadcast_to(layer.pad_width, (len(shapes[0]), 2)).tolist()
    args, kwargs = walk.arguments()
    value = kwargs.get("constant_values", args[1] if len(args) > 1 else None)
    if any(width[0]) or (any(width[-1]) and (value or layer.mode != "constant")):
        return None
    if any(width[-1]):
        return _zero_channels(walk, layer, inputs[0], width)
    return Effect(CHANNELWISE if value else THROUGH, inputs[0], scales=not value)


def _zero_channels(walk, layer, channels: np.ndarray, width: list[list[int]]) -> Effect:
    """Channels of zeros beside those that there are, as in a shortcut of a ResNet.

    They are a part of what a layer makes where an addition joins them.
    """
    *others, (before, after) = width
    made = walk.make(layer.name, before + after)
    output = np.concatenate([made[:before], channels, made[before:]])
    for end in (before, before + len(channels)):
        if 0 < end < len(output):
            walk.part(output[:end])
    settings = {"pad_width": (*others, (made[:before], made[before:]))}
    return Effect(CHANNELWISE, output, settings=settings)


def sliced(walk, channels: np.ndarray, ends: slice):
    """A slice of channels, whose ends follow the widths.

    Args:
        walk: Takes the parts.
        channels: Numbers along the axis.
        ends: As Python takes them.

    Returns:
        (channels of the slice, channels before its start, channels before its stop),
        None for an end that is the axis' own; None if the slice cannot be followed.
    """
    size = len(channels)
    start, stop, step = ends.indices(size)
    part = channels[ends]
    if step == 1 and len(part):
        before = channels[:start] if start else None
        until = channels[:stop] if stop < size else None
        for end in (before, until):
            if end is not None:
                walk.part(end)
        return part, before, until
    if not len(part) or len(part) * abs(step) != size or step < -1:
        return None
    for other in range(step):  # Channels between are one with those of the slice.
        walk.tie(part, channels[other::step])
    return part, start if step > 1 else None, None


_KEYS = (int, slice, type(Ellipsis))


@rule("GetItem")
def _get_item(walk, layer, inputs, shapes):
    """Some pixels, or a slice of the channels."""
    args, kwargs = walk.arguments()
    place = 1 if len(args) > 1 else "key"
    key = args[1] if len(args) > 1 else kwargs["key"]
    key = key if isinstance(key, (list, tuple)) else [key]
    if not all(one is None or isinstance(one, _KEYS) for one in key):
        return None
    given = sum(one is not Ellipsis and one is not None for one in key)
    if given == len(shapes[0]):  # An Ellipsis stands for no axes.
        key = [one for one in key if one is not Ellipsis]
    last_is_given = given == len(shapes[0]) or Ellipsis in key[:-1]
    if key[0] not in (slice(None), Ellipsis):  # Examples of the batch.
        return None
    if not last_is_given or key[-1] in (slice(None), Ellipsis):
        return Effect(THROUGH, inputs[0], scales=True)
    found = isinstance(key[-1], slice) and sliced(walk, inputs[0], key[-1])
    if not found:
        return None
    output, *ends = found
    following = {place: (*key[:-1], slice(*ends, key[-1].step))}
    return Effect(THROUGH, output, scales=True, arguments=following)


@rule("Slice")
def _slice(walk, layer, inputs, shapes):
    """A window of pixels and channels, by its start and its shape."""
    args, kwargs = walk.arguments()
    place = 1 if len(args) > 1 else "start_indices"
    start = args[1] if len(args) > 1 else kwargs["start_indices"]
    if isinstance(start, Place) or start[0] or layer.shape[0] != -1:
        return None
    size = layer.shape[-1]
    stop = None if size == -1 else start[-1] + size
    found = sliced(walk, inputs[0], slice(start[-1], stop))
    if not found:
        return None
    output, before, _ = found
    settings = {} if size == -1 else {"shape": (*layer.shape[:-1], output)}
    following = {} if before is None else {place: (*start[:-1], before)}
    return Effect(THROUGH, output, scales=True, settings=settings, arguments=following)
