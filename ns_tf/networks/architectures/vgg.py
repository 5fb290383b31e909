"""VGG11 as the paper has it: eight convolutions and one dense layer."""

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import architecture

POOL_AFTER = (1, 1, 0, 1, 0, 1, 0, 1)


@architecture("vgg11", widths=(64, 128, 256, 256, 512, 512, 512, 512))
def vgg11(widths, *, input_shape, classes):
    """8 x [3x3 conv with bias, BN, ReLU], five 2x2 max-pools, Dense.

    Images of 32 x 32 end in a 1 x 1 map; larger maps are averaged, so the parameters
    are the same at every image size.
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
