"""Tensors that are joined: which channels become one, and which stay."""

import keras
import numpy as np
import pytest

from ns_tf.graph.rules import ADD, CHANNELWISE, JOIN, THROUGH
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


@pytest.mark.parametrize(
    "layer, kind",
    [
        (layers.Add(), ADD),
        (layers.Subtract(), JOIN),
        (layers.Multiply(), JOIN),
        (layers.Average(), JOIN),
        (layers.Maximum(), JOIN),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_joins_tie_channel_by_channel(layer, kind):
    image = keras.Input((3,), name="image")
    one, other = (layers.Dense(7, name=name)(image) for name in ("one", "other"))
    x = layer([one, other])
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].makers == ("one", "other")
    assert graph.groups[0].frozen is None
    assert [call.kind for call in graph.calls if call.name == layer.name] == [kind]


def read(*ends, image):
    """(reasons by layer, kinds by call, graph) of the network that ends so."""
    x = layers.Concatenate(name="end")([layers.GlobalMaxPooling2D()(x) for x in ends])
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    reasons = {maker: g.frozen for g in graph.groups for maker in g.makers}
    return reasons, {call.name: call.kind for call in graph.calls}, graph


@pytest.fixture
def image():
    return keras.Input((6, 7, 3), name="image")


@pytest.mark.parametrize(
    "layer, kind",
    [(layers.Multiply, JOIN), (layers.Add, CHANNELWISE), (layers.Minimum, CHANNELWISE)],
)
def test_a_join_may_spread_one_channel_that_stays(layer, kind, image):
    """Only a product of what is zero is zero, whatever the one channel is."""
    x = layers.Conv2D(7, 1, name="a")(image)
    mask = layers.Conv2D(1, 1, name="mask")(image)
    reasons, kinds, graph = read(layer(name="attend")([mask, x]), image=image)
    assert (reasons["a"], kinds["attend"]) == (None, kind)
    assert reasons["mask"] == f"{layer.__name__} 'attend' spreads it over all channels"
    np.testing.assert_array_equal(
        graph.channels["attend", 0, 0], graph.channels["a", 0, 0]
    )


def test_a_concatenation_of_pixels_joins(image):
    x = layers.Conv2D(7, 1, name="a")(image)
    y = layers.Conv2D(7, 1, name="b")(image)
    x = layers.Concatenate(axis=1, name="stack")([x, y])
    reasons, kinds, graph = read(x, image=image)
    assert (reasons["a"], kinds["stack"]) == (None, JOIN)
    assert graph.groups[0].makers == ("a", "b")


def test_operators_are_followed_like_the_layers_they_are():
    """`x + y` between Keras tensors is an operation without weights."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    x = x + layers.Conv2D(7, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].makers == ("a", "b")
    assert graph.groups[0].frozen is None


CONSTANTS = {
    "x * 2": (lambda x: x * 2.0, THROUGH, True),
    "2 * x": (lambda x: 2.0 * x, THROUGH, True),
    "x / 2": (lambda x: x / 2.0, THROUGH, True),
    "x * -2": (lambda x: x * -2.0, THROUGH, False),
    "x + 2": (lambda x: x + 2.0, CHANNELWISE, False),
    "2 - x": (lambda x: 2.0 - x, CHANNELWISE, False),
    "2 / x": (lambda x: 2.0 / x, CHANNELWISE, False),
    "max(x, 0)": (lambda x: ops.maximum(x, 0.0), CHANNELWISE, False),
    "x ** 2": (lambda x: x**2, CHANNELWISE, False),
    "pixel by pixel": (lambda x: x * np.ones((6, 7, 1)), THROUGH, True),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_an_operator_with_a_number_works_within_channels(name, image):
    function, kind, scales = CONSTANTS[name]
    x = function(layers.Conv2D(7, 1, name="a")(image))
    reasons, _, graph = read(x, image=image)
    (call,) = (c for c in graph.calls if c.name == x._keras_history.operation.name)
    assert (reasons["a"], call.kind, call.scales) == (None, kind, scales)


def test_numbers_of_their_own_keep_channels(image):
    """They are no weight that could get shorter. An image's channels stay anyway."""
    image_scaled = (image - np.arange(3.0)) / np.ones(3)
    x = layers.Conv2D(7, 1, name="a")(image_scaled) * np.arange(7.0)
    wide = layers.Conv2D(1, 1, name="b")(image) * np.ones(5)
    reasons, _, _ = read(x, wide, image=image)
    assert reasons["a"].endswith("has a constant for each channel")
    assert reasons["b"].endswith("cannot be followed")


@pytest.mark.parametrize("parts", [2, 4, [4], [3, 5]], ids=str)
def test_parts_of_a_split_are_apart_and_its_ends_follow_them(parts, image):
    sides = ops.split(layers.Conv2D(8, 1, name="a")(image), parts, axis=-1)
    _, _, graph = read(layers.ReLU()(sides[-1]), *sides[:-1], image=image)
    expected = np.split(np.arange(8), parts)
    groups = [group for group in graph.groups if group.frozen is None]
    assert [g.channels.tolist() for g in groups] == [part.tolist() for part in expected]
    names = [f"a/{number}" for number in range(1, len(expected) + 1)]
    assert [group.makers for group in groups] == [(name,) for name in names]
    assert all(graph.kernels[name] is graph.kernels["a"] for name in names)
    (name,) = (name for name in graph.settings if name.startswith("split"))
    settings = graph.settings[name]["indices_or_sections"]
    ends = np.cumsum([len(part) for part in expected[:-1]])
    assert [end.tolist() for end in settings] == [list(range(end)) for end in ends]


def test_parts_that_meet_are_one(image):
    one, other = ops.split(layers.Conv2D(8, 1, name="a")(image), 2, axis=-1)
    reasons, _, graph = read(one * ops.sigmoid(other), image=image)
    assert reasons["a"] is None and graph.groups[0].size == 4
    np.testing.assert_array_equal(graph.axes["a", "kernel"][-1], [0, 1, 2, 3] * 2)


def test_an_empty_part_stays(image):
    one, other = ops.split(layers.Conv2D(8, 1, name="a")(image), [0], axis=-1)
    reasons, _, _ = read(other, image=image)
    assert reasons["a"].startswith("Split ")
