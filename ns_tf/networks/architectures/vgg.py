"""VGG networks for small images: 3x3 convolutions with batch norm, and pools."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import architecture

# [layers]: whether a pool follows the convolution.
POOLS_11 = (1, 1, 0, 1, 0, 1, 0, 1)
POOLS_16 = (0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1)
# Where 16 convolutions have their last pool stands the average over the whole map.
POOLS_19 = (0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0)


@architecture("vgg11", widths=(64, 128, 256, 256, 512, 512, 512, 512))
def vgg11(
    widths: Sequence[int], *, input_shape: tuple[int, int, int], classes: int
) -> keras.Model:
    """8 x [3x3 conv with bias, BN, ReLU], five 2x2 max-pools, Dense.

    Images of 32 x 32 end in a 1 x 1 map; larger maps are averaged, so the parameters
    are the same at every image size. After configuration A of Simonyan and Zisserman
    (2015), with batch norm and one dense layer in place of three.

    Args:
        widths: [8] filters of the convolutions.
        input_shape: (height, width, channels), of 32 x 32 pixels or more.
        classes: Number of logits.
    """
    image = keras.Input(input_shape, name="image")
    x = _convolutions(image, widths, POOLS_11, bias=True)
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name="vgg11")


@architecture("vgg16", widths=(*(64,) * 2, *(128,) * 2, *(256,) * 3, *(512,) * 6, 512))
def vgg16(
    widths: Sequence[int], *, input_shape: tuple[int, int, int], classes: int
) -> keras.Model:
    """13 x [3x3 conv with bias, BN, ReLU], five max-pools, Dense, BN, ReLU, Dense.

    After configuration D of Simonyan and Zisserman (2015), with batch norm and one
    hidden dense layer of 512: the "VGG-like" network that papers on pruning train on
    CIFAR-10, of 15.0 M parameters. It has no dropout.

    Args:
        widths: [14] filters of the convolutions, then units of the dense layer.
        input_shape: (height, width, channels), of 32 x 32 pixels or more.
        classes: Number of logits.
    """
    image = keras.Input(input_shape, name="image")
    x = _convolutions(image, widths[:-1], POOLS_16, bias=True)
    x = blocks.dense(x, widths[-1], hidden=True, name="dense")
    x = blocks.batch_norm(x, name="dense_bn")
    x = keras.layers.ReLU(name="dense_relu")(x)
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name="vgg16")


@architecture("vgg19", widths=(*(64,) * 2, *(128,) * 2, *(256,) * 4, *(512,) * 8))
def vgg19(
    widths: Sequence[int], *, input_shape: tuple[int, int, int], classes: int
) -> keras.Model:
    """16 x [3x3 conv, BN, ReLU], four max-pools, average, Dense.

    After configuration E of Simonyan and Zisserman (2015), as Liu et al. (2017, Network
    Slimming) train it on CIFAR: no biases in front of batch norms, an average in place
    of the last pool, one dense layer; 20.04 M parameters.

    Args:
        widths: [16] filters of the convolutions.
        input_shape: (height, width, channels), of 16 x 16 pixels or more.
        classes: Number of logits.
    """
    image = keras.Input(input_shape, name="image")
    x = _convolutions(image, widths, POOLS_19, bias=False)
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name="vgg19")


def _convolutions(
    x: keras.KerasTensor, widths: Sequence[int], pools: Sequence[int], *, bias: bool
) -> keras.KerasTensor:
    """[3x3 conv, BN, ReLU] for every width, 2x2 max-pools between, then the average.

    Args:
        x: [batch, height, width, channels].
        widths: [layers] filters.
        pools: [layers] whether a pool follows.
        bias: Whether the convolutions have one.

    Returns:
        [batch, filters of the last one].
    """
    for i, (width, pool) in enumerate(zip(widths, pools, strict=True), 1):
        x = blocks.conv(x, width, 3, bias=bias, name=f"conv{i}")
        x = blocks.batch_norm(x, name=f"bn{i}")
        x = keras.layers.ReLU(name=f"relu{i}")(x)
        if pool:
            x = keras.layers.MaxPooling2D(name=f"pool{i}")(x)
    return keras.layers.GlobalAveragePooling2D(name="average")(x)
