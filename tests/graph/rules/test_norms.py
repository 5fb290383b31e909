"""Norms: by which weights channels are scaled, and whether others matter."""

import keras
import numpy as np
import pytest
from graphs import found

from ns_tf.graph.rules import CHANNELWISE, NORM, STATISTICS, THROUGH
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


def test_a_batch_norm_without_scale_or_centre_is_no_gate():
    for options in ({"scale": False}, {"center": False}):
        kind, reason, _ = found(layers.BatchNormalization(**options))
        assert (kind, reason) == (CHANNELWISE, None)
    assert found(layers.BatchNormalization(axis=3))[0] == NORM


@pytest.mark.parametrize("options", [{"renorm": True}, {"synchronized": True}, {}])
def test_channels_index_all_weights_of_a_batch_norm(options):
    layer = layers.BatchNormalization(**options)
    kind, reason, graph = found(layer)
    assert (kind, reason) == (NORM, None)
    for weight in layer.weights:
        (axis,) = graph.axes[layer.name, weight.name]
        np.testing.assert_array_equal(axis, graph.groups[0].channels)


@pytest.mark.parametrize(
    "layer",
    [
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=3, center=False),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.GroupNormalization(1),
    ],
    ids=lambda layer: layer.name,
)
def test_a_norm_over_channels_has_statistics(layer):
    kind, reason, graph = found(layer)
    assert (kind, reason, graph.groups[0].size) == (STATISTICS, None, 11)
    for weight in layer.weights:
        (axis,) = graph.axes[layer.name, weight.name]
        np.testing.assert_array_equal(axis, graph.groups[0].channels)


def test_channels_of_a_group_norm_go_in_equal_numbers():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(12, 1, name="a")(image)
    x = layers.GlobalMaxPooling2D()(layers.GroupNormalization(3, name="norm")(x))
    graph = channel_graph(keras.Model(image, layers.Dense(2)(x)))
    assert graph.groups[0].size == 4
    np.testing.assert_array_equal(graph.axes["norm", "gamma"][0], [0, 1, 2, 3] * 3)


def test_a_group_norm_of_single_channels_works_within_them():
    layer = layers.GroupNormalization(-1)
    kind, reason, graph = found(layer)
    assert (kind, reason) == (CHANNELWISE, None)
    np.testing.assert_array_equal(graph.settings[layer.name]["groups"], np.arange(11))


@pytest.mark.parametrize("shared", [[1, 2, 3], [0], [1, 2]])
def test_one_slope_for_all_channels_is_none_of_a_channels(shared):
    """Where there is one channel as well: its length says nothing. 0 is the last."""
    image = keras.Input((6, 7, 3))
    x = layers.Conv2D(1, 3, name="one")(image)
    x = layers.GlobalAveragePooling2D()(layers.PReLU(shared_axes=shared, name="p")(x))
    graph = channel_graph(keras.Model(image, layers.Dense(2)(x)))
    *spatial, last = graph.axes["p", "alpha"]
    assert spatial == [None, None]
    assert (last is None) == (shared != [1, 2])


def test_a_layer_scale_has_a_weight_for_each_channel():
    from keras.src.applications.convnext import LayerScale

    layer = LayerScale(0.1, 11, name="scale")
    kind, reason, graph = found(layer)
    assert (kind, reason) == (THROUGH, None)
    np.testing.assert_array_equal(graph.axes["scale", "variable"][0], np.arange(11))
    assert list(graph.settings["scale"]) == ["projection_dim"]
