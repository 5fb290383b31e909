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
