"""Recurrent layers: which columns and rows belong to a unit, and which units stay."""

import keras
import numpy as np
import pytest

from ns_tf.graph.rules import MAKE, UNKNOWN
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import names

layers = keras.layers


def read_by(layer, call=None):
    """(graph, reasons by group): words[11], `layer` called "odd", logits[2]."""
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    words = layers.Embedding(13, 11, name="words")(tokens)
    x = keras.tree.flatten((call or layer)(words))[0]
    x = layers.Flatten()(x)
    graph = channel_graph(keras.Model(tokens, layers.Dense(2, name="logits")(x)))
    return graph, {group.name: group.frozen for group in graph.groups}


@pytest.mark.parametrize(
    "layer, blocks",
    [
        (layers.SimpleRNN(5, name="odd"), 1),
        (layers.GRU(5, reset_after=False, name="odd"), 3),
        (layers.LSTM(5, name="odd"), 4),
        (layers.Bidirectional(layers.LSTM(5), name="odd"), 4),
        (layers.Bidirectional(layers.LSTM(5), merge_mode="sum", name="odd"), 4),
    ],
)
def test_a_unit_has_a_column_in_every_block_and_a_row(layer, blocks):
    graph, reasons = read_by(layer)
    assert reasons["words"] is None and reasons["odd"] is None
    assert [call.kind for call in graph.calls if call.name == "odd"] == [MAKE]
    own = next(group.channels for group in graph.groups if group.name == "odd")
    columns = np.tile(own, blocks)
    for weight, name in zip(layer.weights, names(layer).values(), strict=True):
        reads = {"kernel": [np.arange(11)], "recurrent_kernel": [own], "bias": []}
        axes = [*reads[weight.name], columns]
        assert weight.shape == tuple(map(len, axes))
        for found, expected in zip(graph.axes["odd", name], axes, strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        next(call.gates for call in graph.calls if call.name == "odd"),
        np.tile(own, len(layer.weights) // 3),
    )


def test_a_gru_whose_reset_is_after_the_product_has_two_biases():
    graph, _ = read_by(layers.GRU(5, name="odd"))
    first, columns = graph.axes["odd", "bias"]
    assert first is None and len(columns) == 15


def given(words):
    state = layers.Dense(5, name="state")(words[:, 0])
    return layers.GRU(5, name="odd")(words, initial_state=state)


def test_units_are_one_with_the_states_that_they_start_from():
    graph, reasons = read_by(None, given)
    (group,) = (group for group in graph.groups if "odd" in group.makers)
    assert group.makers == ("state", "odd") and reasons["state"] is None
    (call,) = (call for call in graph.calls if call.name == "odd")
    assert call.joins == (1,)


def from_constants(words):
    return layers.GRU(5, name="odd")(words, initial_state=np.ones((1, 5), "float32"))


def both_given(words):
    states = [layers.Dense(5, name="state")(words[:, 0])] * 2
    return layers.Bidirectional(layers.GRU(5), name="odd")(words, initial_state=states)


@pytest.mark.parametrize(
    "layer, call, reason",
    [
        (None, from_constants, "starts from constants"),
        (None, both_given, "starts from states that it is given"),
        (layers.GRU(5, activation="softmax", name="odd"), None, "mixes channels"),
        (
            layers.Bidirectional(
                layers.LSTM(5, recurrent_activation="softmax"), name="odd"
            ),
            None,
            "mixes channels",
        ),
    ],
)
def test_units_that_cannot_be_told_apart_stay(layer, call, reason):
    _, reasons = read_by(layer, call)
    assert reason in reasons["odd"] and reasons["words"] is None
    assert reasons.get("state", reason).endswith(reason)


def test_every_state_that_is_put_out_has_the_units():
    graph, reasons = read_by(
        layers.Bidirectional(
            layers.LSTM(5, return_state=True), merge_mode=None, name="odd"
        )
    )
    own = next(group for group in graph.groups if group.name == "odd")
    assert own.frozen is None and own.size == 5


def test_of_several_cells_each_reads_the_units_of_the_one_before():
    cells = [layers.GRUCell(5), layers.LSTMCell(3)]
    layer = layers.RNN(cells, return_state=True, name="odd")
    graph, reasons = read_by(layer)
    first, last = (
        next(group.channels for group in graph.groups if group.name == name)
        for name in ("odd/cell_1", "odd")
    )
    axes = [graph.axes["odd", name] for name in names(layer).values()]
    np.testing.assert_array_equal(axes[3][0], first)
    np.testing.assert_array_equal(axes[3][1], np.tile(last, 4))
    sizes = {"cell": {"config": {"cells": [{"units": first}, {"units": last}]}}}
    found = graph.settings["odd"]["cell"]["config"]["cells"]
    for one, other in zip(found, sizes["cell"]["config"]["cells"], strict=True):
        np.testing.assert_array_equal(one["config"]["units"], other["units"])


def test_units_that_are_kept_between_batches_stay():
    steps = keras.Input((7, 3), batch_size=2, name="steps")
    x = layers.LSTM(5, stateful=True, name="odd")(steps)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(x)))
    assert graph.groups[0].frozen == "'odd' keeps its states between two batches"


@pytest.mark.parametrize(
    "options",
    [
        {"backward_layer": layers.GRU(5, go_backwards=True)},
        {"backward_layer": layers.LSTM(4, go_backwards=True), "merge_mode": "concat"},
    ],
)
def test_two_sides_that_are_no_twins_are_not_followed(options):
    layer = layers.Bidirectional(layers.LSTM(5), name="odd", **options)
    if "backward_layer" in options:  # Keras would expect twins where shapes matter.
        layer.compute_output_shape = lambda shape: (None, 9)
    _, reasons = read_by(layer)
    assert reasons["words"] == "Bidirectional 'odd' cannot be followed"


@keras.saving.register_keras_serializable("ns_tf_tests")
class OwnCell(layers.LSTMCell):
    """A cell of the user's."""


@keras.saving.register_keras_serializable("ns_tf_tests")
class BareCell(layers.Layer):
    """A cell of the user's without a recurrent kernel."""

    state_size = output_size = 11

    def call(self, x, states, training=False):
        return x + states[0], [x]


@pytest.mark.parametrize(
    "cell",
    [
        lambda: OwnCell(5),
        BareCell,
        lambda: [layers.GRUCell(5), layers.LSTMCell(3)],
    ],
)
def test_a_cell_that_is_not_known_is_not_followed_both_ways(cell):
    steps = keras.Input((7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    x = layers.Bidirectional(layers.RNN(cell()), name="odd")(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(x)))
    assert graph.groups[0].frozen == "Bidirectional 'odd' cannot be followed"


def test_images_of_channels_first_are_not_followed_both_ways():
    images = keras.Input((7, 3, 4, 4), name="images")
    side = layers.ConvLSTM2D(5, 1, data_format="channels_first")
    x = layers.Bidirectional(side, name="odd")(images)
    graph = channel_graph(keras.Model(images, layers.Dense(2)(x)))
    (call,) = (call for call in graph.calls if call.name == "odd")
    assert call.kind == UNKNOWN


def test_channels_that_a_mask_is_made_of_stay():
    steps = keras.Input((7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    mask = layers.Dense(7, name="mask")(x[:, 0]) > 0
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="b")(
        x, mask=mask
    )
    x = layers.GRU(5, return_sequences=True, name="c")(x, mask=mask)
    x = layers.BatchNormalization(name="norm")(x, mask=mask)
    x = layers.GlobalAveragePooling1D(name="pool")(x, mask=mask)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(x)))
    reasons = {group.name: group.frozen for group in graph.groups[:-1]}
    assert reasons.pop("mask") == "'b' reads it as a mask"
    assert {*reasons} == {"a", "b", "c"} and not any(reasons.values())
