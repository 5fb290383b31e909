"""What has no rule."""

import keras
import pytest
from graphs import found

from ns_tf.graph.channels import NONE
from ns_tf.graph.rules import UNKNOWN

layers, ops = keras.layers, keras.ops


class Centred(layers.Layer):
    """Nobody's layer."""

    def call(self, x):
        return x - ops.mean(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    "layer",
    [
        layers.LayerNormalization(axis=[1, 2, 3], name="odd"),
        layers.Softmax(name="odd"),
        layers.Reshape((6, 11, 7), name="odd"),
        layers.BatchNormalization(axis=1, name="odd"),
        Centred(name="odd"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_has_no_rule_freezes_what_reaches_it_and_is_named(layer):
    kind, reason, graph = found(layer)
    assert kind == UNKNOWN
    assert reason == f"{type(layer).__name__} 'odd' cannot be followed"
    # Nothing is known of what comes out; what is made after it is free again.
    assert (graph.axes["b", "kernel"][-2] == NONE).all()
    assert {g.name: g.frozen for g in graph.groups}["b"] is None
