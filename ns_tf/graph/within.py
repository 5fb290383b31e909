"""Layers whose channels act on one another within them, with gates for these edges.

The units of a recurrent layer read one another at every step; the heads of an attention
are read by its last dense layer. No gate outside the layer is on these edges. So the
layers here take gates [batch, channels] beside their inputs. With all gates 1 they
compute what their layers compute; with gates of 0 and 1 what these do without the
closed channels, at each output of a channel that is open.

* A unit j of a recurrent layer is multiplied by its gate where the recurrent kernel
  reads it: g_j h_j. That is the same as row j of that kernel times g_j. What a unit
  carries to its own next step (the cell of an LSTM, z h of a GRU) is no edge to others.
* A head of an attention, and an entry of all heads' values, is multiplied by its gate
  before the last dense layer reads it. That is the same as its rows of that layer's
  kernel times the gate. An entry of all queries and keys is multiplied by its gate in
  their product. An attention keeps the scale of that product, whatever it loses.
"""

import functools
from typing import Any

import keras

from ns_tf.graph import statistics

ops = keras.ops


class _OpenCell:
    """A cell whose units read one another through gates: a state that never changes."""

    def __init__(self, units: int, **options: Any):
        super().__init__(units, **options)
        sizes = self.state_size
        self.state_size = [*([sizes] if isinstance(sizes, int) else sizes), units]

    def call(self, inputs, states, training=False):
        """(output, states) of a step; h and gates are the first and the last state."""
        h, *others, gates = states
        output, new = super().call(inputs, [h * gates, *others], training=training)
        return output, [*new, gates]


@keras.saving.register_keras_serializable("ns_tf")
class OpenSimpleRNNCell(_OpenCell, keras.layers.SimpleRNNCell):
    """The cell of a simple recurrent layer, its units read through gates."""


@keras.saving.register_keras_serializable("ns_tf")
class OpenLSTMCell(_OpenCell, keras.layers.LSTMCell):
    """The cell of an LSTM, its units read through gates."""


@keras.saving.register_keras_serializable("ns_tf")
class OpenGRUCell(_OpenCell, keras.layers.GRUCell):
    """The cell of a GRU, its units read through gates.

    A unit's part in its own next state has no gate, so Keras's step cannot be called
    with a state that is multiplied already.
    """

    def call(self, inputs, states, training=False):
        """(output, states) of a step: h' = z h + (1 - z) tanh(x K + r (g h R))."""
        h, gates = states
        read = h * gates
        inputs = _thrice(inputs, self.dropout and training and self.get_dropout_mask)
        drop = self.recurrent_dropout and training and self.get_recurrent_dropout_mask
        read_z, read_r, read_h = _thrice(read, drop)
        x_z, x_r, x_h = self._projected(inputs)
        inner_z, inner_r, inner_h = ops.split(self.recurrent_kernel, 3, axis=1)
        bias_z = bias_r = bias_h = 0.0
        if self.use_bias and self.reset_after:
            bias_z, bias_r, bias_h = ops.split(self.bias[1], 3)
        z = self.recurrent_activation(x_z + ops.matmul(read_z, inner_z) + bias_z)
        r = self.recurrent_activation(x_r + ops.matmul(read_r, inner_r) + bias_r)
        if self.reset_after:
            inner = r * (ops.matmul(read_h, inner_h) + bias_h)
        else:
            inner = ops.matmul(r * read_h, inner_h)
        h = z * h + (1 - z) * self.activation(x_h + inner)
        return h, [h, gates]

    def _projected(self, inputs: list) -> list:
        """What the kernel makes of the inputs of update, reset and candidate."""
        kernels = ops.split(self.kernel, 3, axis=1)
        made = [ops.matmul(x, k) for x, k in zip(inputs, kernels, strict=True)]
        if not self.use_bias:
            return made
        bias = ops.split(self.bias[0] if self.reset_after else self.bias, 3)
        return [x + b for x, b in zip(made, bias, strict=True)]


def _thrice(x, mask_of) -> list:
    """x for each of three kernels, times what `mask_of` draws: one mask or three."""
    if not mask_of:
        return [x] * 3
    masks = mask_of(x)
    return [x * mask for mask in (masks if isinstance(masks, list) else [masks] * 3)]


def _states(cell: keras.Layer, gates) -> list:
    """The states that a cell starts with: zeros, and its gates [batch, units]."""
    return [ops.zeros_like(gates)] * (len(cell.state_size) - 1) + [gates]


class _Gated:
    """A recurrent layer that is called with gates beside its sequences."""

    def build(self, sequences_shape: tuple, gates_shape: tuple | None = None) -> None:
        """As the layer without gates."""
        super().build(sequences_shape)

    def compute_output_shape(
        self, sequences_shape: tuple, gates_shape: tuple | None = None
    ) -> tuple:
        """As that of the layer without gates."""
        return super().compute_output_shape(sequences_shape)


@keras.saving.register_keras_serializable("ns_tf")
class OpenRecurrent(_Gated, keras.layers.RNN):
    """A recurrent layer of an open cell."""

    def call(self, sequences, gates, mask=None, training=False):
        """sequences [batch, steps, channels], gates [batch, units]."""
        states = _states(self.cell, gates)
        return super().call(
            sequences, initial_state=states, mask=mask, training=training
        )


@keras.saving.register_keras_serializable("ns_tf")
class OpenBidirectional(_Gated, keras.layers.Bidirectional):
    """Two recurrent layers of open cells."""

    def call(self, sequences, gates, mask=None, training=None):
        """sequences [batch, steps, channels], gates [batch, units of both sides]."""
        cells = self.forward_layer.cell, self.backward_layer.cell
        sides = ops.split(gates, [cells[0].units], axis=-1)
        states = [s for side in zip(cells, sides, strict=True) for s in _states(*side)]
        return super().call(
            sequences, initial_state=states, mask=mask, training=training
        )


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


_CELLS = {
    keras.layers.SimpleRNNCell: OpenSimpleRNNCell,
    keras.layers.LSTMCell: OpenLSTMCell,
    keras.layers.GRUCell: OpenGRUCell,
}


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
def _recurrent(layer: keras.layers.RNN, original: keras.Layer) -> OpenRecurrent:
    del original
    return _of_open_cell(layer, OpenRecurrent)


def _of_open_cell(layer: keras.layers.RNN, kind: type) -> keras.layers.RNN:
    """A layer of this kind with the open cell of a recurrent one."""
    cell = layer.cell
    options = cell.get_config()
    if hasattr(cell, "implementation"):  # Keras leaves it out.
        options["implementation"] = cell.implementation
    return kind(
        _CELLS[type(cell)].from_config(options),
        return_sequences=layer.return_sequences,
        go_backwards=layer.go_backwards,
        unroll=layer.unroll,
        zero_output_for_mask=layer.zero_output_for_mask,
        activity_regularizer=layer.activity_regularizer,
        name=layer.name,
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
    )


@opened.register(keras.layers.Bidirectional)
def _bidirectional(
    layer: keras.layers.Bidirectional, original: keras.Layer
) -> OpenBidirectional:
    del original
    forward, backward = (
        _of_open_cell(side, keras.layers.RNN)
        for side in (layer.forward_layer, layer.backward_layer)
    )
    return OpenBidirectional(
        forward,
        merge_mode=layer.merge_mode,
        backward_layer=backward,
        name=layer.name,
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
    )


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
