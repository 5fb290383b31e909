"""Five varied copies of every training image, for training on few images.

The expansion of CURL (Luo & Wu, CVPR 2020): blocks of the image shuffled in grids of
2 x 2, 3 x 3 and 4 x 4, a square cut out, and the image turned.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset, Split
from ns_tf.data.holdout import check_memory
from ns_tf.data.images import read_images
from ns_tf.parts import Parts, brackets

GRIDS = (2, 3, 4)  # Blocks by side.
SQUARE = (0.2, 0.5)  # Side of what is cut out, as a share of the shorter side.
TIMES = len(GRIDS) + 3  # Images for each one: itself, its grids, cut out, turned.
_VARIANTS = 0xC021  # Keeps these draws apart from those of epochs.


def expanded(dataset: Dataset, seed: int) -> Dataset:
    """The data set with `TIMES` as many training images, in memory.

    Args:
        dataset: The data set; its scale of pixels stays.
        seed: Decides all draws.

    Returns:
        First the n training images, then for each kind of variation a copy of each, in
        the same order: image i of kind k is at k n + i.

    Raises:
        InputError: as `check_expandable`.
    """
    check_expandable(dataset)
    split = dataset.train
    images = read_images(split, np.arange(len(split)), dataset.image_shape)
    rng = np.random.default_rng([seed, _VARIANTS])
    kinds = [images, *(shuffled(images, grid, rng) for grid in GRIDS)]
    kinds += [cut_out(images, rng), turned(images, rng)]
    train = Split(np.concatenate(kinds), np.concatenate([split.labels] * TIMES))
    return dataclasses.replace(dataset, train=train)


def check_expandable(dataset: Dataset) -> None:
    """Refuses a data set of which no varied copies can be made.

    Args:
        dataset: The data set; no image is read.

    Raises:
        InputError: several inputs, inputs that are no images, or more than fits into
            memory.
    """
    split, shape = dataset.train, dataset.image_shape
    if isinstance(split.images, Parts) or len(shape) != 3:
        inputs = brackets(shape)
        raise InputError(
            "Varied copies are made of one image [height, width, channels]; the inputs "
            f"of {dataset.name} are {inputs}. Train by another recipe, as "
            "--recipe=plain."
        )
    what = f"{dataset.name}, {TIMES} times its training images,"
    remedy = "train on fewer images, or by a recipe that does not multiply them"
    check_memory(what, TIMES * len(split), shape, remedy)


def shuffled(images: np.ndarray, grid: int, rng: np.random.Generator) -> np.ndarray:
    """Every image with its blocks in a random order.

    >>> image = np.arange(4).reshape(1, 2, 2, 1)
    >>> sorted(shuffled(image, 2, np.random.default_rng(3)).ravel().tolist())
    [0, 1, 2, 3]

    Args:
        images: [n, h, w, c].
        grid: Blocks by side, of floor(h / grid) by floor(w / grid) pixels. What is left
            at the lower and the right border stays.
        rng: Draws an order for each image.
    """
    count, height, width, channels = images.shape
    rows, columns = height // grid, width // grid
    tall, wide = grid * rows, grid * columns
    apart = (count, grid, rows, grid, columns, channels)
    blocks = images[:, :tall, :wide].reshape(apart).transpose(0, 1, 3, 2, 4, 5)
    flat = blocks.reshape(count, grid * grid, rows, columns, channels)
    order = rng.permuted(np.tile(np.arange(grid * grid), (count, 1)), axis=1)
    moved = flat[np.arange(count)[:, None], order].reshape(blocks.shape)
    result = images.copy()
    result[:, :tall, :wide] = moved.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, tall, wide, channels
    )
    return result


def cut_out(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image with a black square somewhere in it.

    Args:
        images: [n, h, w, c].
        rng: Draws for each image the side, of `SQUARE` of the shorter side, and the
            place.
    """
    count, height, width = images.shape[:3]
    sides = rng.uniform(*SQUARE, count) * min(height, width)
    sides = np.maximum(1, np.rint(sides)).astype(int)
    tops = rng.integers(0, height - sides + 1)
    lefts = rng.integers(0, width - sides + 1)
    result = images.copy()
    for image, side, top, left in zip(result, sides, tops, lefts, strict=True):
        image[top : top + side, left : left + side] = 0
    return result


def turned(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image turned about its middle by an angle of 0 to 360 degrees.

    Pixels are interpolated between their neighbours; what comes from outside is black.

    Args:
        images: [n, h, w, c].
        rng: Draws an angle for each image.
    """
    angles = rng.uniform(0, 360, len(images))
    pairs = zip(images, angles, strict=True)
    return np.stack([ndimage.rotate(x, a, reshape=False, order=1) for x, a in pairs])
