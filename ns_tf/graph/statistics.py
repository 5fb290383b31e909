"""Norms over channels, with statistics of the open channels alone.

A layer norm divides by a deviation over channels. A network without some channels
has the statistics of those that are left. So a network whose channels are only closed
has to leave them out of its statistics as well: the layers here take a gate for each
channel, its weight in means and sums. With all gates 1 they compute what their layers
compute; with gates of 0 and 1 what these do without the closed channels.
"""

from collections.abc import Sequence

import keras

ops = keras.ops


def standardised(
    x: keras.KerasTensor,
    gates: keras.KerasTensor,
    *,
    epsilon: float,
    centred: bool = True,
    pixels: Sequence[int] = (),
) -> keras.KerasTensor:
    """(x - m) / sqrt(v + epsilon), m and v = mean (x - m)² weighted by gates.

    >>> x, gates = ops.array([[1.0, 3.0, 50.0]]), ops.array([[1.0, 1.0, 0.0]])
    >>> standardised(x, gates, epsilon=0.0)[0, :2].numpy().tolist()
    [-1.0, 1.0]

    Args:
        x: [..., channels].
        gates: Weights of the channels, of a shape that broadcasts to that of x and has
            length 1 along `pixels`.
        epsilon: Added to the variance.
        centred: Whether the mean is taken off; without it m is 0.
        pixels: Axes over which means are taken as well.
    """
    total = ops.sum(gates, axis=-1, keepdims=True)

    def mean(values):
        over_channels = ops.sum(gates * values, axis=-1, keepdims=True) / total
        if not pixels:
            return over_channels
        return ops.mean(over_channels, axis=tuple(pixels), keepdims=True)

    if centred:
        x = x - mean(x)
    return x * ops.rsqrt(mean(ops.square(x)) + epsilon)


def _beside(x: keras.KerasTensor, gates: keras.KerasTensor) -> keras.KerasTensor:
    """Gates [batch, channels] as [batch, 1, ..., channels], in the dtype of x."""
    middle = (1,) * (len(x.shape) - 2)
    return ops.cast(ops.reshape(gates, (-1, *middle, gates.shape[-1])), x.dtype)


def _precise(x: keras.KerasTensor) -> keras.KerasTensor:
    """x in at least float32, as Keras's norms compute."""
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


class _Affine:
    """What layer and group norms do after they have standardised."""

    def _affine(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if self.gamma is not None:
            x = x * ops.cast(self.gamma, x.dtype)
        if self.beta is not None:
            x = x + ops.cast(self.beta, x.dtype)
        return ops.cast(x, self.compute_dtype)


@keras.saving.register_keras_serializable("ns_tf")
class OpenLayerNormalization(_Affine, keras.layers.LayerNormalization):
    """A layer norm over open channels."""

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        x = _precise(x)
        return self._affine(standardised(x, _beside(x, gates), epsilon=self.epsilon))


@keras.saving.register_keras_serializable("ns_tf")
class OpenRMSNormalization(keras.layers.RMSNormalization):
    """A norm by the root of the mean square of open channels."""

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        dtype, x = x.dtype, _precise(x)
        found = standardised(x, _beside(x, gates), epsilon=self.epsilon, centred=False)
        return ops.cast(found * ops.cast(self.scale, x.dtype), dtype)


@keras.saving.register_keras_serializable("ns_tf")
class OpenUnitNormalization(keras.layers.UnitNormalization):
    """A division by the root of the sum of squares of open channels."""

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        squares = _beside(x, gates) * ops.square(x)
        factor = ops.rsqrt(ops.sum(squares, axis=-1, keepdims=True))
        return x * ops.minimum(factor, 1e12)  # Keras's own limit.


@keras.saving.register_keras_serializable("ns_tf")
class OpenGroupNormalization(_Affine, keras.layers.GroupNormalization):
    """A group norm over open channels, as many in each of its groups."""

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        x = _precise(x)
        shape, rank = ops.shape(x), len(x.shape)
        blocks = (self.groups, x.shape[-1] // self.groups)
        gates = _beside(x, gates)
        found = standardised(
            ops.reshape(x, (*shape[:-1], *blocks)),
            ops.reshape(gates, (-1, *(1,) * (rank - 2), *blocks)),
            epsilon=self.epsilon,
            pixels=range(1, rank - 1),
        )
        return self._affine(ops.reshape(found, shape))


@keras.saving.register_keras_serializable("ns_tf")
class OpenMean(keras.layers.Layer):
    """A mean over open channels.

    Args:
        keepdims: Whether the axis stays, of length 1.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(self, keepdims: bool = False, **options: object):
        super().__init__(autocast=False, **options)
        self.keepdims = keepdims

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        gates = _beside(x, gates)
        total = ops.sum(gates, axis=-1, keepdims=True)
        return ops.sum(x * gates / total, axis=-1, keepdims=self.keepdims)

    def get_config(self) -> dict:
        """Whether the axis stays, beside what every layer has."""
        return {**super().get_config(), "keepdims": self.keepdims}


@keras.saving.register_keras_serializable("ns_tf")
class OpenExtreme(OpenMean):
    """The largest of open channels, or the smallest.

    A channel that is closed has the least of all values, so it is not the largest.

    Args:
        keepdims: Whether the axis stays, of length 1.
        smallest: Whether the smallest is taken.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(self, keepdims: bool = False, smallest: bool = False, **options):
        super().__init__(keepdims, **options)
        self.smallest = smallest

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        sign = -1 if self.smallest else 1
        least = ops.stop_gradient(ops.min(sign * x, axis=-1, keepdims=True))
        gates = _beside(x, gates)
        weighed = gates * (sign * x) + (1 - gates) * least  # With a gate of 1 exact.
        return sign * ops.max(weighed, axis=-1, keepdims=self.keepdims)

    def get_config(self) -> dict:
        """Which of the two, beside what a mean has."""
        return {**super().get_config(), "smallest": self.smallest}


@keras.saving.register_keras_serializable("ns_tf")
class OpenNormalize(keras.layers.Layer):
    """A division by the root of the sum of squares of open channels, as an operation.

    Args:
        epsilon: The least root.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(self, epsilon: float, **options):
        super().__init__(autocast=False, **options)
        self.epsilon = epsilon

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor):
        """x [batch, ..., channels], gates [batch, channels]."""
        squares = _beside(x, gates) * ops.square(x)
        factor = ops.rsqrt(ops.sum(squares, axis=-1, keepdims=True))
        return x * ops.minimum(factor, 1 / self.epsilon)

    def get_config(self) -> dict:
        """The least root, beside what every layer has."""
        return {**super().get_config(), "epsilon": self.epsilon}


_OPEN = {
    keras.layers.LayerNormalization: OpenLayerNormalization,
    keras.layers.RMSNormalization: OpenRMSNormalization,
    keras.layers.UnitNormalization: OpenUnitNormalization,
    keras.layers.GroupNormalization: OpenGroupNormalization,
}


def opened(layer: keras.Layer) -> keras.Layer:
    """A layer of the same name and configuration that takes gates, not built.

    Args:
        layer: A norm over channels: layer, group, RMS or unit normalization; or an
            operation over them: a mean, the largest, the smallest, or their norm.

    >>> type(opened(keras.layers.UnitNormalization())).__name__
    'OpenUnitNormalization'
    """
    kind = type(layer).__name__
    if kind == "Mean":
        return OpenMean(layer.keepdims, name=layer.name)
    if kind in ("Max", "Amax", "Min", "Amin"):
        return OpenExtreme(layer.keepdims, kind.endswith("in"), name=layer.name)
    if kind == "Normalize":
        least = layer.epsilon or keras.config.epsilon()
        return OpenNormalize(least, name=layer.name)
    return _OPEN[type(layer)].from_config(layer.get_config())
