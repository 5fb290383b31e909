"""What data sets share: held-out splits, pixel statistics, limits of memory.

What is held out depends on the seed and on the number of training images alone.
"""

import concurrent.futures
import dataclasses
import os

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset, Split
from ns_tf.data.images import read_images
from ns_tf.parts import each, first
from ns_tf.run.checks import check_whole

SAMPLE = 10_000  # Images of which mean and deviation of the pixels are computed.
# `epoch_draws` seeds its generator with [seed, epoch]: these digits keep the draw of
# the held-out images apart from those of the epochs.
_HOLD_OUT = (0x5EED, 0xDA7A)
_FEWER = (0x5EED, 0xFE3)  # And these, the draw of a subset.


def complete(
    train: Split,
    validation: Split | None,
    test: Split | None,
    *,
    fraction: float,
    seed: int,
) -> tuple[Split, Split, Split]:
    """(train, validation, test), where splits that are None are held out of `train`.

    >>> train = Split(np.zeros((10, 1, 1, 1)), np.arange(10))
    >>> splits = complete(train, None, None, fraction=0.2, seed=0)
    >>> [len(split) for split in splits]
    [6, 2, 2]

    Args:
        train: All images that there are to train on.
        validation: The split of the source, or None.
        test: The same.
        fraction: Share of `train` that is held out for each missing split; at least one
            image.
        seed: Chooses which ones.

    Returns:
        Three splits that have no image of `train` in common and lose none.

    Raises:
        InputError: if no image would remain to train on.
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
    """The examples at these indices, in the order of the split.

    >>> split = Split(np.zeros((5, 1, 1, 1)), np.array([7, 5, 3, 2, 1]))
    >>> take(split, np.array([4, 0])).labels.tolist()
    [7, 1]
    """
    indices = np.sort(indices)
    arrays = (split.images, split.labels, split.weights)
    return Split(
        *(each(lambda x: None if x is None else x[indices], one) for one in arrays)
    )


def with_fewer(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """The data set with some of its training images; its other splits stay whole.

    Pixels stay scaled by the statistics of the whole set, so that a network that was
    trained on all images gets what it is used to.

    Args:
        dataset: The data set.
        count: Training images that it has; all if None.
        seed: Chooses which ones.

    Raises:
        InputError: it has not so many, or none are asked for.
    """
    if count is None:
        return dataset
    check_whole("--train_images", count, at_least=1)
    size = len(dataset.train)
    if count > size:
        raise InputError(
            f"--train_images={count} is more than the {size} training images that "
            f"{dataset.name} has."
        )
    train = take(dataset.train, stratified(first(dataset.train.labels), count, seed))
    return dataclasses.replace(dataset, train=train)


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The indices of `count` examples, of every class the same share.

    The k-th example of a class of n, in an order by the seed, has the place
    (k + 1/2) / n; the first places are taken. So the examples of a smaller count are
    among those of a larger one. This is the apportionment of Webster and Sainte-Lague.

    >>> labels = np.array([0] * 8 + [1] * 4)
    >>> np.bincount(labels[stratified(labels, 3, seed=0)]).tolist()
    [2, 1]

    Args:
        labels: [n] classes. Labels of another kind count as one class.
        count: At most n.
        seed: Chooses the examples.

    Returns:
        [count] indices, in no order.
    """
    order = np.random.default_rng([seed, *_FEWER]).permutation(len(labels))
    places = np.empty(len(labels))
    one_class = labels.ndim != 1 or labels.dtype.kind not in "iu"
    classes = np.zeros(len(labels), int) if one_class else labels
    for one in np.unique(classes):
        own = order[classes[order] == one]
        places[own] = (np.arange(len(own)) + 0.5) / len(own)
    return order[np.argsort(places[order], kind="stable")[:count]]


def pixel_statistics(
    split: Split, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over all axes but the last; bytes count as 0..1.

    They are those of at most `SAMPLE` examples, evenly spread over the split.

    Args:
        split: Inputs in memory, or images in files.
        shape: Of an input; (height, width, channels) that files are resized to.

    Returns:
        (mean, std), each `[c]` float32. A constant channel has std 1.
    """

    def moments(indices):
        """Means of the values and of their squares, each [c]."""
        pixels = read_images(split, indices, shape)
        pixels = pixels.astype(float) / (255 if pixels.dtype == np.uint8 else 1)
        axes = tuple(range(pixels.ndim - 1))
        return pixels.mean(axis=axes), np.square(pixels).mean(axis=axes)

    indices = spread(len(split), SAMPLE)
    chunks = np.array_split(indices, -(-len(indices) // 32))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = np.array(list(pool.map(moments, chunks)))  # [chunks, 2, c]
    weights = [len(chunk) for chunk in chunks]
    mean, square = np.average(parts, axis=0, weights=weights)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    # The deviation of a constant channel is rounding error: dividing by it would make
    # noise of it.
    std = np.where(std > 1e-6 * np.maximum(1.0, np.abs(mean)), std, 1.0)
    return mean.astype(np.float32), std.astype(np.float32)


def spread(size: int, count: int) -> np.ndarray:
    """At most `count` indices, evenly spread over 0 to size - 1, both among them.

    >>> spread(11, 3).tolist(), spread(3, 5).tolist()
    ([0, 5, 10], [0, 1, 2])
    """
    return np.unique(np.linspace(0, size - 1, min(size, count)).astype(int))


def check_memory(what: str, images: int, shape: tuple[int, ...], remedy: str) -> None:
    """Passes images of one byte a value that fit into the memory of the machine.

    Args:
        what: What has to fit, as the message begins.
        images: Number of images.
        shape: (height, width, channels) of each.
        remedy: What to do otherwise, as the message ends.

    Raises:
        InputError: if they take more bytes than the machine has.
    """
    needed = images * int(np.prod(shape, dtype=np.int64))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InputError(
            f"{what} has to fit into memory ({memory / 1e9:.0f} GB) but has at least "
            f"{needed / 1e9:.0f} GB; {remedy}."
        )
