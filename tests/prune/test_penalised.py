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
    assert set(gates.weights()) and gates.state() == {}
