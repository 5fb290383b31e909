"""Everyday networks: which layers may lose channels, and that removing is exact."""

import keras
import numpy as np
import pytest
from random_graphs import assert_removing_is_zeroing, stamp

from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("ns_tf_tests")
class Attended(layers.Layer):
    """A layer of the user's, of which nothing is known."""

    def call(self, x):
        return x * ops.softmax(ops.mean(x, (1, 2), keepdims=True))


def conv(x, width, name, size=3, **options):
    return layers.Conv2D(width, size, padding="same", name=name, **options)(x)


def normed(x, width, name, activation="relu", **options):
    x = layers.BatchNormalization(**options)(conv(x, width, name))
    return layers.Activation(activation)(x)


def vgg(x):
    x = layers.MaxPooling2D()(normed(x, 5, "a"))
    return layers.Flatten()(normed(x, 7, "b"))


def residual(x):
    x = normed(x, 5, "a")
    y = layers.BatchNormalization()(conv(normed(x, 7, "b"), 5, "c"))
    return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))


def pre_activation(x):
    x = conv(x, 5, "a")
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.ReLU()(layers.BatchNormalization()(conv(y, 7, "b")))
    x = layers.Add()([x, conv(y, 5, "c")])
    return layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))


def inverted(x):
    x = layers.ReLU(6.0)(layers.BatchNormalization()(conv(x, 5, "a", 1)))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return layers.GlobalAveragePooling2D()(conv(x, 7, "b", 1))


def squeezed(x):
    x = normed(x, 5, "a", "silu")
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = conv(s, 3, "squeeze", 1, activation="silu")
    s = conv(s, 5, "excite", 1, activation="sigmoid")
    return layers.GlobalAveragePooling2D()(layers.Multiply()([x, s]))


def dense(x):
    for name in ("a", "b"):
        x = layers.Concatenate()([x, normed(x, 4, name)])
    return layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))


def inception(x):
    x = normed(x, 5, "a")
    sides = [conv(x, 4, "b", 1), conv(layers.MaxPooling2D(1)(x), 3, "c", 1), x]
    return layers.GlobalAveragePooling2D()(layers.Concatenate()(sides))


def u_net(x):
    x = normed(x, 5, "a")
    y = layers.UpSampling2D()(normed(layers.MaxPooling2D()(x), 7, "b"))
    x = conv(layers.Concatenate()([x, y]), 4, "c", activation="relu")
    return layers.GlobalAveragePooling2D()(x)


def perceptron(x):
    x = layers.Dense(7, activation="relu", name="a")(layers.Flatten()(x))
    x = layers.Dropout(0.0)(layers.BatchNormalization()(x))
    return layers.Dense(4, activation="tanh", name="b")(x)


def volume(x):
    x = layers.Conv3D(5, 1, activation="elu", name="a")(layers.Reshape((4, 3, 2, 3))(x))
    return layers.Flatten()(layers.Conv3D(4, 1, name="b")(x))


def sequence(x):
    x = layers.Conv1D(5, 3, activation="gelu", name="a")(layers.Reshape((8, 9))(x))
    return layers.Flatten()(layers.Conv1D(4, 3, name="b")(x))


def operators(x):
    x = conv(x, 5, "a")
    return layers.GlobalMaxPooling2D()(ops.relu(x + conv(x, 5, "b")))


def twins(x):
    both = layers.Conv2D(5, 3, padding="same", name="a")
    one, other = both(x), both(layers.Cropping2D(0)(x))
    return layers.GlobalAveragePooling2D()(layers.Subtract()([one, other]))


def augmented(x):
    x = layers.Rescaling(2.0)(layers.RandomBrightness(0.0, value_range=(-9, 9))(x))
    return layers.GlobalAveragePooling2D()(normed(x, 5, "a"))


def renormed(x):
    return layers.GlobalAveragePooling2D()(normed(x, 5, "a", renorm=True))


def transferred(x):
    x = conv(normed(x, 5, "a"), 4, "frozen", trainable=False)
    return layers.GlobalAveragePooling2D()(normed(x, 6, "b"))


def nested(x):
    inner = keras.Sequential([layers.Conv2D(3, 1), layers.BatchNormalization()])
    return layers.GlobalAveragePooling2D()(normed(inner(conv(x, 4, "a")), 5, "b"))


def behind_an_odd_layer(make):
    def network(x):
        x = layers.ReLU()(make()(conv(x, 4, "a")))
        return layers.GlobalAveragePooling2D()(normed(x, 5, "b"))

    return network


def recurrent(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    return layers.Dense(5, activation="relu", name="b")(layers.LSTM(6)(x))


def attention(x):
    x = layers.Dense(4, name="a")(layers.Reshape((8, 9))(x))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 2)(x, x))
    return layers.Flatten()(layers.Dense(5, activation="relu", name="b")(x))


def scaled(x):
    """Arithmetic with constants is not followed."""
    x = normed(conv(x, 4, "a") * 2.0, 5, "b")
    return layers.GlobalAveragePooling2D()(x)


ODD = {  # Layer behind a -> layers that may lose channels.
    "layer norm": (layers.LayerNormalization, "b"),
    "group norm": (lambda: layers.GroupNormalization(2), "b"),
    "unit norm": (layers.UnitNormalization, "b"),
    "spectral norm": (lambda: layers.SpectralNormalization(layers.Conv2D(4, 1)), "b"),
    "parametric relu": (layers.PReLU, "a b"),
    "parametric relu, shared": (lambda: layers.PReLU(shared_axes=[1, 2]), "a b"),
    "separable": (lambda: layers.SeparableConv2D(4, 3), "b"),
    "grouped": (lambda: layers.Conv2D(4, 3, groups=2), "b"),
    "transposed": (lambda: layers.Conv2DTranspose(4, 3), "b"),
    "resized": (lambda: layers.Resizing(6, 6), "b"),
    "softmax": (layers.Softmax, "b"),
    "softmax within": (lambda: layers.Conv2D(4, 1, activation="softmax"), "a b"),
    "one's own": (Attended, "b"),
}
# Network -> layers that may lose channels.
FREE = {
    **{vgg: "a b", residual: "a b c", pre_activation: "a b c", inverted: "a b"},
    **{squeezed: "a squeeze excite", dense: "a b", inception: "a b c", u_net: "a b c"},
    **{perceptron: "a b", volume: "a b", sequence: "a b", operators: "a b"},
    **{twins: "a", augmented: "a", renormed: "a", transferred: "b", nested: "b"},
    **{recurrent: "b", attention: "b", scaled: "b"},
}
TABLE = {network.__name__: (network, free) for network, free in FREE.items()} | {
    name: (behind_an_odd_layer(make), free) for name, (make, free) in ODD.items()
}


@pytest.mark.parametrize("name", TABLE)
def test_removing_is_exact_and_reaches_what_is_known(name, rng, float64):
    network, free = TABLE[name]
    image = keras.Input((4, 6, 3), name="image")
    model = keras.Model(image, layers.Dense(5, name="logits")(network(image)))
    graph = channel_graph(stamp(model, rng))
    makers = {m for group in graph.groups if not group.frozen for m in group.makers}
    assert makers == set(free.split())
    assert_removing_is_zeroing(model, rng)
    assert np.isfinite(model(rng.normal(size=(2, 4, 6, 3)))).all()
