"""Pre-activation ResNet18 with a width of its own for every convolution."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import (
    IDENTITY,
    architecture,
    check_shortcuts,
    check_stride,
)

STAGES = 4
BLOCKS = 2  # In a stage.


@architecture(
    "preact_resnet18", widths=(64,) * 5 + (128,) * 4 + (256,) * 4 + (512,) * 4
)
def preact_resnet18(
    widths: Sequence[int],
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    first_stride: int = 1,
    shortcuts: str = IDENTITY,
) -> keras.Model:
    """3x3 conv, 4 stages of 2 blocks, BN, ReLU, average, Dense.

    After He et al. (2016), "Identity mappings in deep residual networks".

    Args:
        widths: [17] the stem's, then two a block.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
        first_stride: The first stage's stride: 1 for CIFAR, 2 for TinyImageNet.
        shortcuts: "identity"; or "convolution" for a convolution in every shortcut,
            where an identity would do too (the paper's ConvCut).
    """
    check_stride("first_stride", first_stride)
    check_shortcuts(shortcuts)
    x = image = keras.Input(input_shape, name="image")
    x = blocks.conv(x, widths[0], 3, bias=False, name="stem")
    inner, outer = widths[1::2], widths[2::2]
    for i in range(STAGES * BLOCKS):
        stage, block = divmod(i, BLOCKS)
        stride = (first_stride if stage == 0 else 2) if block == 0 else 1
        name = f"stage{stage + 1}_block{block + 1}"
        x = _block(x, inner[i], outer[i], stride=stride, shortcuts=shortcuts, name=name)
    x = blocks.batch_norm(x, name="bn")
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(
        image, blocks.dense(x, classes, name="logits"), name="preact_resnet18"
    )


def _block(
    x: keras.KerasTensor,
    inner: int,
    outer: int,
    *,
    stride: int,
    shortcuts: str,
    name: str,
) -> keras.KerasTensor:
    """[BN, ReLU, 3x3 conv] twice, added to a shortcut.

    The shortcut is x itself, or a 1x1 convolution of the pre-activated x where the
    block changes the image's size or the width.

    Args:
        x: [batch, height, width, channels].
        inner: Filters of the first convolution.
        outer: Filters of the second one and of the shortcut.
        stride: Of the first convolution and of the shortcut.
        shortcuts: As of `preact_resnet18`.
        name: Prefix of the layers' names.
    """
    y = blocks.batch_norm(x, name=f"{name}_bn1")
    y = keras.layers.ReLU(name=f"{name}_relu1")(y)
    shortcut = x
    if stride != 1 or x.shape[-1] != outer or shortcuts != IDENTITY:
        shortcut = blocks.conv(
            y, outer, 1, stride=stride, bias=False, name=f"{name}_shortcut"
        )
    y = blocks.conv(y, inner, 3, stride=stride, bias=False, name=f"{name}_conv1")
    y = blocks.batch_norm(y, name=f"{name}_bn2")
    y = keras.layers.ReLU(name=f"{name}_relu2")(y)
    y = blocks.conv(y, outer, 3, bias=False, name=f"{name}_conv2")
    return keras.layers.Add(name=f"{name}_add")([y, shortcut])
