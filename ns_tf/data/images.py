"""Images in memory or in files: read, decoded, resized, kept where memory allows."""

import pathlib
import weakref

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import Split

KEPT_BYTES = 2 * 2**30  # Of one split: TinyImageNet's training images are half of it.
# Split -> shape -> (images [n, h, w, c], [n] bool: which are decoded already).
_KEPT: "weakref.WeakKeyDictionary" = weakref.WeakKeyDictionary()


def read_images(
    split: Split, indices: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """The images at these indices, `[len(indices), h, w, c]`.

    Files are decoded once and kept, where the whole split takes at most `KEPT_BYTES`.

    Raises:
        InputError: if a file cannot be read; names it.
    """
    if not split.on_disk:
        return split.images[indices]
    if len(split) * np.prod(shape) > KEPT_BYTES:
        return np.stack([_read(split.images[i], shape) for i in indices])
    kept = _KEPT.setdefault(split, {})
    if shape not in kept:
        # Memory is taken by what is written, not by what is asked for.
        empty = np.empty((len(split), *shape), np.uint8), np.zeros(len(split), bool)
        kept.setdefault(shape, empty)
    images, decoded = kept[shape]
    # Threads may decode an image twice, to the same pixels.
    for i in indices[~decoded[indices]]:
        images[i] = _read(split.images[i], shape)
        decoded[i] = True
    return images[indices]


def _read(path: str, shape: tuple[int, int, int]) -> np.ndarray:
    return resize(decode(path), shape[:2])


def decode(path: str | pathlib.Path) -> np.ndarray:
    """The RGB image in a JPEG, PNG, BMP or GIF file (its first frame), uint8.

    Gray images are repeated over the channels, transparency is dropped.

    Raises:
        InputError: if the file cannot be read or is no whole image; names it.
    """
    import tensorflow as tf

    try:
        data = pathlib.Path(path).read_bytes()
        # Asked for 3 channels, TF refuses BMP files that have 1 or 4.
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


def decode_jpeg(data, channels: int):
    """The image tensor [h, w, channels] uint8 in the bytes of a JPEG or PNG file."""
    import tensorflow as tf

    # TF's default method lowers red and blue by more than one level of 255, on average.
    return tf.io.decode_jpeg(data, channels, dct_method="INTEGER_ACCURATE")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "message", str(error))
    return " ".join(text.split("{{")[-1].split("}}")[-1].split())[:120]


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images [..., h, w, c] stretched to (height, width); the dtype stays.

    Bilinear, with antialiasing when made smaller.
    """
    import tensorflow as tf

    if images.shape[-3:-1] == tuple(size):
        return images
    with tf.device("/CPU:0"):
        pixels = tf.image.resize(images, size, antialias=True).numpy()
    if images.dtype == np.uint8:
        pixels = np.clip(np.rint(pixels), 0, 255)
    return pixels.astype(images.dtype)
