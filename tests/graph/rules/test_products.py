"""Products of two tensors: channels that are summed, that pass, and that stay."""

import keras
import numpy as np
import pytest

from ns_tf.graph.rules import JOIN, UNKNOWN
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


def multiplied(product, one=7, other=7):
    """(call of the product, reasons of the layers "one" and "other", graph)."""
    tokens = keras.Input((5, 3), name="tokens")
    y = product(
        layers.Dense(one, name="one")(tokens), layers.Dense(other, name="other")(tokens)
    )
    name = y._keras_history.operation.name
    x = layers.Flatten(name="flatten")(y)
    graph = channel_graph(keras.Model(tokens, layers.Dense(2, name="logits")(x)))
    (call,) = (call for call in graph.calls if call.name == name)
    reasons = {maker: g.frozen for g in graph.groups for maker in g.makers}
    return call, [reasons[maker] for maker in ("one", "other")], graph


def turned(x):
    return ops.transpose(x, (0, 2, 1))


@pytest.mark.parametrize(
    "product",
    [
        lambda x, y: x @ turned(y),
        lambda x, y: ops.einsum("btc,bsc->bts", x, y),
    ],
)
def test_channels_that_are_summed_are_one_and_gated_once(product):
    call, reasons, graph = multiplied(product)
    assert (call.kind, call.reads, reasons) == (JOIN, (0,), [None, None])
    assert {*graph.groups[0].makers} == {"one", "other"}
    assert (graph.channels[call.output] == -1).all()


@pytest.mark.parametrize(
    "product",
    [
        lambda x, y: ops.softmax(x @ turned(x)) @ y,
        lambda x, y: ops.einsum("bts,bsc->btc", x @ turned(x), y),
    ],
)
def test_channels_pass_a_sum_over_tokens(product):
    call, reasons, graph = multiplied(product)
    (other,) = (group for group in graph.groups if "other" in group.makers[0])
    assert (call.kind, call.reads) == (JOIN, ())
    np.testing.assert_array_equal(graph.channels[call.output][-6:], other.channels[-6:])


@pytest.mark.parametrize(
    "product, sizes",
    [
        (lambda x, y: turned(x) @ turned(y), (5, 5)),
        (lambda x, y: ops.einsum("btc,bsd->btscd", x, y), (5, 7)),  # Two axes of them.
        (lambda x, y: ops.einsum("...c,...c->...", x, y), (7, 7)),  # No letters.
        (lambda x, y: turned(x) @ ops.softmax(y, axis=1), (5, 7)),
    ],
)
def test_what_would_be_along_another_axis_stays(product, sizes):
    call, reasons, _ = multiplied(product, *sizes)
    assert call.kind == UNKNOWN and all(reasons)


def test_an_attention_without_a_scale_follows_the_number_of_channels():
    def attention(scale):
        def product(x, y):
            q, k, v = (ops.reshape(one, (-1, 5, 1, 7)) for one in (x, x, y))
            return ops.dot_product_attention(q, k, v, scale=scale)

        return product

    call, reasons, _ = multiplied(attention(0.5))
    assert (call.reads, reasons) == ((0,), [None, None])
    call, reasons, _ = multiplied(attention(None))
    assert all(reason.endswith("by the root of their number") for reason in reasons)


def test_a_constant_in_place_of_a_tensor_stays():
    x = layers.Dense(7, name="one")(keras.Input((5, 3)))
    dot = layers.Dot(axes=2)([x, np.ones((1, 5, 7), "float32")])
    graph = channel_graph(keras.Model(x._keras_history.operation.input, dot))
    assert graph.groups[0].frozen


def test_channels_that_meet_tokens_stay_alone():
    call, (one, other), _ = multiplied(lambda x, y: x @ y, 5, 7)
    assert (call.kind, call.reads, other) == (JOIN, (), None)
    assert one.endswith("multiplies it with pixels or tokens")


@pytest.mark.parametrize("scaled", [True, False])
def test_sums_of_queries_and_keys_are_one_and_have_their_gates_within(scaled):
    layer = layers.AdditiveAttention(use_scale=scaled)
    call, reasons, graph = multiplied(lambda x, y: layer([x, y]))
    assert (call.kind, call.reads, reasons) == (JOIN, (), [None, None])
    (both,) = (group for group in graph.groups if "one" in group.makers)
    assert {*both.makers} == {"one", "other"}
    np.testing.assert_array_equal(call.gates, both.channels)
    np.testing.assert_array_equal(graph.axes[layer.name, "scale"][0], both.channels)
