"""Buffers at both ends of a file: what is before a network and behind it."""

import keras
import pytest

from ns_tf.graph.walk import channel_graph
from ns_tf.networks.lowering import Lowering


@pytest.fixture(scope="module")
def graph():
    image = keras.Input((5, 7, 3))
    return channel_graph(keras.Model(image, keras.layers.Conv2D(11, 1)(image)))


@pytest.mark.parametrize(
    "int8, scaled, bytes_",
    [
        (True, False, [1, 1, 1, 1]),
        (True, True, [1, 1]),
        (False, False, [4, 4, 4]),
        (False, True, [4]),
    ],
)
def test_pixels_are_quantised_and_scaled_before_the_network(
    graph, int8, scaled, bytes_
):
    lowering = Lowering(graph, {}, {}, 0, int8)
    place = lowering.entry(scaled)
    assert [buffer.bytes for buffer in lowering.buffers] == bytes_
    assert {buffer.terms for buffer in lowering.buffers} == {((105, 0),)}
    assert place == len(bytes_) - 1


def test_probabilities_and_their_bytes_follow_the_network(graph):
    lowering = Lowering(graph, {}, {}, 0, True)
    x = lowering.buffer(((5, 0),), 1)
    assert lowering.answer(x, probabilities=True) == 1
    assert lowering.answer(x, probabilities=False) == 3
