"""A small network whose costs are written down by hand, for tests of the budgets."""

import functools

import keras
from keras import layers

from ns_tf.base import Architecture
from ns_tf.networks.structure import Structure, analyse

IMAGE, CLASSES = (8, 9, 3), 5


def build(widths, *, input_shape, classes) -> keras.Model:
    """image - a[w0] - BN - depthwise - ReLU - b[w1], strides 2 - BN - mean - logits."""
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(widths[0], 3, padding="same", name="a")(image)
    x = layers.BatchNormalization(name="a_bn")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(
        widths[1], 3, strides=2, padding="same", use_bias=False, name="b"
    )(x)
    x = layers.BatchNormalization(name="b_bn")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="counted")


@functools.cache
def structure() -> Structure:
    """The structure of that network, of default widths 7 and 11."""
    return analyse(Architecture("counted", (7, 11), build), IMAGE, CLASSES)


def parameters(w0: int, w1: int) -> int:
    """Trainable parameters: a, its norm, depthwise, b, its norm, logits."""
    return (27 + 1) * w0 + 2 * w0 + (9 + 1) * w0 + 9 * w0 * w1 + 2 * w1 + 5 * w1 + 5


def statistics(w0: int, w1: int) -> int:
    """Moving means and variances, which are not trained."""
    return 2 * w0 + 2 * w1


def multiply_adds(w0: int, w1: int) -> int:
    """Of one image: a and depthwise at 8 x 9 pixels, b at 4 x 5, logits."""
    return 72 * 27 * w0 + 72 * 9 * w0 + 20 * 9 * w0 * w1 + 5 * w1
