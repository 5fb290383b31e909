"""Crops, flips and normalisation of a batch, on whatever backend Keras computes with.

For programs that train with Keras on another backend, such as JAX. `ns_tf.data.batches`
has the same formulas as TensorFlow operations: `keras.ops` in a tf.data graph work only
while Keras computes with TensorFlow. On TensorFlow both give the same bits.

Nothing is random here: `ns_tf.data.batches.epoch_draws` draws for an epoch at once.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import keras
    import numpy as np


class PixelFacts(Protocol):
    """What `normalise` reads; a `ns_tf.data.dataset.Dataset` has it."""

    @property
    def mean(self) -> "np.ndarray":
        """Of the pixels on the scale 0..1, by channel [c]."""

    @property
    def std(self) -> "np.ndarray":
        """Standard deviation on the same scale, by channel [c]."""

    @property
    def as_given(self) -> bool:
        """Whether the network scales pixels itself."""


def crop_and_flip(
    images: "keras.KerasTensor", draws: "keras.KerasTensor", pad: int
) -> "keras.KerasTensor":
    """Every image moved within a black border, then mirrored left to right or not.

    Pixel (i, j) of the result is pixel (down + i, right + j) of the image with `pad`
    black pixels on each side, or (down + i, right + w - 1 - j) where it is mirrored.

    Args:
        images: `[batch, h, w, c]`, of any type.
        draws: int32 `[batch, 4]`, rows of `ns_tf.data.batches.epoch_draws`: index of
            the example (not read), down, right, 1 if mirrored. Down and right are from
            0 to 2 * pad.
        pad: Pixels of the border on each side.

    Returns:
        `[batch, h, w, c]` of the same type.
    """
    from keras import ops

    height, width, channels = images.shape[1:]
    tall, wide = height + 2 * pad, width + 2 * pad
    padded = ops.pad(images, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
    rows = draws[:, 1, None] + ops.arange(height, dtype="int32")  # [batch, h]
    columns = ops.arange(width, dtype="int32")
    mirrored = draws[:, 3, None] == 1
    columns = draws[:, 2, None] + ops.where(mirrored, ops.flip(columns), columns)
    first = ops.arange(ops.shape(images)[0], dtype="int32") * (tall * wide)
    # All pixels of the batch in one row, so that one gather does on every backend.
    places = first[:, None, None] + rows[:, :, None] * wide + columns[:, None, :]
    return ops.take(ops.reshape(padded, (-1, channels)), places, axis=0)


def normalise(images: "keras.KerasTensor", facts: PixelFacts) -> "keras.KerasTensor":
    """Pixels as the network takes them: (pixel - mean) / std by channel.

    Args:
        images: `[batch, h, w, c]`: uint8, which is divided by 255, or float.
        facts: The data set, or whatever has its `mean`, `std` and `as_given`.

    Returns:
        float32 `[batch, h, w, c]`; where `facts.as_given`, the pixels as they are.
    """
    import keras
    from keras import ops

    pixels = ops.cast(images, "float32")
    if facts.as_given:
        return pixels
    whole = keras.backend.standardize_dtype(images.dtype) == "uint8"
    return (pixels / (255.0 if whole else 1.0) - facts.mean) / facts.std
