"""Networks of channels first: the copy with channels last computes the same."""

import functools
import inspect

import keras
import numpy as np
import pytest
from random_graphs import assert_removing_is_zeroing, stamp

from ns_tf.graph.flat import flat
from ns_tf.graph.layout import channels_last
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import values
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params

layers, ops = keras.layers, keras.ops
SHAPE = (3, 8, 6)
FIRST = {"data_format": "channels_first"}


def conv(x, width, name, size=3, **options):
    return layers.Conv2D(width, size, padding="same", name=name, **FIRST, **options)(x)


def pooled(x):
    return layers.GlobalAveragePooling2D(**FIRST)(x)


def residual(x):
    x = layers.ReLU()(layers.BatchNormalization(axis=1)(conv(x, 5, "a", strides=2)))
    y = layers.LayerNormalization(axis=1)(layers.Dropout(0.0)(conv(x, 7, "b")))
    x = layers.Add()([x, conv(y, 5, "c", 1)])
    x = layers.MaxPooling2D(2, **FIRST)(layers.ZeroPadding2D(1, **FIRST)(x))
    return layers.Flatten(**FIRST)(x)


def kinds(x):
    x = layers.SeparableConv2D(5, 3, name="a", activation="relu", **FIRST)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, **FIRST)(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, name="b", **FIRST)(x)
    x = layers.UpSampling2D(2, **FIRST)(layers.Cropping2D(1, **FIRST)(x))
    x = layers.SpatialDropout2D(0.0, **FIRST)(layers.GroupNormalization(2, axis=1)(x))
    one, other = ops.split(conv(x, 7, "c"), [2], axis=1)
    return pooled(layers.Concatenate(axis=1)([one, conv(other, 5, "d")]))


def excited(x):
    x = conv(x, 5, "a")
    s = layers.Dense(3, activation="relu", name="squeeze")(pooled(x))
    s = layers.Dense(5, activation="sigmoid", name="excite")(s)
    x = layers.Multiply()([x, layers.Reshape((5, 1, 1))(s)])
    x = x * ops.sigmoid(ops.mean(x, axis=(2, 3), keepdims=True)) + 0.5
    return ops.max(x[:, 1:, ::2] - x[:, :4, :-1:2], axis=(2, -1))


def rows_of_a_plain_flatten(x):
    """Without a data format `Flatten` takes channel after channel."""
    return layers.Flatten()(conv(x, 5, "a"))


def turned_by_hand(x):
    x = conv(layers.Permute((3, 1, 2))(layers.Permute((2, 3, 1))(x)), 5, "a")
    x = layers.Permute((2, 3, 1))(x)
    return layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="b")(x))


def sequence(x):
    x = layers.Conv1D(5, 3, name="a", **FIRST)(layers.Reshape((8, 18))(x))
    x = layers.AveragePooling1D(2, **FIRST)(layers.BatchNormalization(axis=1)(x))
    return layers.GlobalMaxPooling1D(**FIRST)(x)


def volume(x):
    x = layers.Conv3D(4, 2, name="a", **FIRST)(layers.Reshape((3, 4, 2, 6))(x))
    return layers.GlobalMaxPooling3D(**FIRST)(ops.relu(x))


def as_wide_as_channels(x):
    """Where the width is the number of filters, Keras adds biases along the width."""
    x = conv(conv(x, 5, "a"), 6, "b")
    return pooled(conv(conv(x, 6, "c", use_bias=False), 4, "d"))


def by_width(x):
    """What reads the last axis, which is none of channels, keeps them."""
    x = layers.Dense(4, name="dense")(conv(x, 5, "a"))
    x = layers.Activation("softmax")(conv(x, 6, "b"))
    x = layers.PReLU()(conv(x, 4, "c", activation="softmax"))
    x = conv(x, 4, "d") * np.arange(1.0, 5.0)
    return pooled(conv(x, 5, "e"))


def shared(x):
    relu, twice = layers.ReLU(), layers.Conv2D(3, 3, padding="same", name="a", **FIRST)
    return pooled(layers.Concatenate(axis=-1)([relu(twice(relu(twice(x)))), x]))


FREE = {
    residual: "a b c",
    kinds: "a b c/1 c/2 d",
    excited: "a excite squeeze",
    rows_of_a_plain_flatten: "a",
    turned_by_hand: "a b",
    sequence: "a",
    volume: "a",
    as_wide_as_channels: "c d",
    by_width: "e",
    shared: "",
}


def model_of(network, rng):
    image = keras.Input(SHAPE, name="image")
    output = layers.Dense(5, name="logits")(network(image))
    return stamp(keras.Model(image, output), rng)


@pytest.fixture
def first_by_hand(monkeypatch):
    """Channels first by two transpositions: TensorFlow has it on few machines."""

    def by_hand(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            given = inspect.signature(function).bind(*args, **kwargs)
            if given.arguments.get("data_format") != "channels_first":
                return function(*args, **kwargs)
            given.arguments["data_format"] = "channels_last"
            given.arguments["inputs"] = np.moveaxis(given.arguments["inputs"], 1, -1)
            y = function(*given.args, **given.kwargs)
            return ops.convert_to_tensor(np.moveaxis(np.array(y), -1, 1))

        return call

    backend = keras.src.backend.nn
    for name in "conv depthwise_conv separable_conv conv_transpose".split():
        monkeypatch.setattr(backend, name, by_hand(getattr(backend, name)))
    for name in "max_pool average_pool".split():
        monkeypatch.setattr(backend, name, by_hand(getattr(backend, name)))


@pytest.mark.parametrize("network", FREE, ids=lambda one: one.__name__)
def test_the_copy_computes_the_same_and_its_widths_are_free(
    network, rng, float64, first_by_hand
):
    model = model_of(network, rng)
    copy = channels_last(model)
    images = rng.normal(size=(3, *SHAPE))
    # Keras computes norms along other axes than the last in float32.
    np.testing.assert_allclose(copy(images), model(images), rtol=0, atol=1e-6)
    own, theirs = values(model), values(copy)
    assert own.keys() == theirs.keys()
    assert all(np.array_equal(own[key], theirs[key]) for key in own)
    assert channels_last(copy) is copy
    graph = channel_graph(copy)
    makers = {m for group in graph.groups if not group.frozen for m in group.makers}
    assert makers == set(FREE[network].split())
    assert_removing_is_zeroing(copy, rng)


def test_maps_that_are_put_out_have_channels_first(rng, float64, first_by_hand):
    image = keras.Input(SHAPE, name="image")
    x = conv(conv(image, 5, "a"), 4, "b")
    model = stamp(keras.Model(image, {"map": x, "mean": pooled(x)}), rng)
    images = rng.normal(size=(3, *SHAPE))
    expected, found = model(images), channels_last(model)(images)
    for name in ("map", "mean"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-12)


def test_costs_and_frozen_layers_are_those_of_the_network(rng):
    model = model_of(kinds, rng)
    model.get_layer("d").trainable = False
    copy = flat(model, blocks=True)
    assert not copy.get_layer("d").trainable
    structure = analyse(from_model(model), SHAPE, 5)
    widths = np.array(structure.architecture.widths)
    assert int(structure.params(widths)) == count_params(model)


def test_networks_of_channels_last_are_themselves(rng):
    image = keras.Input((4, 6, 3))
    model = keras.Model(image, layers.Conv2D(5, 3)(image))
    assert channels_last(model) is model
