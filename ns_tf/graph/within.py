"""Layers whose channels act on one another within them, with gates for these edges.

The units of a recurrent layer read one another at every step (`open_recurrent`); the
heads of an attention are read by its last dense layer. No gate outside the layer is on
these edges. So there are layers that take gates [batch, channels] beside their inputs.
With all gates 1 they compute what their layers compute; with gates of 0 and 1 what
these do without the closed channels, at each output of a channel that is open.

A head of an attention, and an entry of all heads' values, is multiplied by its gate
before the last dense layer reads it. That is the same as its rows of that layer's
kernel times the gate. An entry of all queries and keys is multiplied by its gate in
their product. An attention keeps the scale of that product, whatever it loses.
"""

import functools

import keras

from ns_tf.graph import open_recurrent, statistics

ops = keras.ops


class _OpenHeads:
    """An attention whose heads are read through gates."""

    def call(
        self,
        query,
        value,
        key=None,
        *,
        gates=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        **options,
    ):
        """As the layer without gates; gates [batch, heads and entries].

        Keras fills in the masks of the arguments that are named here.
        """
        masks = {
            "query_mask": query_mask,
            "value_mask": value_mask,
            "key_mask": key_mask,
        }
        self._gates = gates
        try:
            return super().call(query, value, key, **masks, **options)
        finally:
            self._gates = None

    def compute_output_spec(self, query, value, key=None, *, gates=None, **options):
        """As that of the layer without gates."""
        return super().compute_output_spec(query, value, key, **options)

    def _compute_attention(self, query, key, value, *args, **options):
        """Attention of gated queries to gated values, in which heads are linear."""
        heads, values, keys = self._split(self._gates)
        query = query * _along(keys, query, -1)
        value = value * _along(heads, value, -2) * _along(values, value, -1)
        return super()._compute_attention(query, key, value, *args, **options)


def _along(gates: keras.KerasTensor, x: keras.KerasTensor, axis: int):
    """Gates [batch, n] as a factor of x along one of its last two axes."""
    shape = [1] * len(x.shape)
    shape[0], shape[axis] = -1, x.shape[axis]
    return ops.cast(ops.reshape(gates, shape), x.dtype)


@keras.saving.register_keras_serializable("ns_tf")
class OpenMultiHeadAttention(_OpenHeads, keras.layers.MultiHeadAttention):
    """Attention whose gates are of heads, of entries of values, and of keys."""

    def _split(self, gates) -> list:
        return ops.split(gates, [self.num_heads, self.num_heads + self.value_dim], -1)


@keras.saving.register_keras_serializable("ns_tf")
class OpenGroupQueryAttention(_OpenHeads, keras.layers.GroupQueryAttention):
    """Attention whose gates are of the query's heads, and of entries of all vectors."""

    def _split(self, gates) -> list:
        heads, entries = ops.split(gates, [self.num_query_heads], -1)
        return [heads, entries, entries]


@keras.saving.register_keras_serializable("ns_tf")
class OpenAdditiveAttention(keras.layers.AdditiveAttention):
    """Attention by sums of queries and keys, whose channels are read through gates."""

    def call(self, inputs, mask=None, *, gates=None, **options):
        """As the layer without gates; gates [batch, channels]."""
        self._gates = gates
        try:
            return super().call(inputs, mask=mask, **options)
        finally:
            self._gates = None

    def compute_output_spec(self, inputs, *, gates=None, **options):
        """As that of the layer without gates."""
        return super().compute_output_spec(inputs, **options)

    def _calculate_scores(self, query, key):
        """[batch, queries, keys]: sums over channels of scale · gate · tanh(q + k)."""
        both = ops.tanh(query[:, :, None] + key[:, None])
        weights = ops.cast(self._gates, both.dtype)[:, None, None]
        if self.scale is not None:
            weights = weights * self.scale
        return ops.sum(weights * both, axis=-1)


@functools.singledispatch
def opened(layer: keras.Layer, original: keras.Layer) -> keras.Layer:
    """A layer of the same name and configuration that takes gates, not built.

    It is called with `gates=`, [batch, channels], beside its inputs.

    Args:
        layer: A norm over channels, a recurrent layer or an attention.
        original: What it is a copy of, with as many channels or fewer. An attention
            scales its products as this one does.

    >>> layer = keras.layers.GRU(3)
    >>> opened(layer, layer).cell.state_size
    [3, 3]
    """
    del original
    return statistics.opened(layer)


@opened.register(keras.layers.RNN)
def _recurrent(layer: keras.layers.RNN, original: keras.Layer) -> keras.layers.RNN:
    del original
    return open_recurrent.opened(layer)


@opened.register(keras.layers.Bidirectional)
def _bidirectional(
    layer: keras.layers.Bidirectional, original: keras.Layer
) -> keras.layers.Bidirectional:
    del original
    return open_recurrent.opened_sides(layer)


@opened.register(keras.layers.AdditiveAttention)
def _additive(
    layer: keras.layers.AdditiveAttention, original: keras.Layer
) -> OpenAdditiveAttention:
    del original
    return OpenAdditiveAttention.from_config(layer.get_config())


@opened.register(keras.layers.MultiHeadAttention)
def _heads(
    layer: keras.layers.MultiHeadAttention, original: keras.layers.MultiHeadAttention
) -> OpenMultiHeadAttention:
    return _of_scale(OpenMultiHeadAttention, layer, original, "_inverse_sqrt_key_dim")


@opened.register(keras.layers.GroupQueryAttention)
def _query_heads(
    layer: keras.layers.GroupQueryAttention, original: keras.layers.GroupQueryAttention
) -> OpenGroupQueryAttention:
    return _of_scale(OpenGroupQueryAttention, layer, original, "_inverse_sqrt_head_dim")


def _of_scale(
    kind: type, layer: keras.Layer, original: keras.Layer, scale: str
) -> keras.Layer:
    """An attention of this kind, with the original's factor of its products."""
    copy = kind.from_config(layer.get_config())
    setattr(copy, scale, getattr(original, scale))
    return copy
