"""The place of a channel among its layer's."""

import types

import numpy as np
from small import planted

from ns_tf.graph.walk import channel_graph
from ns_tf.prune import signals
from ns_tf.prune.signals import Reading


def test_places_count_from_0_within_each_layer(rng):
    graph = channel_graph(planted(rng))
    reading = Reading(types.SimpleNamespace(graph=graph), seed=0)
    places = signals.get("place").scores(lambda place: 10 * place, reading)
    for group in graph.groups:
        expected = 10 * np.arange(group.size)
        np.testing.assert_array_equal(places[group.channels], expected)
