"""Products of two tensors that sum over an axis, as attention is written by hand.

An axis that is summed is one of channels (queries times keys), or of tokens (weights
times values). Channels of both tensors that are summed are tied in pairs: a pair adds
nothing once one of them is zero, so the gate of one is enough. Channels that are not
summed pass, if they are last again.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.graph.calls import Place
from ns_tf.graph.rules.effects import JOIN, Effect, Walk, folded, rule


@dataclasses.dataclass(frozen=True)
class _Factor:
    """One of the tensors that are multiplied.

    Attributes:
        axes: A letter for each of its last axes, as of `einsum`.
        letter: Of the axis of its channels.
        channels: [channels] along that axis.
    """

    axes: str
    letter: str
    channels: np.ndarray

    @property
    def has_channels(self) -> bool:
        """Whether there are any, rather than pixels or tokens."""
        return bool((self.channels >= 0).any())


@rule("Matmul")
@folded
def _matmul(walk, layer, inputs, shapes):
    """Rows times columns; the last axis of the second may have been transposed."""
    if len(inputs) != 2 or min(map(len, shapes)) < 2:
        return None
    return _product(walk, layer.name, inputs, ("ik", "kj"), "ij")


@rule("Einsum")
@folded
def _einsum(walk, layer, inputs, shapes):
    """Of two tensors all of whose axes have letters."""
    read, _, made = layer.subscripts.replace(" ", "").partition("->")
    axes = read.split(",")
    if len(inputs) != 2 or len(axes) != 2 or not made.isalpha():
        return None
    if any(len(set(one)) < len(one) or not one.isalpha() for one in axes):
        return None
    return _product(walk, layer.name, inputs, axes, made)


@rule("Dot")
@folded
def _dot(walk, layer, inputs, shapes):
    """Keras's layer; without an axis that is left it puts out one number."""
    if len(inputs) != 2:  # The other one is a constant.
        return None
    axes = layer.axes if isinstance(layer.axes, (list, tuple)) else [layer.axes] * 2
    letters = []
    for axis, shape, some in zip(axes, shapes, ("abc", "xyz"), strict=True):
        own = list(some[: len(shape) - 1])
        if len(shape) > 4 or axis % len(shape) == 0:
            return None
        own[axis % len(shape) - 1] = "k"
        letters.append("".join(own))
    made = "".join(letters).replace("k", "")
    summed = [one[-1] == "k" for one in letters]
    if layer.normalize and any(
        last and (channels >= 0).any()
        for last, channels in zip(summed, inputs, strict=True)
    ):
        return None  # Divided by a norm over channels.
    return _product(walk, layer.name, inputs, letters, made or "o")


@rule("Attention", "AdditiveAttention")
def _attention(walk, layer, inputs, shapes):
    """Queries times keys, softmax, times values; or tanh of their sums in place of it.

    Then each channel has a weight in the sum over channels, which takes its gate.
    """
    args, kwargs = walk.arguments()
    given = args[0] if args else kwargs["inputs"]
    if not all(isinstance(one, Place) for one in given):
        return None
    places = [one.number for one in given]
    for place in {*range(len(inputs))} - {*places}:
        walk.freeze(inputs[place], f"{layer.name!r} reads it as a mask")
    query, value, key = inputs[places[0]], inputs[places[1]], inputs[places[-1]]
    if layer.score_mode != "dot":
        return None
    walk.tie(query, key)
    if isinstance(layer, keras.layers.AdditiveAttention):
        return Effect(JOIN, value, {"scale": (query,)}, gates=query)
    return Effect(JOIN, value, reads=(places[0],))


@rule("DotProductAttention")
def _dot_product_attention(walk, layer, inputs, shapes):
    """Queries times keys, softmax, times values; a mask or a bias has no channels.

    Keras takes the output to be as wide as the query, so values keep to queries.
    """
    args, kwargs = walk.arguments()
    names = ("query", "key", "value", "bias", "mask", "scale")
    given = dict(zip(names, args, strict=False)) | kwargs
    places = [given.get(name) for name in names[:3]]
    if not all(isinstance(one, Place) for one in places):
        return None
    query, key, value = (one.number for one in places)
    if len(inputs[query]) != len(inputs[value]):
        return None
    if given.get("scale") is None:
        reason = f"{layer.name!r} divides by the root of their number"
        walk.freeze(inputs[query], reason)
    for place in (key, value):
        walk.tie(inputs[query], inputs[place])
    for place in {*range(len(inputs))} - {query, key, value}:
        walk.freeze(inputs[place], f"{layer.name!r} reads it as a mask or a bias")
    return Effect(JOIN, inputs[value], reads=(query,))


def _product(
    walk: Walk,
    name: str,
    inputs: Sequence[np.ndarray],
    axes: Sequence[str],
    made: str,
) -> Effect | None:
    """The effect of a product of two tensors.

    Args:
        walk: Takes ties.
        name: Of the operation.
        inputs: Channel numbers of both, along the last axis or along several.
        axes: Letters of the last axes of both.
        made: Letters of the last axes of the output; what is in none is summed.

    Returns:
        None if channels would be along another axis than the last.
    """
    pairs = zip(inputs, axes, strict=True)
    factors = [_factor(channels, letters) for channels, letters in pairs]
    if None in factors:
        return None
    factors = _apart(walk, name, factors)
    output = np.full(walk.output_shape()[-1] or 0, -1)
    reads = []
    for place, (one, other) in enumerate(zip(factors, factors[::-1], strict=True)):
        if not one.has_channels:
            continue
        if one.letter in other.axes:
            walk.tie(one.channels, other.channels)
        if one.letter == made[-1]:
            output = one.channels
        elif one.letter in made:
            return None
        elif one.letter == axes[place][-1]:
            reads.append(place)
    summed = any(f.has_channels and f.letter not in made for f in factors)
    if summed and not reads:
        return None  # Gates are along the last axis.
    return Effect(JOIN, output, reads=tuple(reads[:1]))


def _apart(walk: Walk, name: str, factors: Sequence[_Factor]) -> list[_Factor]:
    """The factors, without channels that meet what is no channel: those stay.

    Args:
        walk: Takes the reason.
        name: Of the operation.
        factors: Two.
    """
    found = []
    for one, other in zip(factors, factors[::-1], strict=True):
        if one.has_channels and one.letter in other.axes.replace(other.letter, ""):
            walk.freeze(one.channels, f"{name!r} multiplies it with pixels or tokens")
            one = dataclasses.replace(one, channels=np.full_like(one.channels, -1))
        found.append(one)
    return found


def _factor(channels: np.ndarray, axes: str) -> _Factor | None:
    """A tensor of channels along one of its axes; None if they are along several."""
    if channels.ndim == 1:
        return _Factor(axes, axes[-1], channels)
    for axis in range(channels.ndim):
        along = np.moveaxis(channels, axis, 0).reshape(channels.shape[axis], -1)
        if (along == along[:, :1]).all():
            place = axis - channels.ndim
            if -place <= len(axes):
                return _Factor(axes, axes[place], along[:, 0])
    return None
