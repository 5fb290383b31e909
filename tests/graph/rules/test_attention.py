"""Attention: which streams it reads and makes, and at which of its weights."""

import keras
import numpy as np
from random_graphs import stamp
from thinner import Thinner

from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def attended(call, size=5):
    """a[4], b[`size`] and what `call` makes of them."""
    steps = keras.Input((7, 3), name="steps")
    a = layers.Dense(4, name="a")(steps)
    b = layers.Dense(size, name="b")(steps)
    x = layers.GlobalMaxPooling1D()(call(a, b))
    model = keras.Model(steps, layers.Dense(2, name="logits")(x))
    return model, channel_graph(model)


def test_query_value_and_key_are_read_by_kernels_of_their_own():
    layer = layers.MultiHeadAttention(2, 3, output_shape=6, name="odd")
    model, graph = attended(lambda a, b: layer(a, b, key=a))
    groups = {group.name: group.channels for group in graph.groups if not group.frozen}
    reads = {"query": "a", "value": "b", "key": "a"}
    names = weights.names(model.get_layer("odd"))
    for part, group in reads.items():
        dense = getattr(layer, f"_{part}_dense")
        size = "odd/value_dim" if part == "value" else "odd/key_dim"
        expected = groups[group], groups["odd/heads"], groups[size]
        for weight, own in ((dense.kernel, expected), (dense.bias, expected[1:])):
            for axis, one in zip(
                graph.axes["odd", names[id(weight)]], own, strict=True
            ):
                np.testing.assert_array_equal(axis, one)
    last = names[id(layer._output_dense.kernel)]
    assert graph.kernels["odd"].name == last
    own = groups["odd/heads"], groups["odd/value_dim"], groups["odd"]
    for axis, one in zip(graph.axes["odd", last], own, strict=True):
        np.testing.assert_array_equal(axis, one)
    assert [len(axis) for axis in graph.settings["odd"]["output_shape"]] == [6]


def test_what_is_made_within_is_made_by_a_part_of_a_kernel():
    model, graph = attended(
        lambda a, b: layers.MultiHeadAttention(2, 3, value_dim=5, name="odd")(a, b)
    )
    layer = model.get_layer("odd")
    found = {tuple(axes[-1]): kernel for axes, kernel in weights.kernels(model, graph)}
    query, value = (
        np.array(layer.query_dense.kernel),
        np.array(layer.value_dense.kernel),
    )
    expected = {
        "heads": np.moveaxis(value, 1, -1),
        "key_dim": query,
        "value_dim": value,
    }
    for name, kernel in expected.items():
        own = next(g.channels for g in graph.groups if g.name == f"odd/{name}")
        np.testing.assert_array_equal(found[tuple(own)], kernel)


def test_grouped_queries_make_what_is_as_wide_as_the_query():
    layer = layers.GroupQueryAttention(3, 4, 2, name="odd")
    _, graph = attended(lambda a, b: layer(a, b, b), size=4)
    assert graph.groups[0].makers == ("a", "b", "odd")
    assert graph.groups[0].frozen is None


def test_heads_that_share_a_key_are_one():
    layer = layers.GroupQueryAttention(3, 6, 2, name="odd")
    _, graph = attended(lambda a, b: layer(a, b), size=4)
    one, other = next(g.channels for g in graph.groups if g.name == "odd/heads")
    names = weights.names(layer)
    every = [one] * 3 + [other] * 3
    for dense, own in ((layer._query_dense, every), (layer._key_dense, [one, other])):
        found = graph.axes["odd", names[id(dense.kernel)]][1]
        np.testing.assert_array_equal(found, own)
    settings = graph.settings["odd"]
    assert settings["num_query_heads"].tolist() == every
    assert settings["num_key_value_heads"].tolist() == [one, other]


def test_heads_stay_where_others_read_scores_of_each():
    layer = layers.MultiHeadAttention(2, 3, name="odd")
    _, graph = attended(lambda a, b: layer(a, b, return_attention_scores=True)[0])
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["odd/heads"] == "'odd' puts out its attention scores"
    assert reasons["odd"] is None


def test_what_a_mask_is_made_of_stays_and_removing_the_rest_is_exact(rng, float64):
    layer = layers.MultiHeadAttention(2, 3, name="odd")
    model, graph = attended(
        lambda a, b: layer(a, a, attention_mask=keras.ops.greater(b, 0)), size=7
    )
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["b"] == "an attention reads it as attention_mask"
    assert reasons["a"] is reasons["odd/heads"] is None
    thinner = Thinner(stamp(model, rng), graph)
    keep, steps = thinner.subset(rng, 0.6), rng.normal(size=(2, 7, 3))
    np.testing.assert_allclose(
        thinner.thin(keep)(steps), thinner.closed(keep)(steps), rtol=0, atol=1e-10
    )


def test_channels_that_are_a_mask_stay():
    layer = layers.MultiHeadAttention(2, 3, name="odd")
    _, graph = attended(lambda a, b: layer(a, a, attention_mask=b), size=7)
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["b"] == "an attention reads it as attention_mask"
