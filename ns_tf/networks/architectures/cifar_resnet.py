"""ResNet56 and ResNet110 for CIFAR, with a width of its own for every convolution."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import IDENTITY, architecture, check_shortcuts

STAGES = (16, 32, 64)  # Default width of each.


def _default(blocks_a_stage: int) -> tuple[int, ...]:
    """[1 + 6 blocks] the stem's width, then two a block.

    >>> _default(1)
    (16, 16, 16, 32, 32, 64, 64)
    """
    inner = [width for width in STAGES for _ in range(2 * blocks_a_stage)]
    return STAGES[0], *inner


@architecture("resnet56", widths=_default(9))
def resnet56(
    widths: Sequence[int],
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    shortcuts: str = IDENTITY,
) -> keras.Model:
    """3x3 conv, BN, ReLU, 3 stages of 9 blocks, average, Dense.

    After He et al. (2016), "Deep residual learning for image recognition", section 4.2.
    Departure: where a block changes the image's size or the width, its shortcut is a
    1x1 convolution with batch norm (their option B), no padding with zeros (option A).
    So of the default widths there are 855,770 parameters, not 853,018.

    Args:
        widths: [55] the stem's, then two a block.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
        shortcuts: "identity"; or "convolution" for a convolution in every shortcut,
            where an identity would do too.
    """
    return _resnet("resnet56", widths, input_shape, classes, shortcuts)


@architecture("resnet110", widths=_default(18))
def resnet110(
    widths: Sequence[int],
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    shortcuts: str = IDENTITY,
) -> keras.Model:
    """3x3 conv, BN, ReLU, 3 stages of 18 blocks, average, Dense.

    As `resnet56`, twice as deep: 1,730,714 parameters of the default widths, with
    option A 1,727,962.

    Args:
        widths: [109] the stem's, then two a block.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
        shortcuts: As of `resnet56`.
    """
    return _resnet("resnet110", widths, input_shape, classes, shortcuts)


def _resnet(
    name: str,
    widths: Sequence[int],
    input_shape: tuple[int, int, int],
    classes: int,
    shortcuts: str,
) -> keras.Model:
    """The network of as many blocks as there are widths for.

    Args:
        name: Of the model.
        widths: [1 + 6 blocks a stage] the stem's, then two a block.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
        shortcuts: "identity" or "convolution".
    """
    check_shortcuts(shortcuts)
    image = keras.Input(input_shape, name="image")
    x = blocks.conv_bn(image, widths[0], 3, bias=False, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    inner, outer = widths[1::2], widths[2::2]
    count = len(inner) // len(STAGES)
    for i in range(len(inner)):
        stage, block = divmod(i, count)
        x = _block(
            x,
            inner[i],
            outer[i],
            stride=2 if stage and not block else 1,
            shortcuts=shortcuts,
            name=f"stage{stage + 1}_block{block + 1}",
        )
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, blocks.dense(x, classes, name="logits"), name=name)


def _block(
    x: keras.KerasTensor,
    inner: int,
    outer: int,
    *,
    stride: int,
    shortcuts: str,
    name: str,
) -> keras.KerasTensor:
    """[3x3 conv, BN] twice, a ReLU between, added to a shortcut; ReLU.

    Args:
        x: [batch, height, width, channels].
        inner: Filters of the first convolution.
        outer: Filters of the second one and of the shortcut.
        stride: Of the first convolution and of the shortcut.
        shortcuts: As of `resnet56`.
        name: Prefix of the layers' names.
    """
    shortcut = x
    if stride != 1 or x.shape[-1] != outer or shortcuts != IDENTITY:
        shortcut = blocks.conv_bn(
            x, outer, 1, stride=stride, bias=False, name=f"{name}_shortcut"
        )
    y = blocks.conv_bn(x, inner, 3, stride=stride, bias=False, name=f"{name}_conv1")
    y = keras.layers.ReLU(name=f"{name}_relu1")(y)
    y = blocks.conv_bn(y, outer, 3, bias=False, name=f"{name}_conv2")
    y = keras.layers.Add(name=f"{name}_add")([y, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu2")(y)
