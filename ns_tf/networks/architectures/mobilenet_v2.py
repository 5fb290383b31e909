"""MobileNetV2 for small images: a shortcut in every bottleneck."""

import keras

from ns_tf.networks import blocks
from ns_tf.networks.architectures import (
    IDENTITY,
    architecture,
    check_shortcuts,
    check_stride,
)

STAGES = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))
LATE = 4  # The stage whose stride depends on the image size.
DEFAULT = (
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
def mobilenet_v2(widths, *, input_shape, classes, late_stride=1, shortcuts=IDENTITY):
    """3x3 conv, 17 bottlenecks, 1x1 conv, average, 1x1 conv to the classes.

    `widths` are the stem's, the bottlenecks' outputs and the last convolution's; an
    expansion is 6 (in the first bottleneck 1) times its input. `late_stride` is the
    fifth stage's stride: 1 for CIFAR, 2 for TinyImageNet. `shortcuts="convolution"`
    puts a convolution where an identity would do (the paper's ConvCut).
    """
    check_stride("late_stride", late_stride)
    check_shortcuts(shortcuts)
    x = image = keras.Input(input_shape, name="image")
    x = _conv_bn(x, widths[0], 3, name="stem")
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
    x = _conv_bn(x, widths[-1], 1, name="last")
    x = keras.layers.ReLU(6.0, name="last_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="average")(x)
    x = blocks.conv(x, classes, 1, bias=True, name="classifier")
    # In full precision whatever the policy: the loss needs the digits of the logits.
    x = keras.layers.Flatten(dtype=keras.config.floatx(), name="logits")(x)
    return keras.Model(image, x, name="mobilenet_v2")


def _bottleneck(
    x, width: int, expansion: int, *, stride: int, shortcuts: str, name: str
):
    """Expand, filter each channel, project to `width`, add a shortcut; no ReLU after.

    The shortcut is x itself, or a 1x1 convolution with batch norm where the bottleneck
    changes the image's size or the width.
    """
    shortcut = x
    if stride != 1 or x.shape[-1] != width or shortcuts != IDENTITY:
        shortcut = _conv_bn(x, width, 1, stride=stride, name=f"{name}_shortcut")
    y = _conv_bn(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    y = keras.layers.ReLU(6.0, name=f"{name}_expand_relu")(y)
    y = blocks.depthwise(y, 3, stride=stride, name=f"{name}_depthwise")
    y = blocks.batch_norm(y, name=f"{name}_depthwise_bn")
    y = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(y)
    y = _conv_bn(y, width, 1, name=f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([y, shortcut])


def _conv_bn(x, filters: int, size: int, *, stride: int = 1, name: str):
    x = blocks.conv(x, filters, size, stride=stride, bias=True, name=name)
    return blocks.batch_norm(x, name=f"{name}_bn")
