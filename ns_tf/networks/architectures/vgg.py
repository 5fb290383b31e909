"""VGG11 as the paper has it: eight convolutions and one dense layer."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import architecture

POOL_AFTER = (1, 1, 0, 1, 0, 1, 0, 1)  # [layers]: whether a pool follows.


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
    x = image = keras.Input(input_shape, name="image")
    for i, (width, pool) in enumerate(zip(widths, POOL_AFTER, strict=True), 1):
        x = blocks.conv(x, width, 3, bias=True, name=f"conv{i}")
        x = blocks.batch_norm(x, name=f"bn{i}")
        x = keras.layers.ReLU(name=f"relu{i}")(x)
        if pool:
            x = keras.layers.MaxPooling2D(name=f"pool{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name="vgg11")
