"""Layers that the networks share, with the paper's settings."""

import keras

# As in the authors' framework. Keras's defaults (0.99, 1e-3) measure a network badly in
# the few steps between two prunings.
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5


def batch_norm(x, *, name: str):
    """Batch normalisation of x."""
    layer = keras.layers.BatchNormalization(
        momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name
    )
    return layer(x)


def conv(x, filters: int, size: int, *, stride: int = 1, bias: bool, name: str):
    """size x size convolution of x; the image keeps its size but for the stride."""
    layer = keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=bias,
        kernel_initializer=_uniform_fan_in(),
        name=name,
    )
    return layer(x)


def depthwise(x, size: int, *, stride: int = 1, name: str):
    """size x size depthwise convolution of x with bias."""
    # Keras counts a depthwise kernel's fan-in over all channels; each output sees one.
    bound = 1 / size
    layer = keras.layers.DepthwiseConv2D(
        size,
        strides=stride,
        padding="same",
        depthwise_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
    )
    return layer(x)


def dense(x, units: int, *, name: str):
    """Fully connected layer of x with bias, in full precision whatever the policy."""
    layer = keras.layers.Dense(
        units,
        kernel_initializer=_uniform_fan_in(),
        dtype=keras.config.floatx(),
        name=name,
    )
    return layer(x)


def _uniform_fan_in():
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): the start that the paper's networks had."""
    return keras.initializers.VarianceScaling(
        1 / 3, mode="fan_in", distribution="uniform"
    )
