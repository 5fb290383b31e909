"""Layers that the networks share, with the paper's settings."""

import keras

# The defaults of the authors' framework. With Keras's momentum of 0.99 the moving
# statistics would lag behind in the few steps between two prunings.
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5


def batch_norm(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Batch normalisation of x `[..., channels]`."""
    layer = keras.layers.BatchNormalization(
        momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name
    )
    return layer(x)


def conv(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    stride: int = 1,
    padding: str = "same",
    bias: bool,
    name: str,
) -> keras.KerasTensor:
    """size x size convolution; if padded, only the stride changes the image's size.

    Args:
        x: [batch, height, width, channels].
        filters: Channels of the output: a width.
        size: Of the kernel, in pixels.
        stride: Pixels between two positions of the kernel.
        padding: "same", or "valid" for the pixels whose neighbours are all there.
        bias: Whether a bias is added.
        name: Of the layer.

    Returns:
        [batch, ceil(height / stride), ceil(width / stride), filters], if padded.
    """
    layer = keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding=padding,
        use_bias=bias,
        kernel_initializer=_uniform_fan_in(),
        name=name,
    )
    return layer(x)


def conv_bn(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    stride: int = 1,
    bias: bool,
    name: str,
) -> keras.KerasTensor:
    """`conv`, then `batch_norm` of the name `NAME_bn`."""
    x = conv(x, filters, size, stride=stride, bias=bias, name=name)
    return batch_norm(x, name=f"{name}_bn")


def depthwise(
    x: keras.KerasTensor, size: int, *, stride: int = 1, name: str
) -> keras.KerasTensor:
    """size x size convolution of every channel by itself, with bias.

    Args:
        x: [batch, height, width, channels].
        size: Of the kernel, in pixels.
        stride: Pixels between two positions of the kernel.
        name: Of the layer.

    Returns:
        [batch, ceil(height / stride), ceil(width / stride), channels].
    """
    # The fan-in is size * size: an output sees one channel. Keras would count them all.
    bound = 1 / size
    layer = keras.layers.DepthwiseConv2D(
        size,
        strides=stride,
        padding="same",
        depthwise_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
    )
    return layer(x)


def dense(
    x: keras.KerasTensor, units: int, *, hidden: bool = False, name: str
) -> keras.KerasTensor:
    """Fully connected layer with bias.

    Args:
        x: [batch, features].
        units: Features of the output; of a hidden layer a width.
        hidden: Whether other layers follow. One that makes logits computes in full
            precision whatever the policy: the loss needs their digits.
        name: Of the layer.

    Returns:
        [batch, units].
    """
    layer = keras.layers.Dense(
        units,
        kernel_initializer=_uniform_fan_in(),
        dtype=None if hidden else keras.config.floatx(),
        name=name,
    )
    return layer(x)


def _uniform_fan_in() -> keras.initializers.Initializer:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as the paper's networks start.

    Keras draws from U(-sqrt(3 s / fan_in), sqrt(3 s / fan_in)); here the scale s = 1/3.
    """
    return keras.initializers.VarianceScaling(
        1 / 3, mode="fan_in", distribution="uniform"
    )
