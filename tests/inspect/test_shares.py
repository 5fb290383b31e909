"""What groups take adds up to the network, and is counted by hand on a small one."""

import keras
import numpy as np
import pytest

from ns_tf.graph.walk import channel_graph
from ns_tf.inspect.reading import read
from ns_tf.inspect.shares import Share, shares_of


def test_shares_of_a_chain_are_counted_by_hand(handmade):
    """image 6x7x3 - a[13] - BN - ReLU - b[7] - BN - ReLU - average - logits[5]."""
    model = handmade["chain"]()
    graph = channel_graph(model)
    shares = shares_of(model, graph)
    by_name = {g.name: s for g, s in zip(graph.groups, shares.groups, strict=True)}
    pixels, kernels = 6 * 7, {"a": 27 * 13, "b": 9 * 13 * 7, "logits": 7 * 5}
    assert by_name["a"].params == kernels["a"] + 3 * 13
    assert by_name["b"].params == kernels["b"] + 3 * 7
    assert by_name["logits"].params == kernels["logits"] + 5
    assert by_name["a"].macs == kernels["a"] * pixels
    assert by_name["logits"].macs == kernels["logits"]
    assert by_name["a"].activation_bytes == 4 * 3 * 13 * pixels
    assert by_name["b"].activation_bytes == 4 * (3 * 7 * pixels + 7)
    assert shares.rest == Share(0, 0, 4 * 3 * pixels)  # The image.
    assert shares.layers == {}
    # The bias of the logits is all that no free channel shrinks.
    assert shares.reachable == shares.total.params - 5


@pytest.mark.parametrize(
    "name", ["concat", "dense_block", "depthwise", "flatten", "no_norm", "residual"]
)
def test_shares_add_up_to_the_costs_of_the_network(handmade, name):
    model = handmade[name]()
    reading = read(model)
    total = shares_of(reading.model, reading.graph).total
    own = np.array(reading.structure.architecture.widths)
    assert total.params == reading.structure.params(own)
    outputs = {call.output for call in reading.graph.calls}
    entries = sum(int(np.prod(reading.graph.shapes[o][1:])) for o in outputs)
    assert total.activation_bytes == 4 * entries


def test_heads_and_their_sizes_share_what_makes_them():
    x = steps = keras.Input((4, 7), name="steps")
    x = keras.layers.MultiHeadAttention(3, 5, 2, name="odd")(x, x)
    model = keras.Model(steps, keras.layers.Dense(2, name="logits")(x))
    graph = channel_graph(model)
    shares = shares_of(model, graph)
    by_name = {g.name: s for g, s in zip(graph.groups, shares.groups, strict=True)}
    output = 3 * 2 * 7 + 7
    # Of a kernel of 105 entries and a bias of 15 the heads have 52 and 7.
    assert by_name["odd/heads"].params == 2 * (52 + 7) + 21 + 3
    assert by_name["odd/key_dim"].params == 2 * (53 + 8)
    assert by_name["odd/value_dim"].params == 21 + 3
    assert by_name["odd"].params == output
    assert shares.total.params == model.count_params()


class Nameless(keras.layers.Layer):
    """A layer of a user's that has no rule."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[-1:], name="factor")

    def call(self, x):
        return x * self.factor


def test_layers_that_are_not_followed_are_named():
    x = image = keras.Input((3,), name="image")
    x = keras.layers.Dense(5, name="first")(x)
    x = Nameless(name="mine")(x)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    shares = shares_of(model, channel_graph(model))
    assert shares.layers == {"mine": 5} and shares.rest.params == 5
    assert shares.reachable == 0


def test_activations_of_windows_are_those_of_the_whole_example():
    image = keras.Input((4, 6, 3), name="image")
    x = keras.layers.Dense(5, name="a")(image)
    x = keras.layers.Dense(7, name="b")(keras.ops.reshape(x, (-1, 2, 3, 5)))
    model = keras.Model(image, keras.ops.reshape(x, (-1, 4, 6, 7)))
    found = shares_of(model, channel_graph(model)).total
    assert found.activation_bytes == 4 * 4 * 6 * (3 + 2 * 5 + 2 * 7)
    assert found.macs == 4 * 6 * (3 * 5 + 5 * 7)
