"""Gammas as gates: the pull on each is that of its channel."""

import numpy as np
import tensorflow as tf

from ns_tf.engine.runtime import Runtime
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import gatings
from ns_tf.prune.gammas import Gammas


def test_the_pull_is_strength_times_price_of_the_channel(handmade, randomise):
    """And nothing else is changed, nor anything by a strength of 0."""
    model = randomise(handmade["residual"]())
    graph, formulas = channel_graph(model), gatings.get("morphnet").formulas
    gates = Gammas(model, graph, formulas, Runtime().execution)
    price = np.arange(1.0, 1 + len(graph.owner))
    gradients = [tf.ones_like(v.value) for v in model.trainable_variables]
    for strength in (0.0, 0.5):
        gates.press(strength, price)
        found = gates.probe(gradients, [])
        for variable, own in zip(model.trainable_variables, found, strict=True):
            expected = np.ones(variable.shape)
            if variable.name == "gamma":
                layer = variable.path.split("/")[-2]
                channels = graph.axes[layer, "gamma"][-1]
                expected += strength * price[channels] * np.sign(variable)
            np.testing.assert_allclose(own, expected, rtol=1e-6)


def test_scores_are_the_largest_gammas_and_the_threshold_closes(handmade):
    model = handmade["chain"]()
    norm = model.get_layer("a_bn")
    norm.gamma.assign(np.linspace(-0.02, 1, 13))
    graph = channel_graph(model)
    gates = Gammas(model, graph, gatings.get("slimming").formulas, Runtime().execution)
    own = graph.axes["a_bn", "gamma"][-1]
    np.testing.assert_allclose(gates.scores()[own], np.abs(norm.gamma), rtol=1e-6)
    norm.gamma.assign([0.005, -0.02, *[0.01] * 10, 1])
    assert gates.alive()[own].sum() in (2, 12), "0.01 in float32 is at the threshold"
    assert set(gates.weights()) and set(gates.state()) == {"first"}
