"""LeNet-5 and LeNet-300-100, the small networks of papers on pruning."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import architecture


@architecture("lenet5", widths=(20, 50, 500))
def lenet5(
    widths: Sequence[int], *, input_shape: tuple[int, int, int], classes: int
) -> keras.Model:
    """[5x5 conv, 2x2 max-pool] twice, Dense, ReLU, Dense.

    As Caffe has it, which papers on pruning call LeNet-5: two convolutions without
    padding and without ReLU; 431,080 parameters for images of 28 x 28 x 1.

    Args:
        widths: [3] filters of the convolutions, units of the dense layer.
        input_shape: (height, width, channels), of 16 x 16 pixels or more.
        classes: Number of logits.
    """
    x = image = keras.Input(input_shape, name="image")
    for i, width in enumerate(widths[:2], 1):
        x = blocks.conv(x, width, 5, padding="valid", bias=True, name=f"conv{i}")
        x = keras.layers.MaxPooling2D(name=f"pool{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = _hidden(x, widths[2], name="dense1")
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name="lenet5")


@architecture("lenet300_100", widths=(300, 100))
def lenet300_100(
    widths: Sequence[int], *, input_shape: tuple[int, int, int], classes: int
) -> keras.Model:
    """[Dense, ReLU] twice, Dense: 266,610 parameters for images of 28 x 28 x 1.

    After LeCun et al. (1998), with ReLU as papers on pruning have it.

    Args:
        widths: [2] units of the hidden layers.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
    """
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    for i, width in enumerate(widths, 1):
        x = _hidden(x, width, name=f"dense{i}")
    logits = blocks.dense(x, classes, name="logits")
    return keras.Model(image, logits, name="lenet300_100")


def _hidden(x: keras.KerasTensor, units: int, *, name: str) -> keras.KerasTensor:
    """Dense and ReLU."""
    x = blocks.dense(x, units, hidden=True, name=name)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
