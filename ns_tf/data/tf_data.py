"""Data sets from `tf.data`, read into memory in an order that content decides.

The batch of a step has to be found again by a search that resumes, and a shuffled
`tf.data.Dataset` yields another order each time.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import Pair, from_arrays
from ns_tf.data.dataset import Dataset
from ns_tf.data.holdout import check_memory

if TYPE_CHECKING:
    import tensorflow as tf


def from_tf_data(
    train: "tf.data.Dataset",
    *,
    test: "tf.data.Dataset | None" = None,
    validation: "tf.data.Dataset | None" = None,
    **options,
) -> Dataset:
    """The data set of finite `tf.data.Dataset`s of (image, label), batched or not.

    They are read once, into memory, and put in the order of `in_order`.

    Args:
        train: Elements (image `[h, w, c]`, label) or batches of them.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        **options: Of `ns_tf.from_arrays`: `class_names`, `pad`, `seed` and so on.

    Returns:
        The data set that `from_arrays` makes of the same images in that order.

    Raises:
        InputError: an endless or empty data set, elements of another kind, images of
            several sizes; and as `from_arrays`.
    """
    streams = {"train": train, "validation": validation, "test": test}
    pairs = {
        key: _materialise(key, elements)
        for key, elements in streams.items()
        if elements is not None
    }
    return from_arrays(pairs.pop("train"), **pairs, **options)


def _materialise(key: str, elements: "tf.data.Dataset") -> Pair:
    """All elements in two arrays, in the order of their content."""
    import tensorflow as tf

    if not isinstance(elements, tf.data.Dataset):
        raise InputError(
            f"{key} has to be a tf.data.Dataset; got {type(elements).__name__}. For "
            "arrays there is from_arrays."
        )
    _check_elements(key, elements)
    images, labels = [], []
    for image, label in elements.as_numpy_iterator():
        single = image.ndim == 3
        images.append(image[None] if single else image)
        labels.append(np.asarray(label)[None] if single else label)
        _check_growth(key, images)
    if not images:
        raise InputError(f"{key} is an empty data set; give at least one element.")
    pair = np.concatenate(images), np.concatenate(labels)
    # `from_arrays` refuses pairs of two lengths with a better message.
    return in_order(*pair) if len(pair[0]) == len(pair[1]) else pair


def in_order(images: np.ndarray, labels: np.ndarray) -> Pair:
    """The pair sorted by a hash of each image with its label.

    The same examples in any order come out in one order.

    Args:
        images: `[n, h, w, c]`.
        labels: `[n]`, or any array whose first axis is n.

    Returns:
        (images, labels) of the same shapes.
    """
    digests = [
        hashlib.sha256(image.tobytes() + np.asarray(label).tobytes()).digest()
        for image, label in zip(images, labels, strict=True)
    ]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return images[order], labels[order]


def _check_elements(key: str, elements: "tf.data.Dataset") -> None:
    """Passes finite data sets of pairs of tensors, the first of rank 3 or 4.

    Raises:
        InputError: for others, and for an endless one.
    """
    import tensorflow as tf

    spec = elements.element_spec
    tensors = isinstance(spec, tuple) and all(
        isinstance(part, tf.TensorSpec) for part in spec
    )
    if not tensors or len(spec) != 2 or spec[0].shape.rank not in (None, 3, 4):
        raise InputError(
            f"{key}: elements are (image [h, w, c], label) or batches of them; got "
            f"{spec}. Use .map to bring them into that form."
        )
    if elements.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(
            f"{key} is endless, and a search that can resume needs finite data; use "
            ".take(n), or leave .repeat() out."
        )


def _check_growth(key: str, images: Sequence[np.ndarray]) -> None:
    """Passes images of one size that fit into memory; called after each element.

    Raises:
        InputError: at an image of another size, and before memory runs out.
    """
    shape, expected = images[-1].shape[1:], images[0].shape[1:]
    if shape != expected:
        raise InputError(
            f"{key}: images have one size; got {list(expected)} and {list(shape)}. "
            "Resize them in .map, before batching."
        )
    # A data set of unknown length may be endless.
    if len(images) % 1000 == 0:
        size = images[0].dtype.itemsize
        count = sum(len(batch) for batch in images)
        remedy = "use .take(n) if it is endless, or image files (folder:/path)"
        check_memory(key, count * size, expected, remedy)
