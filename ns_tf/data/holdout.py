"""Splits that a source lacks, held out of its training images; pixel statistics."""

import concurrent.futures
import os

import numpy as np

from ns_tf.base import InputError
from ns_tf.data import images as data_images
from ns_tf.data.dataset import Split

SAMPLE = 10_000  # Images that the mean and the deviation of the pixels are taken from.
# Keeps what is held out apart from the draws of every epoch, which have [seed, epoch].
_HOLD_OUT = (0x5EED, 0xDA7A)


def check_fraction(fraction: float) -> None:
    """Passes numbers between 0 and 1.

    Raises:
        InputError: for anything else.
    """
    number = isinstance(fraction, (int, float, np.number))
    if not number or not 0 < fraction < 1:
        raise InputError(
            "--validation_fraction is a number between 0 and 1, without them; got "
            f"{fraction!r}."
        )


def complete(
    train: Split,
    validation: Split | None,
    test: Split | None,
    *,
    fraction: float,
    seed: int,
) -> tuple[Split, Split, Split]:
    """(train, validation, test): what is None is held out of the training images.

    Raises:
        InputError: if no image would be left to train on.
    """
    missing = (validation is None) + (test is None)
    size = len(train)
    count = max(1, round(fraction * size))
    if missing * count >= size:
        raise InputError(
            f"Holding out {missing} x {count} of {size} images leaves none to train "
            "on; give a smaller validation fraction or more images."
        )
    order = np.random.default_rng([seed, *_HOLD_OUT]).permutation(size)
    if validation is None:
        chosen, order = order[:count], order[count:]
        validation = take(train, chosen)
    if test is None:
        chosen, order = order[:count], order[count:]
        test = take(train, chosen)
    return (take(train, order) if missing else train), validation, test


def take(split: Split, indices: np.ndarray) -> Split:
    """The examples at these indices, in the order of the split."""
    indices = np.sort(indices)
    return Split(split.images[indices], split.labels[indices])


def pixel_statistics(
    split: Split, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `[c]` of the pixels, scaled to 0..1.

    Of at most `SAMPLE` images, evenly spread over the split. A channel that is constant
    has deviation 1.
    """

    def moments(indices):
        pixels = data_images.read_images(split, indices, shape)
        pixels = pixels.astype(float) / (255 if pixels.dtype == np.uint8 else 1)
        return pixels.mean(axis=(0, 1, 2)), np.square(pixels).mean(axis=(0, 1, 2))

    chosen = spread(len(split), SAMPLE)
    chunks = np.array_split(chosen, -(-len(chosen) // 32))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = np.array(list(pool.map(moments, chunks)))  # [chunks, 2, c]
    weights = [len(chunk) for chunk in chunks]
    mean, square = np.average(parts, axis=0, weights=weights)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    # A constant channel has nothing to tell; dividing by its rounding errors would.
    std = np.where(std > 1e-6, std, 1.0)
    return mean.astype(np.float32), std.astype(np.float32)


def spread(size: int, count: int) -> np.ndarray:
    """At most `count` indices, evenly over 0..size-1."""
    return np.unique(np.linspace(0, size - 1, min(size, count)).astype(int))


def check_memory(what: str, images: int, shape: tuple[int, ...], remedy: str) -> None:
    """Passes images [h, w, c] of one byte a value that fit into memory.

    Raises:
        InputError: if they are more than the machine has.
    """
    needed = images * int(np.prod(shape, dtype=np.int64))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InputError(
            f"{what} has to fit into memory ({memory / 1e9:.0f} GB) but has at least "
            f"{needed / 1e9:.0f} GB; {remedy}."
        )
