"""Convolutions and dense layers whose kernels are sampled from epitomes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ns_tf.base import InputError
from ns_tf.networks.layers.base import EpitomeLayer

_registered = keras.saving.register_keras_serializable("ns_tf")


class _EpitomeConv(EpitomeLayer):
    """A convolution whose kernel is sampled from an epitome; channels last.

    Args:
        filters: Channels that are made.
        kernel_size: Of the kernel that is made.
        strides: Positions between two applications.
        padding: "valid" or "same"; of one axis also "causal".
        dilation_rate: Positions between two taps.
        **options: Of `EpitomeLayer`.
    """

    rank: int
    kind: type[keras.Layer]

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        *,
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        dilation_rate: int | Sequence[int] = 1,
        **options: Any,
    ):
        size = _sizes(kernel_size, self.rank)
        super().__init__(size, filters, **options)
        self.filters, self.kernel_size = self.channels, size
        self.strides = _sizes(strides, self.rank)
        self.dilation_rate = _sizes(dilation_rate, self.rank)
        self.padding = padding
        known = ("valid", "same", *(("causal",) if self.rank == 1 else ()))
        if padding not in known:
            raise InputError(f"padding is one of {', '.join(known)}; got {padding!r}.")

    @property
    def _reach(self) -> tuple[int, ...]:
        """Positions before the last tap of the kernel, along each axis."""
        pairs = zip(self.kernel_size, self.dilation_rate, strict=True)
        return tuple((size - 1) * rate for size, rate in pairs)

    def applied(self, x: Any, kernel: Any) -> Any:
        """The convolution of `[batch, ..., read]` and a kernel."""
        padding = self.padding
        if padding == "causal":
            x, padding = ops.pad(x, [(0, 0), (self._reach[0], 0), (0, 0)]), "valid"
        return ops.conv(
            x,
            kernel,
            strides=self.strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        """[batch, ..., filters]."""
        lost = (0,) * self.rank if self.padding != "valid" else self._reach
        axes = zip(input_shape[1:-1], lost, self.strides, strict=True)
        sizes = (None if n is None else -(-(n - less) // by) for n, less, by in axes)
        return (input_shape[0], *sizes, self.filters)

    def plain(self) -> keras.Layer:
        """The convolution whose kernel is the one that is made, not built."""
        return self.kind.from_config(self._plain_config())

    def get_config(self) -> dict[str, Any]:
        """The settings, as `.keras` files have them."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
        }


@_registered
class EpitomeConv1D(_EpitomeConv):
    """A convolution of sequences whose kernel is sampled from a smaller array.

    With `sampling="fixed"` it is WSNet's (Jin et al., ICML 2018): filter f is the
    entries f stride to f stride + size - 1 of the epitome, and `repeat` channels share
    them, so of N filters of L taps and M channels there are
    (L + (N - 1) stride) M / repeat parameters:

    >>> layer = EpitomeConv1D(
    ...     4, 3, sampling="fixed", stride=1, repeat=2, use_bias=False
    ... )
    >>> layer.build((None, 16, 8))
    >>> layer.count_params()
    24

    Args:
        filters: Channels that are made.
        kernel_size: Taps.
        epitome: (length, channels read, channels made) of what is stored, of wrapped
            and learned sampling.
        sampling: "learned": blocks of the kernel begin where training puts them (Zhou
            et al., ICLR 2020). "wrapped": the epitome is repeated along channels.
            "fixed": as above.
        stride, repeat: Of fixed sampling.
        strides, padding, dilation_rate, use_bias, activation: As of
            `keras.layers.Conv1D`.

    Raises:
        InputError: the epitome is none of the kernel (when it is built).
    """

    rank, kind = 1, keras.layers.Conv1D


@_registered
class EpitomeConv2D(_EpitomeConv):
    """A convolution of images whose kernel is sampled from a smaller array.

    Source: Zhou et al., Neural Epitome Search, ICLR 2020. The kernel is put together of
    ceil(filters / o) ceil(channels / i) blocks [height, width, i, o]. A block is the
    epitome from a start (row, column, channel read, channel made) on, interpolated
    linearly between two entries, and round the end of its channels. Starts are
    range sigmoid(theta) with a theta each that is learned, so there are h w i o weights
    and 4 for each block:

    >>> layer = EpitomeConv2D(16, 3, epitome=(3, 3, 4, 8), use_bias=False)
    >>> layer.build((None, 32, 32, 8))
    >>> layer.count_params()
    304
    >>> layer.made().shape == (3, 3, 8, 16)
    True

    Departure: in the paper a network of its own finds the starts from images, and their
    moving average is used in the end. Here they are parameters: there is no difference
    between training and test, and the kernel is made once a step.

    Args:
        filters: Channels that are made.
        kernel_size: Of the kernel that is made: a number, or (height, width).
        epitome: (height, width, channels read, channels made) of what is stored, of
            wrapped and learned sampling. A learned one may have more rows and columns
            than the kernel.
        sampling: "learned": as above. "wrapped": the epitome is repeated along
            channels; inputs that read the same entries are added first, so
            multiply-adds fall as parameters do. "fixed": WSNet's, along rows, as of
            `EpitomeConv1D`.
        stride, repeat: Of fixed sampling.
        strides, padding, dilation_rate, use_bias, activation: As of
            `keras.layers.Conv2D`.

    Raises:
        InputError: the epitome is none of the kernel (when it is built).
    """

    rank, kind = 2, keras.layers.Conv2D


@_registered
class EpitomeDense(EpitomeLayer):
    """A dense layer whose kernel is sampled from a smaller array.

    >>> layer = EpitomeDense(16, epitome=(4, 8), sampling="wrapped", use_bias=False)
    >>> layer.build((None, 8))
    >>> layer.count_params()
    32

    Args:
        units: Channels that are made.
        epitome: (channels read, channels made) of what is stored, of wrapped and
            learned sampling.
        sampling: As of `EpitomeConv2D`; fixed sampling is along the channels that are
            read.
        stride, repeat: Of fixed sampling.
        use_bias, activation: As of `keras.layers.Dense`.

    Raises:
        InputError: the epitome is none of the kernel (when it is built).
    """

    def __init__(self, units: int, **options: Any):
        super().__init__((), units, **options)
        self.units = self.channels
        self.supports_masking = True  # As Keras's dense layers, which pass them on.

    def applied(self, x: Any, kernel: Any) -> Any:
        """The product of `[batch, ..., read]` and a kernel."""
        return ops.matmul(x, kernel)

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        """[batch, ..., units]."""
        return (*input_shape[:-1], self.units)

    def plain(self) -> keras.Layer:
        """The dense layer whose kernel is the one that is made, not built."""
        return keras.layers.Dense.from_config(self._plain_config())

    def get_config(self) -> dict[str, Any]:
        """The settings, as `.keras` files have them."""
        return {**super().get_config(), "units": self.units}


def _sizes(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """A size along each of so many axes.

    Raises:
        InputError: there are others than one or one an axis, or one below 1.
    """
    sizes = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
    if len(sizes) != rank or any(size < 1 for size in sizes):
        raise InputError(f"Expected {rank} sizes from 1; got {value!r}.")
    return tuple(map(int, sizes))
