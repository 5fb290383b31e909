"""Data given as Python objects: made into a data set, named by a fingerprint."""

import hashlib
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import NAMELESS, Dataset, renamed
from ns_tf.data.tf_data import from_tf_data
from ns_tf.run.folder import PREFIX


def dataset(data: Any) -> Dataset | None:
    """The data set of arrays or of a `tf.data.Dataset`; None for a name.

    Args:
        data: A name; a Dataset; a `tf.data.Dataset` of (image, label); (images,
            labels); or such a pair to train and one to test, as
            `keras.datasets.cifar10.load_data()` has them.

    Raises:
        InputError: if it is none of these.
    """
    if isinstance(data, str):
        return None
    if isinstance(data, Dataset):
        made = data
        if made.name != NAMELESS:
            return made
    elif isinstance(data, tuple) and all(isinstance(part, tuple) for part in data):
        if len(data) != 2:
            raise InputError(
                "Expected a pair (images, labels), or one to train and one to test; "
                f"got {len(data)} pairs. See ns_tf.from_arrays for validation images."
            )
        made = from_arrays(data[0], test=data[1])
    elif isinstance(data, tuple):
        made = from_arrays(data)
    elif hasattr(data, "element_spec"):
        made = from_tf_data(data)
    else:
        raise InputError(
            "Expected a data set's name, a Dataset, a tf.data.Dataset or a pair of "
            f"arrays (images, labels); got {type(data).__name__}."
        )
    parts = (made.train, made.validation, made.test)
    arrays = [array for part in parts for array in (part.images, part.labels)]
    return renamed(made, PREFIX + _fingerprint(*arrays))


def _fingerprint(*arrays: Any) -> str:
    """12 hexadecimal digits of shapes, types and values."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]
