"""The registered networks: built as shapes, counted without building."""

import keras
import pytest

from ns_tf.networks import architectures
from ns_tf.networks.structure import shapes_only

RATIOS = (0.25, 0.5, 0.75, 1, 2)  # Multiples of the default widths in the paper.


_DEEP = 20  # Widths of a network that takes a test seconds.
LARGE = ("mobilenet_v2", "vgg16", "vgg19")  # A second; of layers that others have too.


def registered(but=(), slow=()) -> list:
    """The registered networks but some, as parameters; those that are deep are slow."""
    return [
        pytest.param(
            name,
            marks=pytest.mark.slow
            if len(architectures.get(name).widths) > _DEEP or name in slow
            else (),
        )
        for name in architectures.ARCHITECTURES.names()
        if name not in but
    ]


def shapes(text: str, widths=None, *, size=32, classes=10) -> keras.Model:
    """The network of that name, without values."""
    build = architectures.get(text).build
    return shapes_only(build, widths, input_shape=(size, size, 3), classes=classes)


def scaled(text: str, ratio: float) -> list[int]:
    return [int(width * ratio) for width in architectures.get(text).widths]


def conv_params(inputs: int, outputs: int, size: int, *, bias: bool) -> int:
    """Parameters of a size x size convolution."""
    return size * size * inputs * outputs + bias * outputs
