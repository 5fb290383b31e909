"""Scores of kernels."""

import keras
import numpy as np
import pytest
from small import made_by, prunable

from ns_tf.graph.walk import channel_graph
from ns_tf.prune import signals

layers = keras.layers


def kernel_scores(pruned) -> np.ndarray:
    """[n]: scores of the channels by their kernels."""
    reading = signals.Reading(pruned, seed=0, event=0)
    return signals.get("kernel").scores(pruned.criterion.formula, reading)


@pytest.mark.parametrize("coincide", [False, True])
def test_magnitude_is_the_same_before_and_after_thinning(coincide, rng):
    """Even where an identity has become a selection matrix."""

    def build(stem, inner, outer):
        image = keras.Input((6, 7, 3), name="image")
        x = layers.Conv2D(stem, 1, name="stem")(image)
        y = layers.Conv2D(inner, 1, name="inner")(layers.ReLU(name="relu")(x))
        y = layers.Conv2D(outer, 1, name="outer")(y)
        if stem != outer:
            x = layers.Conv2D(outer, 1, name="project")(x)
        x = layers.Add(name="add")([y, x])
        x = layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, layers.Dense(2, name="logits")(x))

    reference = channel_graph(build(5, 7, 11))
    model = build(*(11, 7, 11) if coincide else (5, 7, 11))
    graph = channel_graph(model, reference)
    pruned = prunable(model, graph, criterion="magnitude")
    pruned.close(np.array([made_by(graph, "stem")[1], made_by(graph, "outer")[3]]))
    before = kernel_scores(pruned)
    pruned.compact()
    after = kernel_scores(pruned)
    np.testing.assert_allclose(after[pruned.alive], before[pruned.alive], rtol=1e-6)


def test_scores_of_layers_that_make_the_same_channels_are_added(rng):
    image = keras.Input((6, 7, 3), name="image")
    x, y = (layers.Conv2D(5, 1, name=name)(image) for name in "xy")
    x = layers.Add(name="add")([x, y])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(2, name="logits")(x))
    pruned = prunable(model, criterion="magnitude")
    expected = sum(
        np.abs(model.get_layer(name).kernel.numpy()).sum(axis=(0, 1, 2))
        for name in "xy"
    )
    channels = made_by(pruned.graph, "x")
    np.testing.assert_allclose(kernel_scores(pruned)[channels], expected, rtol=1e-6)


def test_closed_channels_score_nothing(handmade):
    pruned = prunable(handmade["chain"](), criterion="magnitude")
    channels = made_by(pruned.graph, "a")
    pruned.close(channels[[2, 5]])
    scores = kernel_scores(pruned)[channels]
    assert (scores == 0).nonzero()[0].tolist() == [2, 5]
