"""Layers that apply another one: their channels are those of the layer within."""

import keras
import numpy as np
import pytest

from ns_tf.graph.rules import CHANNELWISE, MAKE
from ns_tf.graph.walk import channel_graph

layers = keras.layers


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


def test_units_within_a_layer_at_every_step_stay():
    steps = keras.Input((2, 7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    x = layers.TimeDistributed(layers.LSTM(5), name="odd")(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(layers.Flatten()(x))))
    assert [group.frozen for group in graph.groups[:2]] == [
        None,
        "'odd' applies its layer at every step",
    ]
    assert all(call.gates is None for call in graph.calls)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(5),
        layers.Conv1D(5, 2, use_bias=False),
        layers.Conv1DTranspose(5, 2),
    ],
)
def test_a_kernel_of_norm_one_has_a_vector_of_its_last_axis(layer):
    steps = keras.Input((7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    x = layers.SpectralNormalization(layer, name="odd")(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(layers.Flatten()(x))))
    a, odd, _ = graph.groups
    assert (odd.name, a.frozen, odd.frozen) == ("odd", None, None)
    axes = graph.axes["odd", "kernel"]
    np.testing.assert_array_equal(graph.axes["odd", "vector_u"][1], axes[-1])
    assert graph.settings["odd"]["layer"]["config"].keys() <= {"units", "filters"}
    assert graph.kernels["odd"].name == "kernel" and not graph.kernels["odd"].window


def test_what_is_not_followed_is_not_with_a_norm_either():
    steps = keras.Input((7, 3), name="steps")
    x = layers.Dense(11, name="a")(steps)
    grouped = layers.EinsumDense("abc,bd->acd", output_shape=(11, 2))
    x = layers.SpectralNormalization(grouped, name="odd")(x)
    graph = channel_graph(keras.Model(steps, layers.Dense(2)(layers.Flatten()(x))))
    assert graph.groups[0].frozen.endswith("cannot be followed")
