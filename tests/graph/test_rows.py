"""How many entries of a tensor's first axis are one example's."""

import keras
import numpy as np
import pytest
from graphs import Silent

from ns_tf.graph.flat import flat
from ns_tf.graph.rows import Rows
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.lowering import Lowering

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("ns_tf_tests")
class Placed(layers.Layer):
    """Adds vectors of places, which it keeps as those of one example."""

    def build(self, shape):
        self.places = self.add_weight(shape=(1, *shape[1:]), name="places")

    def call(self, x):
        return x + ops.reshape(self.places, self.places.shape[1:])


def graph_of(function, **options):
    """The graph of a[12] -> function -> b[7] -> logits, for images [4, 6, 3]."""
    image = keras.Input((4, 6, 3), name="image", **options)
    x = function(layers.Dense(12, name="a")(image))
    x = layers.Dense(7, name="b")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    return channel_graph(flat(model, blocks=True))


def test_weights_have_no_axis_of_examples_and_make_none_longer():
    graph = graph_of(Placed(name="placed"))
    (weight, made) = graph.rows
    assert weight == ("placed_places", 0, 0) and "reshape" in made[0]
    assert set(graph.rows.values()) == {0}
    assert [group.frozen for group in graph.groups[:2]] == [None, None]


WINDOWS = {
    "windows": (lambda x: ops.reshape(x, (-1, 2, 3, 12)), 4),
    "rows, put together again": (
        lambda x: ops.reshape(ops.reshape(x, (-1, 6, 12)), (-1, 2, 2, 6, 12)),
        1,
    ),
    "pixels turned": (lambda x: ops.transpose(x, (0, 2, 1, 3)), 1),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_of_an_example_are_counted(name):
    function, rows = WINDOWS[name]
    for batch in (None, 13):
        graph = graph_of(function, batch_size=batch)
        assert graph.rows.get(("b", 0, 0), 1) == rows
        assert graph.rows.get(("a", 0, 0), 1) == 1
        assert [group.frozen for group in graph.groups[:2]] == [None, None]


UNKNOWN = {
    "joined": lambda x: ops.concatenate([x, ops.relu(x)], axis=0),
    "joined by a layer": lambda x: layers.Concatenate(axis=0)([x, ops.relu(x)]),
    "repeated": lambda x: ops.repeat(x, 3, axis=0),
    "tiled": lambda x: ops.tile(x, (2, 1, 1, 1)),
    "moved": lambda x: ops.transpose(x, (1, 0, 2, 3)),
    "some": lambda x: x[1:, ...],
    "backwards": lambda x: ops.flip(x, axis=0),
    "turned round": lambda x: ops.roll(x, 1, axis=0),
    "backwards by a slice": lambda x: x[::-1, ...],
    "summed": lambda x: ops.cumsum(x, axis=0),
    "by a softmax of all": lambda x: ops.softmax(x, axis=None),
    "by a softmax": lambda x: ops.softmax(x, axis=0),
    "turned with pixels": lambda x: ops.rot90(x, axes=(0, 1)),
    "halves of examples": lambda x: ops.reshape(x, (-1, 8, 6, 12)),
}


MOVED = {
    "flip": lambda x: ops.flip(x, axis=1),
    "flip of all": lambda x: ops.flip(x),
    "roll": lambda x: ops.roll(x, 1, axis=1),
    "slice": lambda x: x[:, None, ::-1][:, 0],
    "slice behind": lambda x: x[..., ::-1, :, :],
    "sort": lambda x: ops.sort(x, axis=1),
}


@pytest.mark.parametrize("name", MOVED)
def test_examples_that_change_places_along_a_turned_axis_have_none(name):
    def function(x):
        return ops.transpose(MOVED[name](ops.transpose(x, (1, 0, 2, 3))), (1, 0, 2, 3))

    a, b, *_ = graph_of(function).groups
    assert a.frozen and "fixed number of rows for each example" in b.frozen
    assert graph_of(lambda x: ops.flip(x, axis=1)).groups[0].frozen is None


def test_examples_of_a_fixed_number_that_change_places_have_none():
    def function(x):
        return ops.take(x, np.array([1, 0, 2]), axis=0)

    _, b, *_ = graph_of(function, batch_size=3).groups
    assert "fixed number of rows for each example" in b.frozen


@pytest.mark.parametrize("name", UNKNOWN)
def test_where_they_are_not_known_channels_stay(name):
    a, b, *_ = graph_of(UNKNOWN[name]).groups
    assert a.frozen and "fixed number of rows for each example" in b.frozen


@keras.saving.register_keras_serializable("ns_tf_tests")
class Tied(layers.Layer):
    """Looks words up in a table, and compares what it has read with all of them."""

    def build(self, shape):
        self.table = self.add_weight(shape=(13, 12), name="table")

    def call(self, tokens):
        x = ops.relu(ops.take(self.table, tokens, axis=0))
        return x @ ops.transpose(self.table)


TABLE = np.arange(13 * 12).reshape(13, 12) / 156
# An axis that is not that of examples, and has its number.
KEPT = {
    "rows of a constant table": lambda x, n: x + ops.take(TABLE, n, axis=0),
    "rows of a table, by name": lambda x, n: x + ops.take(x=TABLE, indices=n, axis=0),
    "rows of a weight": lambda x, n: x + layers.Dense(12)(Tied()(n)),
    "a class of an example": lambda x, n: x + ops.one_hot(n[:, 0], 12)[:, None],
    "stacked": lambda x, n: ops.stack([x, x], axis=0)[0],
    "an axis less": lambda x, n: ops.squeeze(ops.expand_dims(x, 1)),
}


@pytest.mark.parametrize("name", KEPT)
def test_an_axis_of_something_else_leaves_examples_where_they_are(name):
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = KEPT[name](layers.Embedding(13, 12, name="a")(tokens), tokens)
    x = layers.Dense(7, name="b")(x)
    model = keras.Model(tokens, layers.Dense(5)(x))
    graph = channel_graph(flat(model, blocks=True))
    assert {group.name: group.frozen for group in graph.groups}["b"] is None


def test_behind_an_axis_of_examples_that_is_turned_back_they_are_known():
    """As of biases of an attention by distances (ALiBi)."""

    def function(x):
        turned = ops.transpose(ops.relu(ops.expand_dims(x, 0)), (1, 0, 2, 3, 4))
        return ops.squeeze(turned, 1)

    a, b, *_ = graph_of(function).groups
    assert a.frozen and b.frozen is None


@pytest.mark.parametrize("length, known", [(16, True), (4, False)])
def test_a_length_that_keras_lost_is_that_of_the_input(length, known):
    tokens = keras.Input((16, 3), name="tokens")
    x = Silent()(layers.Dense(12, name="a")(tokens))
    x = ops.reshape(x, (-1, length, 12))
    model = keras.Model(tokens, layers.Dense(5)(layers.Dense(7, name="b")(x)))
    reasons = {group.name: group.frozen for group in channel_graph(model).groups}
    assert (reasons["b"] is None) == known


def test_open_lengths_leave_them_unknown():
    steps = keras.Input((None, 3), name="steps")
    x = ops.reshape(layers.Dense(12, name="a")(steps), (-1, 12))
    model = keras.Model(steps, layers.Dense(5)(layers.Dense(7, name="b")(x)))
    assert all(group.frozen for group in channel_graph(model).groups)


def test_entries_of_an_example_are_the_same_in_windows():
    graph = graph_of(WINDOWS["windows"][0])
    lowering = Lowering(graph, {}, {}, 0, int8=False)
    windows, b, _ = graph.rows
    assert lowering.terms(windows) == lowering.terms(("a", 0, 0))
    assert lowering.terms(b) == ((4 * 6 * 7, 0),)
    graph = graph_of(Placed(name="placed"))
    lowering = Lowering(graph, {}, {}, 0, int8=False)
    assert {lowering.terms(own) for own in graph.rows} == {((4 * 6 * 12, 0),)}


def test_an_input_without_the_axis_has_none():
    image = keras.Input((3,))
    rows = Rows(keras.Model(image, layers.Dense(5)(image)))
    rows.enter(("image", 0, 0), (None, 3))
    rows.enter(("table", 0, 0), (7, 3))
    assert rows.counted == {("table", 0, 0): 0}
    assert list(rows.of.values()) == [1, 0]
