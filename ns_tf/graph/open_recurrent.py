"""Recurrent layers with gates for the edges by which their units read one another.

A unit j is multiplied by its gate where the recurrent kernel reads it, and where the
next of several cells does: g_j h_j. That is the same as row j of that kernel times g_j.
What a unit carries to its own next step (the cell of an LSTM, z h of a GRU) is no edge
to others. Gates are one state more of a cell, which never changes.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell  # Keras exports none.

ops = keras.ops


class _OpenCell:
    """A cell whose units read one another through gates: a state that never changes."""

    def __init__(self, *sizes: int, **options: Any):
        super().__init__(*sizes, **options)
        own = self.state_size
        self.state_size = [*([own] if isinstance(own, int) else own), self.units]

    def call(self, inputs, states, training=False):
        """(output, states) of a step; h and gates are the first and the last state."""
        h, *others, gates = states
        output, new = super().call(inputs, [h * gates, *others], training=training)
        return output, [*new, gates]

    def started(self, gates: keras.KerasTensor, given: Any = None) -> list:
        """The states that it starts with, its gates [batch, units] behind them.

        Args:
            gates: 1 where open.
            given: The other states, in a list if there are several; None is zeros.
        """
        count = len(self.state_size) - 1
        given = [ops.zeros_like(gates)] * count if given is None else _listed(given)
        return [*given, gates]


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


@keras.saving.register_keras_serializable("ns_tf")
class OpenConvLSTMCell(_OpenCell, ConvLSTMCell):
    """The cell of a ConvLSTM, its filters read through gates."""

    @property
    def units(self) -> int:
        """Its filters."""
        return self.filters

    def started(self, gates: keras.KerasTensor, given: Any = None) -> list:
        """As of the other cells; gates are of all pixels."""
        if given is None:
            given = self.get_initial_state(ops.shape(gates)[0])
        pixels = (1,) * self.rank
        return [*given, ops.reshape(gates, (-1, *pixels, self.filters))]

    def get_config(self) -> dict[str, Any]:
        """As that of its class, with the number of axes, which Keras leaves out."""
        return {**super().get_config(), "rank": self.rank}


@keras.saving.register_keras_serializable("ns_tf")
class OpenStackedCells(keras.layers.StackedRNNCells):
    """Several open cells, of which each reads the one before through its gates."""

    def call(self, inputs, states, training=False):
        """(output, states) of a step of all cells."""
        new, gates = [], None
        for cell, own in zip(self.cells, states, strict=True):
            inputs = inputs if gates is None else inputs * gates
            inputs, own = cell(inputs, own, training=training)
            new.append(own)
            gates = own[-1]
        return inputs, new

    def started(self, gates: keras.KerasTensor, given: Any = None) -> list:
        """The states of all cells; gates are those of the cells, side by side."""
        ends = [cell.units for cell in self.cells[:-1]]
        ends = [sum(ends[: place + 1]) for place in range(len(ends))]
        parts = zip(
            self.cells,
            ops.split(gates, ends, axis=-1),
            [None] * len(self.cells) if given is None else given,
            strict=True,
        )
        return [cell.started(own, state) for cell, own, state in parts]


def _listed(states: Any) -> Sequence:
    """States in a list; Keras leaves a single one as it is."""
    return states if isinstance(states, (list, tuple)) else [states]


def _thrice(x, mask_of) -> list:
    """x for each of three kernels, times what `mask_of` draws: one mask or three."""
    if not mask_of:
        return [x] * 3
    masks = mask_of(x)
    return [x * mask for mask in (masks if isinstance(masks, list) else [masks] * 3)]


def _bare(states: Sequence) -> list:
    """States of a cell, or of several cells in order, without their gates."""
    if isinstance(states[0], (list, tuple)):
        return [one for own in states for one in own[:-1]]
    return list(states[:-1])


def _shapes(layer: keras.layers.RNN, sequences: Sequence[int | None]) -> list[tuple]:
    """The shapes of what a layer of open cells puts out: its output and its states.

    Args:
        layer: Of one open cell or of several.
        sequences: [batch, steps, ...]
    """
    batch, steps, *pixels = sequences
    cells = getattr(layer.cell, "cells", [layer.cell])
    if isinstance(cells[0], OpenConvLSTMCell):
        last, _ = cells[0].compute_output_shape((batch, *pixels))
        states = [last] * 2
    else:
        counts = [len(cell.state_size) - 1 for cell in cells]
        states = [
            (batch, cell.units)
            for cell, count in zip(cells, counts, strict=True)
            for _ in range(count)
        ]
        last = (batch, cells[-1].units)
    output = (batch, steps, *last[1:]) if layer.return_sequences else tuple(last)
    return [output, *states] if layer.return_state else [output]


def _specs(shapes: Sequence[tuple], dtype: str) -> keras.KerasTensor | tuple:
    """Symbolic outputs of these shapes; one alone if there is one."""
    found = tuple(keras.KerasTensor(tuple(shape), dtype) for shape in shapes)
    return found if len(found) > 1 else found[0]


@keras.saving.register_keras_serializable("ns_tf")
class OpenRecurrent(keras.layers.RNN):
    """A recurrent layer of an open cell, or of several."""

    def build(
        self, sequences_shape, initial_state_shape=None, gates_shape=None
    ) -> None:
        """As the layer without gates."""
        super().build(sequences_shape)

    def call(
        self, sequences, initial_state=None, mask=None, training=False, gates=None
    ):
        """As the layer without gates; gates [batch, units of all cells]."""
        states = self.cell.started(gates, initial_state)
        made = super().call(
            sequences, initial_state=states, mask=mask, training=training
        )
        if not self.return_state:
            return made
        output, *states = made
        return output, *_bare(states)

    def compute_output_spec(self, sequences, *others, **options):
        """As that of the layer without gates."""
        return _specs(_shapes(self, sequences.shape), self.compute_dtype)


@keras.saving.register_keras_serializable("ns_tf")
class OpenBidirectional(keras.layers.Bidirectional):
    """Two recurrent layers of open cells."""

    def build(self, sequences_shape, gates_shape=None) -> None:
        """As the layer without gates."""
        super().build(sequences_shape)

    def call(self, sequences, mask=None, training=None, gates=None):
        """As the layer without gates; gates [batch, units of both sides]."""
        sides = zip(
            (self.forward_layer, self.backward_layer),
            ops.split(gates, 2, axis=-1),
            strict=True,
        )
        states = [state for side, own in sides for state in side.cell.started(own)]
        made = super().call(
            sequences, initial_state=states, mask=mask, training=training
        )
        if not self.return_state:
            return made
        place = 2 if self.merge_mode is None else 1
        half = place + (len(made) - place) // 2
        return (*made[:place], *_bare(made[place:half]), *_bare(made[half:]))

    def compute_output_spec(self, sequences, *others, **options):
        """As that of the layer without gates."""
        output, *states = _shapes(self.forward_layer, sequences.shape)
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        outputs = [output] * (2 if self.merge_mode is None else 1)
        return _specs([*outputs, *states, *states], self.compute_dtype)


_CELLS = {
    keras.layers.SimpleRNNCell: OpenSimpleRNNCell,
    keras.layers.LSTMCell: OpenLSTMCell,
    keras.layers.GRUCell: OpenGRUCell,
    ConvLSTMCell: OpenConvLSTMCell,
}


def opened(layer: keras.layers.RNN) -> OpenRecurrent:
    """A recurrent layer of the same name and configuration with gates, not built.

    It is called with `gates=`, [batch, units], beside its inputs.

    >>> opened(keras.layers.GRU(3)).cell.state_size
    [3, 3]

    Args:
        layer: Of cells of Keras's.
    """
    return _of_open_cell(layer, OpenRecurrent)


def opened_sides(layer: keras.layers.Bidirectional) -> OpenBidirectional:
    """Two recurrent layers with gates, not built; they are called as of `opened`.

    Args:
        layer: Two recurrent layers of one cell of Keras's each.
    """
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


def _of_open_cell(layer: keras.layers.RNN, kind: type) -> keras.layers.RNN:
    """A layer of this kind with the open cell of a recurrent one."""
    return kind(
        _open_cell(layer.cell),
        return_sequences=layer.return_sequences,
        return_state=layer.return_state,
        go_backwards=layer.go_backwards,
        unroll=layer.unroll,
        zero_output_for_mask=layer.zero_output_for_mask,
        activity_regularizer=layer.activity_regularizer,
        name=layer.name,
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
    )


def _open_cell(cell: keras.Layer) -> keras.Layer:
    """A cell of the same configuration that takes gates, or several."""
    if isinstance(cell, keras.layers.StackedRNNCells):
        return OpenStackedCells([_open_cell(one) for one in cell.cells], name=cell.name)
    options = cell.get_config()
    for option in ("implementation", "rank"):  # Keras leaves them out.
        if hasattr(cell, option):
            options[option] = getattr(cell, option)
    return _CELLS[type(cell)].from_config(options)
