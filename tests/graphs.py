"""What tests of the channel graph share: small networks, and groups by their layers."""

import keras
import numpy as np

from ns_tf.graph.walk import channel_graph

layers = keras.layers


def groups(graph) -> dict[str, tuple[str, ...]]:
    """Makers by group, of the groups that can lose channels."""
    return {group.name: group.makers for group in graph.groups if group.frozen is None}


def channels_of(graph, name: str) -> np.ndarray:
    """The channels of the group that layer `name` makes."""
    (group,) = (group for group in graph.groups if name in group.makers)
    return group.channels


@keras.saving.register_keras_serializable("ns_tf_tests")
class Silent(layers.Layer):
    """Does not tell Keras the lengths of what it puts out."""

    def call(self, x):
        return 2 * x

    def compute_output_shape(self, shape):
        return (None,) * (len(shape) - 1) + shape[-1:]


def two_branches():
    """
    image[3] -+- a[13] -+- concat -+- dense[7] - logits[2]
              +- b[23] -+          +- conv[5] - average - dense ...
    """
    image = keras.Input((6, 7, 3), name="image")
    a = layers.Conv2D(13, 3, name="a")(image)
    b = layers.Conv2D(23, 3, name="b")(image)
    x = layers.Concatenate(name="concat")([a, b])
    y = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    x = layers.Concatenate(name="again")([y, x])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(2, name="logits")(x))


def residual_twice():
    """A first block with a projection, a second with an identity, as ResNet v1."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 3, padding="same", name="stem")(image)
    y = layers.Conv2D(11, 3, padding="same", activation="relu", name="one_a")(x)
    y = layers.Conv2D(13, 3, padding="same", name="one_b")(y)
    x = layers.Add(name="one_add")([y, layers.Conv2D(13, 1, name="one_project")(x)])
    x = layers.ReLU(name="one_relu")(x)
    y = layers.Conv2D(17, 3, padding="same", activation="relu", name="two_a")(x)
    y = layers.Conv2D(13, 3, padding="same", name="two_b")(y)
    x = layers.Add(name="two_add")([x, y])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def headed(head, dtype="float32"):
    """A network of free widths 7 and 11 that begins with this."""
    x = image = keras.Input((8, 8, 3), dtype=dtype)
    for layer in head:
        x = layer(x)
    for name, width in (("a", 7), ("b", 11)):
        x = layers.Conv2D(width, 3, padding="same", name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5)(x))


def around(layer, *, shape=(6, 7, 3), flat=False) -> keras.Model:
    """image - a[11] - layer - b[5] - (average) - logits[2]."""
    image = keras.Input(shape, name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layer(x)
    if flat or len(x.shape) == 2:
        x = layers.Dense(5, name="b")(x)
    else:
        x = layers.Conv2D(5, 1, name="b")(x)
        x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(2, name="logits")(x))


def found(layer, **options):
    """(kind of the layer's call, why a is frozen, graph)."""
    graph = channel_graph(around(layer, **options))
    (call,) = (call for call in graph.calls if call.name == layer.name)
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["logits"] == "it is the model's output"
    return call.kind, reasons["a"], graph
