"""Data sets of Python objects, named by a fingerprint of their content.

A run folder records the name: a search continues only with the same examples.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import NAMELESS, Dataset, renamed
from ns_tf.data.holdout import with_fewer
from ns_tf.data.tf_data import from_tf_data, is_stream
from ns_tf.parts import parts
from ns_tf.run.folder import PREFIX


def dataset(
    data: Any, *, train_images: int | None = None, seed: int = 0
) -> Dataset | None:
    """The data set of arrays or of a `tf.data.Dataset`; None for a name.

    Args:
        data: One of: a name; a `Dataset`; arrays (inputs `[n, ...]`, targets
            `[n, ...]`), with weights `[n]` as a third, where each may be a dictionary
            or a tuple of several arrays; a `tf.data.Dataset` or
            `keras.utils.PyDataset` of such; a pair of those, to train and to test, as
            `keras.datasets.cifar10.load_data()` returns them.
        train_images: How many training images are used; all if None.
        seed: Chooses which ones.

    Returns:
        The data set. Its name is `PREFIX` and 12 hexadecimal digits of its splits,
        unless `data` is a `Dataset` that has a name. None if `data` is a string.

    Raises:
        InputError: if it is none of these; and as `from_arrays` and `from_tf_data`.
    """
    if isinstance(data, str):
        return None
    if isinstance(data, Dataset):
        if data.name != NAMELESS:
            return with_fewer(data, train_images, seed)
        unnamed = data
    elif _are_splits(data):
        if len(data) != 2:
            raise InputError(
                "Expected (inputs, targets), or one such pair to train and one to "
                f"test; got {len(data)} pairs. ns_tf.from_arrays takes three."
            )
        unnamed = from_arrays(data[0], test=data[1])
    elif isinstance(data, (tuple, list)) and len(data) == 2 and is_stream(data[0]):
        unnamed = from_tf_data(data[0], test=data[1])
    elif isinstance(data, tuple):
        unnamed = from_arrays(data)
    elif is_stream(data):
        unnamed = from_tf_data(data)
    else:
        raise InputError(
            "Expected a data set's name, a Dataset, a tf.data.Dataset, a PyDataset or "
            f"arrays (inputs, targets); got {type(data).__name__}."
        )
    unnamed = with_fewer(unnamed, train_images, seed)
    splits = (unnamed.train, unnamed.validation, unnamed.test)
    nests = [nest for split in splits for nest in (split.images, split.labels)]
    nests += [split.weights for split in splits if split.weights is not None]
    arrays = [array for nest in nests for array in parts(nest)]
    return renamed(unnamed, PREFIX + _fingerprint(*arrays))


def _are_splits(data: Any) -> bool:
    """Whether data are tuples of splits, and no tuple of inputs and targets.

    Inputs and targets may be tuples of arrays themselves. They have all the same number
    of examples then, and arrays of other shapes than each other.
    """
    tuples = isinstance(data, tuple) and all(isinstance(one, tuple) for one in data)
    if not tuples or len(data) != 2:
        return tuples
    one, other = ([getattr(x, "shape", ()) for x in part[:2]] for part in data)
    counts = {shape[:1] for shape in (*one, *other)}
    return len(counts) > 1 or [x[1:] for x in one] == [x[1:] for x in other]


def subset(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `dataset` that options of data by name have.

    >>> subset({"train_images": 600, "split_seed": 3, "image_size": 8})
    {'train_images': 600, 'seed': 3}

    Args:
        options: Fields of `ns_tf.data.config.DataConfig`, and others.
    """
    seed = options.get("split_seed") or 0
    return {"train_images": options.get("train_images"), "seed": seed}


def _fingerprint(*arrays: Any) -> str:
    """12 hexadecimal digits of shapes, types and values.

    >>> _fingerprint(np.arange(3)) == _fingerprint(np.arange(3))
    True
    >>> _fingerprint(np.arange(3)) == _fingerprint(np.arange(3), np.arange(0))
    False
    """
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]
