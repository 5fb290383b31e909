"""How the kernel of a convolution is made of a smaller array, its epitome.

A kernel is [window..., channels that are read, channels that are made]; that of a dense
layer has no window.

* wrapped: the epitome is repeated along both axes of channels.
* learned: the kernel is put together of blocks as large as the epitome. Each begins at
  a place of its own, which is learned and need not be whole (Zhou et al., Neural
  Epitome Search, ICLR 2020).
* fixed: a filter is a part of the epitome, `stride` entries behind the part of the
  filter before it; channels that are read share entries (Jin et al., WSNet, ICML 2018).
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from ns_tf.base import InputError
from ns_tf.run.checks import check_whole

WRAPPED, LEARNED, FIXED = "wrapped", "learned", "fixed"
SAMPLINGS = (WRAPPED, LEARNED, FIXED)
# How much faster starts are learned than other weights: a sigmoid's slope is small.
FASTER = 10.0
_BEHIND = 1 / 64  # Entries.
_MARGIN = 0.02  # Starts begin so far from both ends of a sigmoid, as a share.

Shape = tuple[int, ...]
Tensor = Any  # Of Keras's backend.


@dataclasses.dataclass(frozen=True)
class Sampling:
    """A kernel as a function of an epitome; made by `sampling_of`.

    Attributes:
        kind: "wrapped", "learned" or "fixed".
        kernel: Shape of the kernel.
        epitome: Shape of what is stored.
        stride: Of fixed sampling: entries between the beginnings of two filters.

    >>> learned = sampling_of("learned", (3, 3, 8, 16), epitome=(3, 3, 4, 8))
    >>> learned.blocks, learned.starts, learned.params
    ((2, 2), (2, 2, 4), 304)

    In WSNet 4 filters of 3 taps and 8 channels, with stride 1 and channels that are
    shared twice, have 24 parameters in place of 96:

    >>> sampling_of("fixed", (3, 8, 4), stride=1, repeat=2).params
    24
    """

    kind: str
    kernel: Shape
    epitome: Shape
    stride: int = 0

    @property
    def blocks(self) -> tuple[int, int]:
        """How often the epitome stands along the channels made, and those read."""
        if self.kind == FIXED:
            return self.kernel[-1], self.kernel[-2] // self._shared
        i, o = self.epitome[-2:]
        return math.ceil(self.kernel[-1] / o), math.ceil(self.kernel[-2] / i)

    @property
    def _shared(self) -> int:
        """Of fixed sampling: the channels that are read by entries of their own."""
        if len(self.epitome) > 1:
            return self.epitome[-1]
        return self.epitome[0] - (self.kernel[-1] - 1) * self.stride

    @property
    def ranges(self) -> Shape:
        """Of every axis of the epitome: starts are from 0 to this.

        Along channels the epitome goes round, so they may be anywhere.
        """
        window = len(self.kernel) - 2
        spare = np.subtract(self.epitome[:window], self.kernel[:window])
        return (*(int(size) for size in spare), *self.epitome[-2:])

    @property
    def starts(self) -> Shape:
        """Shape of the starts: blocks made, blocks read, axes; () if there are none."""
        return (*self.blocks, len(self.kernel)) if self.kind == LEARNED else ()

    @property
    def params(self) -> int:
        """Numbers that are learned."""
        return math.prod(self.epitome) + (math.prod(self.starts) if self.starts else 0)

    @property
    def fan_in(self) -> int:
        """Entries of the kernel that an output sums."""
        return math.prod(self.kernel[:-1])

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds at a position: wrapped sampling computes the epitome alone."""
        return math.prod(self.epitome if self.kind == WRAPPED else self.kernel)

    @property
    def tied(self) -> bool:
        """Whether each channel of the kernel is one of the epitome, all equally often.

        >>> whole = sampling_of("wrapped", (3, 3, 8, 16), epitome=(3, 3, 4, 8))
        >>> cut = sampling_of("wrapped", (3, 3, 8, 16), epitome=(3, 3, 4, 7))
        >>> whole.tied, cut.tied
        (True, False)
        """
        pairs = zip(self.kernel[-2:], self.epitome[-2:], strict=True)
        return self.kind == WRAPPED and not any(one % other for one, other in pairs)

    def first_starts(self) -> np.ndarray:
        """Raw starts from which learning begins: near whole numbers, evenly spaced.

        Near whole ones, because a mean of two entries is smaller than either; not at
        them, because the derivative jumps there. Block t of B begins `_BEHIND` behind
        round(range (t + 1/2) / B), or as near as a sigmoid comes to it.

        Returns:
            As `Sampling.starts`; `positions` makes starts of them.
        """
        count = math.prod(self.blocks)
        ranges = np.array(self.ranges, float)
        at = np.round(ranges * (np.arange(count)[:, None] + 0.5) / count) + _BEHIND
        share = np.divide(at, ranges, out=np.full_like(at, 0.5), where=ranges > 0)
        share = share.clip(_MARGIN, 1 - _MARGIN)
        return (np.log(share / (1 - share)) / math.sqrt(FASTER)).reshape(self.starts)

    def positions(self, raw: Tensor) -> Tensor:
        """Where blocks begin: range sigmoid(theta) with theta = sqrt(10) raw.

        By SGD of a rate r, theta so moves as if its rate were 10 r; by optimizers that
        divide by the size of the gradient, as Adam, as if it were sqrt(10) r.

        Args:
            raw: [blocks made, blocks read, axes], as they are stored.
        """
        ranges = ops.convert_to_tensor(np.array(self.ranges), dtype=raw.dtype)
        return ranges * ops.sigmoid(math.sqrt(FASTER) * raw)

    def made(self, epitome: Tensor, starts: Tensor | None = None) -> Tensor:
        """The kernel.

        Args:
            epitome: As `Sampling.epitome`.
            starts: [blocks made, blocks read, axes], of learned sampling.
        """
        epitome = ops.convert_to_tensor(epitome)
        if self.kind == FIXED:
            return self._fixed(epitome)
        if self.kind == WRAPPED:
            window = (1,) * (len(self.kernel) - 2)
            return self._cut(ops.tile(epitome, (*window, *reversed(self.blocks))))
        rows = [
            ops.concatenate([self._block(epitome, start) for start in row], axis=-2)
            for row in map(_items, _items(ops.convert_to_tensor(starts)))
        ]
        return self._cut(ops.concatenate(rows, axis=-1))

    def _cut(self, kernel: Tensor) -> Tensor:
        """A kernel without what is more than its channels."""
        return kernel[..., : self.kernel[-2], : self.kernel[-1]]

    def _block(self, epitome: Tensor, start: Tensor) -> Tensor:
        """As much of the epitome as a block has, from a start [axes] on."""
        window = len(self.kernel) - 2
        for axis, size in enumerate(self.epitome):
            if axis >= window:
                epitome = interpolated(epitome, start[axis], size, axis, wrap=True)
            elif size > self.kernel[axis]:
                epitome = interpolated(epitome, start[axis], self.kernel[axis], axis)
        return epitome

    def _fixed(self, epitome: Tensor) -> Tensor:
        """Filter f is the part of the epitome that begins at f times stride."""
        taps = self._shared if len(self.epitome) == 1 else self.kernel[0]
        places = np.arange(taps)[:, None] + self.stride * np.arange(self.kernel[-1])
        parts = ops.moveaxis(ops.take(epitome, places, axis=0), 1, -1)
        return ops.concatenate([parts] * self.blocks[1], axis=-2)


def _items(tensor: Tensor) -> list[Tensor]:
    """The parts of a tensor along its first axis."""
    return [tensor[place] for place in range(tensor.shape[0])]


def interpolated(
    values: Tensor, start: Tensor, taps: int, axis: int, *, wrap: bool = False
) -> Tensor:
    """Entries at start, start + 1, ... of an axis; between two entries their mix.

    y[j] = sum over n of values[n] max(0, 1 - |n - (start + j)|)

    Source: Zhou et al., ICLR 2020.

    >>> y = interpolated(np.array([1.0, 3.0, 7.0, 4.0]), np.float64(1.25), 2, axis=0)
    >>> ops.convert_to_numpy(y).tolist()
    [4.0, 6.25]

    Args:
        values: [..., n, ...].
        start: A scalar from 0 to n - taps; any from 0 if it wraps.
        taps: How many entries.
        axis: Which axis.
        wrap: Whether the first entry follows the last.
    """
    low = ops.floor(start)
    whole, rest = ops.cast(low, "int32"), start - low
    if wrap:  # In a training half as dear as to gather.
        one = ops.roll(values, -whole, axis)
        other = ops.roll(one, -1, axis)
        one, other = (_first(rolled, taps, axis) for rolled in (one, other))
    else:
        places = whole + np.arange(taps, dtype="int32")
        last = values.shape[axis] - 1
        one = ops.take(values, places, axis=axis)
        other = ops.take(values, ops.minimum(places + 1, last), axis=axis)
    return (1 - rest) * one + rest * other


def _first(values: Tensor, count: int, axis: int) -> Tensor:
    """The first entries along an axis."""
    return values[(*(slice(None) for _ in range(axis)), slice(count))]


def folded(x: Tensor, channels: int) -> Tensor:
    """Sums of the channels that one channel of a wrapped epitome reads.

    Args:
        x: [..., n].
        channels: m; the result is [..., m], sums of channels c, c + m, c + 2 m, ...

    >>> ops.convert_to_numpy(folded(np.array([[1.0, 2, 10, 20, 100]]), 2)).tolist()
    [[111.0, 22.0]]
    """
    blocks = math.ceil(x.shape[-1] / channels)
    if blocks == 1:
        return x
    lacking = -x.shape[-1] % channels
    if lacking:
        x = ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, lacking)])
    return sum(ops.split(x, blocks, axis=-1))


def repeated(y: Tensor, channels: int) -> Tensor:
    """Channels of a wrapped epitome, repeated until there are so many.

    Args:
        y: [..., m].
        channels: Of the result.
    """
    blocks = math.ceil(channels / y.shape[-1])
    if blocks == 1:
        return y
    return ops.concatenate([y] * blocks, axis=-1)[..., :channels]


def sampling_of(
    kind: str,
    kernel: Sequence[int],
    *,
    epitome: Sequence[int] | None = None,
    stride: int | None = None,
    repeat: int | None = None,
) -> Sampling:
    """The sampling of a kernel.

    Args:
        kind: "wrapped", "learned" or "fixed".
        kernel: Its shape, [window..., channels read, channels made].
        epitome: Shape of what is stored, of wrapped and learned sampling.
        stride: Of fixed sampling: entries from one filter to the next; 1 if None.
        repeat: Of fixed sampling: how many channels share an entry; 1 if None.

    Raises:
        InputError: there is no such sampling of the kernel.
    """
    kernel = tuple(int(size) for size in kernel)
    if kind not in SAMPLINGS:
        raise InputError(f"sampling is one of {', '.join(SAMPLINGS)}; got {kind!r}.")
    if kind == FIXED:
        if epitome is not None:
            raise InputError(
                "Fixed sampling has an epitome that follows from stride and repeat; "
                f"got epitome={tuple(epitome)}. Leave it out."
            )
        stride, repeat = (1 if one is None else one for one in (stride, repeat))
        return _fixed_sampling(kernel, stride, repeat)
    if stride is not None or repeat is not None:
        raise InputError("stride and repeat are of sampling='fixed' alone.")
    _check_epitome(kind, kernel, epitome)
    return Sampling(kind, kernel, tuple(int(size) for size in epitome))


def _fixed_sampling(kernel: Shape, stride: int, repeat: int) -> Sampling:
    """Fixed sampling of a kernel.

    Raises:
        InputError: the numbers do not fit the kernel.
    """
    check_whole("stride", stride, at_least=1)
    check_whole("repeat", repeat, at_least=1)
    *window, read, filters = kernel
    if read % repeat:
        raise InputError(
            f"repeat divides the channels that are read; got repeat={repeat} of {read}."
        )
    first, *others = (*window, read // repeat)
    if stride > first:
        raise InputError(
            f"stride is from 1 to the {first} entries of a filter; got {stride}. A "
            "larger one would leave entries out."
        )
    return Sampling(FIXED, kernel, (first + (filters - 1) * stride, *others), stride)


def _check_epitome(kind: str, kernel: Shape, epitome: Sequence[int] | None) -> None:
    """Refuses an epitome that is none of a kernel.

    Raises:
        InputError: says what fits.
    """
    names = ((), ("length",), ("height", "width"))[len(kernel) - 2]
    named = ", ".join((*names, "channels read", "channels made"))
    if epitome is None or len(epitome) != len(kernel):
        raise InputError(
            f"epitome is ({named}) of what is stored, for a kernel of {kernel}; got "
            f"{epitome!r}."
        )
    window = len(kernel) - 2
    whole = all(isinstance(one, (int, np.integer)) and one >= 1 for one in epitome)
    larger = any(np.greater(epitome[window:], kernel[window:]))
    smaller = any(np.less(epitome[:window], kernel[:window]))
    if not whole or larger or smaller:
        raise InputError(
            f"An epitome has a window of at least {kernel[:window]} and at most "
            f"{kernel[window:]} channels; got {tuple(epitome)}."
        )
    if kind == WRAPPED and tuple(epitome[:window]) != kernel[:window]:
        raise InputError(
            "A wrapped epitome repeats along channels alone, so its window is the "
            f"kernel's, {kernel[:window]}; got {tuple(epitome)}."
        )
