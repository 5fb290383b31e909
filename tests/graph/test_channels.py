"""The channel graph as arrays: numbers, owners, and the same group in another graph."""

import keras
import numpy as np
import pytest
from graphs import channels_of

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.channels import NONE, Group, match
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def test_numbers_are_dense_and_every_channel_has_one_owner(handmade):
    for build in handmade.values():
        graph = channel_graph(build())
        numbers = np.concatenate([group.channels for group in graph.groups])
        np.testing.assert_array_equal(np.sort(numbers), np.arange(len(graph.owner)))
        for number, group in enumerate(graph.groups):
            assert (graph.owner[group.channels] == number).all()
            assert group.size == len(group.channels)
            assert group.name == group.makers[0]


def test_every_axis_has_as_many_numbers_as_the_weight_has_entries(handmade):
    for build in handmade.values():
        model = build()
        graph = channel_graph(model)
        known = 0
        for key, weight in weights.weights(model).items():
            for size, axis in zip(weight.shape, graph.axes[key], strict=True):
                assert axis is None or len(axis) == size
                known += axis is not None
        assert known > 0


def test_the_images_colours_are_no_channels(handmade):
    for build in handmade.values():
        graph = channel_graph(build())
        *_, inputs, _ = graph.axes["a", "kernel"]
        np.testing.assert_array_equal(inputs, [NONE] * 3)


def test_frozen_marks_the_channels_of_frozen_groups(handmade):
    graph = channel_graph(handmade["chain"]())
    expected = np.isin(np.arange(25), channels_of(graph, "logits"))
    np.testing.assert_array_equal(graph.frozen, expected)
