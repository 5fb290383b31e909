"""Attention: which streams it reads and makes, and at which of its weights."""

import keras
import numpy as np

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
        kernel = getattr(layer, f"_{part}_dense").kernel
        axis, *others = graph.axes["odd", names[id(kernel)]]
        assert others == [None, None]
        np.testing.assert_array_equal(axis, groups[group])
    last = names[id(layer._output_dense.kernel)]
    assert graph.kernels["odd"].name == last
    np.testing.assert_array_equal(graph.axes["odd", last][-1], groups["odd"])
    assert [len(axis) for axis in graph.settings["odd"]["output_shape"]] == [6]


def test_grouped_queries_make_what_is_as_wide_as_the_query():
    layer = layers.GroupQueryAttention(3, 4, 2, name="odd")
    _, graph = attended(lambda a, b: layer(a, b, b), size=4)
    assert graph.groups[0].makers == ("a", "b", "odd")
    assert graph.groups[0].frozen is None


def test_a_mask_that_the_model_computes_is_not_followed():
    layer = layers.MultiHeadAttention(2, 3, name="odd")
    _, graph = attended(lambda a, b: layer(a, a, attention_mask=b), size=7)
    assert graph.groups[0].frozen == "MultiHeadAttention 'odd' cannot be followed"
