"""MobileNetV2 for small images: a shortcut in every bottleneck."""

from collections.abc import Sequence

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import (
    IDENTITY,
    architecture,
    check_shortcuts,
    check_stride,
)

# Of every stage: expansion factor, number of bottlenecks, stride of the first one.
STAGES = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))
LATE = 4  # Place of the stage whose stride depends on the image size.
DEFAULT = (  # [19] the stem, the bottlenecks stage by stage, the last convolution.
    32,
    16,
    *(24,) * 2,
    *(32,) * 3,
    *(64,) * 4,
    *(96,) * 3,
    *(160,) * 3,
    320,
    1280,
)


@architecture("mobilenet_v2", widths=DEFAULT)
def mobilenet_v2(
    widths: Sequence[int],
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    late_stride: int = 1,
    shortcuts: str = IDENTITY,
) -> keras.Model:
    """3x3 conv, 17 bottlenecks, 1x1 conv, average, 1x1 conv to the classes.

    After Sandler et al. (2018), with a shortcut in every bottleneck. An expansion has
    6 times (in the first bottleneck 1 times) the channels that enter the bottleneck.

    Args:
        widths: [19] the stem's, the bottlenecks' outputs, the last convolution's.
        input_shape: (height, width, channels) of an image.
        classes: Number of logits.
        late_stride: The fifth stage's stride: 1 for CIFAR, 2 for TinyImageNet.
        shortcuts: "identity"; or "convolution" for a convolution in every shortcut,
            where an identity would do too (the paper's ConvCut).
    """
    check_stride("late_stride", late_stride)
    check_shortcuts(shortcuts)
    x = image = keras.Input(input_shape, name="image")
    x = blocks.conv_bn(x, widths[0], 3, bias=True, name="stem")
    x = keras.layers.ReLU(6.0, name="stem_relu")(x)
    outputs = iter(widths[1:-1])
    for stage, (expansion, count, stride) in enumerate(STAGES):
        first = late_stride if stage == LATE else stride
        for block in range(count):
            x = _bottleneck(
                x,
                next(outputs),
                expansion,
                stride=first if block == 0 else 1,
                shortcuts=shortcuts,
                name=f"stage{stage + 1}_block{block + 1}",
            )
    x = blocks.conv_bn(x, widths[-1], 1, bias=True, name="last")
    x = keras.layers.ReLU(6.0, name="last_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="average")(x)
    x = blocks.conv(x, classes, 1, bias=True, name="classifier")
    # In full precision whatever the policy: the loss needs the digits of the logits.
    x = keras.layers.Flatten(dtype=keras.config.floatx(), name="logits")(x)
    return keras.Model(image, x, name="mobilenet_v2")


def _bottleneck(
    x: keras.KerasTensor,
    width: int,
    expansion: int,
    *,
    stride: int,
    shortcuts: str,
    name: str,
) -> keras.KerasTensor:
    """Expand, filter each channel, project to `width`, add a shortcut; no ReLU after.

    The shortcut is x itself, or a 1x1 convolution with batch norm where the bottleneck
    changes the image's size or the width.

    Args:
        x: [batch, height, width, channels].
        width: Channels of the output.
        expansion: Channels of the depthwise convolution for every channel of x.
        stride: Of the depthwise convolution and of the shortcut.
        shortcuts: As of `mobilenet_v2`.
        name: Prefix of the layers' names.
    """
    shortcut = x
    if stride != 1 or x.shape[-1] != width or shortcuts != IDENTITY:
        shortcut = blocks.conv_bn(
            x, width, 1, stride=stride, bias=True, name=f"{name}_shortcut"
        )
    y = blocks.conv_bn(x, expansion * x.shape[-1], 1, bias=True, name=f"{name}_expand")
    y = keras.layers.ReLU(6.0, name=f"{name}_expand_relu")(y)
    y = blocks.depthwise(y, 3, stride=stride, name=f"{name}_depthwise")
    y = blocks.batch_norm(y, name=f"{name}_depthwise_bn")
    y = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(y)
    y = blocks.conv_bn(y, width, 1, bias=True, name=f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([y, shortcut])
