"""Images in memory or in files: read, decoded (once), resized, moved, mirrored."""

import math
import pathlib
import weakref
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import Split
from ns_tf.run.memory import check_memory
from ns_tf.run.paths import read_bytes

if TYPE_CHECKING:
    import tensorflow as tf

KEPT_BYTES = 2 * 2**30  # Of one split; TinyImageNet's training images take half of it.
# Split -> shape -> (images [n, h, w, c], which of them are decoded [n] bool).
_KEPT: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()


def read_images(
    split: Split, indices: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """The images at these indices.

    Files are decoded once and kept if the whole split takes at most `KEPT_BYTES`;
    otherwise they are decoded each time.

    Args:
        split: Images in memory or in files.
        indices: `[batch]`.
        shape: (height, width, channels) that files are resized to; images in memory
            have it already.

    Returns:
        `[batch, h, w, c]` of the type of the split; uint8 of files.

    Raises:
        InputError: if a file cannot be read; names it.
    """
    if not split.on_disk:
        return split.images[indices]
    if len(split) * np.prod(shape) > KEPT_BYTES:
        return np.stack([_read(split.images[i], shape) for i in indices])
    by_shape = _KEPT.setdefault(split, {})
    if shape not in by_shape:
        # np.empty takes no memory before images are written into it.
        empty = np.empty((len(split), *shape), np.uint8), np.zeros(len(split), bool)
        by_shape.setdefault(shape, empty)
    images, decoded = by_shape[shape]
    # Two threads may decode the same image: both write the same pixels.
    for i in indices[~decoded[indices]]:
        images[i] = _read(split.images[i], shape)
        decoded[i] = True
    return images[indices]


def _read(path: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The image `[h, w, 3]` in a file, resized."""
    return resize(decode(path), shape[:2])


def decode(path: str | pathlib.Path) -> np.ndarray:
    """The RGB image in a JPEG, PNG, BMP or GIF file.

    Gray images are repeated over the channels; transparency is dropped; of a GIF it is
    the first frame.

    Returns:
        `[h, w, 3]` uint8.

    Raises:
        InputError: if the file cannot be read or is no whole image; names it.
    """
    import tensorflow as tf

    try:
        data = read_bytes(path)
        # TensorFlow refuses to make 3 channels of BMP files that have 1 or 4.
        channels = 0 if data[:2] == b"BM" else 3
        with tf.device("/CPU:0"):
            if data[:2] == b"\xff\xd8":
                image = decode_jpeg(data, channels)
            else:
                image = tf.io.decode_image(data, channels, expand_animations=False)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"Expected an image in {path}, but it cannot be read; replace or delete "
            f"the file ({_reason(error)})."
        ) from error
    pixels = image.numpy()
    return pixels[..., :3] if pixels.shape[-1] >= 3 else pixels.repeat(3, axis=-1)


def decode_jpeg(data: "bytes | tf.Tensor", channels: int) -> "tf.Tensor":
    """The image in the bytes of a JPEG or PNG file.

    Args:
        data: Content of the file: bytes or a scalar string tensor.
        channels: 1 or 3; 0 for those of the file.

    Returns:
        uint8 `[h, w, channels]`.
    """
    import tensorflow as tf

    # The default method lowers red and blue by more than one level of 255 on average.
    return tf.io.decode_jpeg(data, channels, dct_method="INTEGER_ACCURATE")


def _reason(error: Exception) -> str:
    """What went wrong in one line, without the names of TensorFlow's nodes."""
    text = getattr(error, "strerror", None) or getattr(error, "message", str(error))
    return " ".join(text.split("{{")[-1].split("}}")[-1].split())[:120]


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images stretched to another size, by bilinear interpolation.

    Images that become smaller are smoothed first (antialiasing).

    Args:
        images: `[..., h, w, c]`, uint8 or float.
        size: (height, width) in pixels.

    Returns:
        `[..., height, width, c]` of the same type; uint8 is rounded.

    Raises:
        InputError: they do not fit into the memory.
    """
    import tensorflow as tf

    if images.shape[-3:-1] == tuple(size):
        return images
    height, width = size
    count = math.prod(images.shape[:-3]) * height * width * images.shape[-1]
    # TensorFlow makes float32 of them, and lays them out anew.
    check_memory(8 * count, f"{images.shape[-1]}-channel images of {height}x{width}")
    with tf.device("/CPU:0"):
        pixels = tf.image.resize(images, size, antialias=True).numpy()
    if images.dtype == np.uint8:
        pixels = np.clip(np.rint(pixels), 0, 255)
    return pixels.astype(images.dtype)


def crop_and_flip(
    images: "tf.Tensor", draws: "tf.Tensor", pad: int, fill: int = 0
) -> "tf.Tensor":
    """`ns_tf.data.augment.crop_and_flip` in TensorFlow, whatever Keras's backend is.

    Args:
        images: [batch, height, width, channels].
        draws: [batch, 4], as there.
        pad: Pixels of the border on each side.
        fill: Value of the border.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    rows = draws[:, 1, None] + tf.range(height)
    columns = tf.range(width)
    mirrored = draws[:, 3, None] == 1
    columns = draws[:, 2, None] + tf.where(mirrored, columns[::-1], columns)
    border = [[0, 0], [pad, pad], [pad, pad], [0, 0]]
    images = tf.pad(images, border, constant_values=fill)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
