"""What layers of epitomes share: their weights, and the kernel made of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ns_tf.base import InputError
from ns_tf.networks.costs import EPITOME
from ns_tf.networks.layers.sampling import (
    LEARNED,
    WRAPPED,
    folded,
    repeated,
    sampling_of,
)

STARTS = "block_starts"  # Of the weight that says where blocks begin.


def starts_in(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    """The starts of blocks among variables.

    They have no weight decay: it would move them to the middle of their range.

    Args:
        variables: Of a network.
    """
    return [variable for variable in variables if variable.name == STARTS]


class EpitomeLayer(keras.layers.Layer):
    """What the layers of epitomes share: their weights, and the kernel made of them.

    Weights are sampled in the precision in which they are stored; only the kernel is
    cast to that of the layer. Of learned sampling the weight `STARTS` says where blocks
    begin (`Sampling.positions`).

    Args:
        window: Size of the kernel along each axis of positions; () of a dense layer.
        channels: Channels that are made.
        epitome: Of wrapped and learned sampling: the shape of what is stored.
        sampling: "wrapped", "learned" or "fixed".
        stride: Of fixed sampling: entries between the beginnings of two filters.
        repeat: Of fixed sampling: channels that share an entry.
        use_bias: Whether a bias is added.
        activation: As of `keras.layers.Dense`.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(
        self,
        window: tuple[int, ...],
        channels: int,
        *,
        epitome: Sequence[int] | None = None,
        sampling: str = LEARNED,
        stride: int | None = None,
        repeat: int | None = None,
        use_bias: bool = True,
        activation: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.window, self.channels = window, int(channels)
        if self.channels < 1:
            raise InputError(f"A layer makes at least 1 channel; got {channels!r}.")
        self.epitome = None if epitome is None else tuple(map(int, epitome))
        self.sampling, self.stride, self.repeat = sampling, stride, repeat
        self.use_bias = bool(use_bias)
        self.activation = keras.activations.get(activation)
        self.bias = self.raw_starts = None

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the weights for inputs of this shape.

        They start as He's, by the fan-in of the kernel that is made (He et al., 2015).

        Raises:
            InputError: the epitome is none of the kernel.
        """
        self.how = sampling_of(
            self.sampling,
            (*self.window, input_shape[-1], self.channels),
            epitome=self.epitome,
            stride=self.stride,
            repeat=self.repeat,
        )
        deviation = float(np.sqrt(2 / self.how.fan_in))
        self.stored = self.add_weight(
            shape=self.how.epitome,
            initializer=keras.initializers.RandomNormal(stddev=deviation),
            autocast=False,
            name=EPITOME,
        )
        if self.how.starts:
            first = self.how.first_starts()
            self.raw_starts = self.add_weight(
                shape=self.how.starts,
                initializer=lambda shape, dtype: ops.cast(first, dtype),
                autocast=False,
                name=STARTS,
            )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.channels,), initializer="zeros", name="bias"
            )
        self.built = True

    def made(self) -> Any:
        """The kernel [window..., channels read, channels made]."""
        if self.raw_starts is None:
            return self.how.made(self.stored)
        starts = self.how.positions(ops.convert_to_tensor(self.raw_starts))
        return self.how.made(self.stored, starts)

    def call(self, inputs: Any) -> Any:
        """What a layer of the kernel that is made answers to `[batch, ..., read]`."""
        if self.sampling == WRAPPED:
            kernel = ops.cast(self.stored, self.compute_dtype)
            x = folded(inputs, self.how.epitome[-2])
            y = repeated(self.applied(x, kernel), self.channels)
        else:
            y = self.applied(inputs, ops.cast(self.made(), self.compute_dtype))
        if self.bias is not None:
            y = y + self.bias
        return self.activation(y)

    def applied(self, x: Any, kernel: Any) -> Any:
        """The product of inputs and a kernel, without bias."""
        raise NotImplementedError

    def plain(self) -> keras.Layer:
        """Keras's layer that has this kernel as a weight, not built."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The settings, as `.keras` files have them."""
        return {
            **super().get_config(),
            "epitome": self.epitome,
            "sampling": self.sampling,
            "stride": self.stride,
            "repeat": self.repeat,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
        }

    def _plain_config(self) -> dict[str, Any]:
        """What Keras's layer and this one have in common."""
        own = ("epitome", "sampling", "stride", "repeat")
        return {n: one for n, one in self.get_config().items() if n not in own}
