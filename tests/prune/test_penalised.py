"""Weights as gates: strength and prices of what is pulled on."""

import numpy as np
import pytest
import tensorflow as tf

from ns_tf.engine.runtime import Runtime
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import gatings
from ns_tf.prune.filters import Filters
from ns_tf.prune.gammas import Gammas


@pytest.mark.parametrize(
    "kind, name, weight",
    [(Gammas, "slimming", "gamma"), (Filters, "group_lasso", "kernel")],
)
def test_without_strength_or_price_nothing_is_pulled_on(kind, name, weight, handmade):
    model = handmade["chain"]()
    graph = channel_graph(model)
    gates = kind(model, graph, gatings.get(name).formulas, Runtime().execution)
    zeros = [tf.zeros_like(v.value) for v in model.trainable_variables]
    gates.press(0.0, np.ones(len(graph.owner)))
    assert all(not np.any(one) for one in gates.probe(zeros, []))
    gates.press(0.5, np.ones(len(graph.owner)))
    for variable, pull in zip(
        model.trainable_variables, gates.probe(zeros, []), strict=True
    ):
        assert variable.name == weight or not np.any(pull)
    assert any(np.any(one) for one in gates.probe(zeros, []))
    assert set(gates.weights()) and set(gates.state()) == {"first"}


def test_what_is_left_is_by_the_sizes_at_the_beginning_after_a_kill_too(
    handmade, randomise
):
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    formulas = gatings.get("slimming").formulas
    gates = Gammas(model, graph, formulas, Runtime().execution)
    own = [key for key, _ in gates.penalised()]
    channels = np.concatenate([graph.axes[key][-1] for key in own])
    np.testing.assert_array_equal(gates.left()[channels], 1.0)
    gammas = {v.path: v for v in model.trainable_variables if v.name == "gamma"}
    for gamma in gammas.values():
        gamma.assign(0.25 * gamma)
    shrunk = Gammas(model, graph, formulas, Runtime().execution)
    shrunk.restore(gates.state())
    for one in (gates, shrunk):
        expected = np.where(one.alive(), 0.25, 0.0)[channels]
        np.testing.assert_allclose(one.left()[channels], expected, rtol=1e-6)
    assert 0 < expected.sum()
