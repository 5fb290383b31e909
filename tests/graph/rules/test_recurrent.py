"""Recurrent layers: what they read is free, their units stay."""

import keras
import numpy as np
import pytest

from ns_tf.graph.rules import CHANNELWISE, MAKE
from ns_tf.graph.walk import channel_graph

layers = keras.layers


@pytest.mark.parametrize(
    "layer, kernels",
    [
        (layers.SimpleRNN(5, name="odd"), ["kernel"]),
        (layers.GRU(5, name="odd"), ["kernel"]),
        (layers.LSTM(5, name="odd"), ["kernel"]),
        (layers.Bidirectional(layers.LSTM(5), name="odd"), ["kernel", "kernel.3"]),
    ],
)
def test_units_stay_and_what_they_read_is_free(layer, kernels):
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layer(layers.Embedding(13, 11, name="words")(tokens))
    graph = channel_graph(keras.Model(tokens, layers.Dense(2, name="logits")(x)))
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["words"] is None
    assert reasons["odd"] == "the units of 'odd' read one another"
    assert [call.kind for call in graph.calls if call.name == "odd"] == [MAKE]
    assert [name for one, name in graph.axes if one == "odd"] == kernels
    for name in kernels:
        np.testing.assert_array_equal(graph.axes["odd", name][0], np.arange(11))


def test_a_layer_of_the_users_within_is_not_followed():
    cell = layers.RNN(layers.LSTMCell(5))
    steps = keras.Input((7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    x = layers.Bidirectional(cell, name="odd")(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(x)))
    assert graph.groups[0].frozen == "Bidirectional 'odd' cannot be followed"


def every_step(*inner):
    """Frozen or not by maker, kinds by call, graph: a[11], then each at every step."""
    steps = keras.Input((7, 4, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    for place, layer in enumerate(inner):
        x = layers.TimeDistributed(layer, name=f"step{place}")(x)
    x = layers.Flatten()(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2, name="logits")(x)))
    reasons = {group.name: group.frozen for group in graph.groups}
    return reasons, {call.name: call.kind for call in graph.calls}, graph


def test_a_layer_at_every_step_goes_by_the_name_of_the_outer_one():
    reasons, kinds, graph = every_step(layers.Conv1D(5, 2), layers.BatchNormalization())
    assert reasons["a"] is None and reasons["step0"] is None
    assert (kinds["step0"], kinds["step1"]) == (MAKE, CHANNELWISE)
    np.testing.assert_array_equal(graph.axes["step0", "kernel"][1], np.arange(11))
    own = graph.groups[1].channels
    np.testing.assert_array_equal(graph.axes["step1", "gamma"][0], own)
    found = graph.settings["step0"]["layer"]["config"]["filters"]
    np.testing.assert_array_equal(found, own)
    assert not graph.kernels["step0"].window


@pytest.mark.parametrize("layer", [layers.LayerNormalization(), layers.Softmax()])
def test_what_is_not_followed_at_one_step_is_not_at_any(layer):
    assert every_step(layer)[0]["a"].endswith("cannot be followed")
