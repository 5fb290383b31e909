"""What tests of the channel graph share: small networks, and groups by their layers."""

import keras
import numpy as np

layers = keras.layers


def groups(graph) -> dict[str, tuple[str, ...]]:
    """Makers by group, of the groups that can lose channels."""
    return {group.name: group.makers for group in graph.groups if group.frozen is None}


def channels_of(graph, name: str) -> np.ndarray:
    """The channels of the group that layer `name` makes."""
    (group,) = (group for group in graph.groups if name in group.makers)
    return group.channels


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
