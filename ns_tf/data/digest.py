"""A data set as a few digits, by which processes see that they have the same one."""

import hashlib

import numpy as np

from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.parts import parts

_BYTES = 8


def digest(dataset: Dataset) -> str:
    """16 hexadecimal digits of all examples, their order, and how they are varied.

    Images that are files are known by their names: folders differ between machines.

    Args:
        dataset: The data set.
    """
    made = hashlib.blake2b(digest_size=_BYTES)
    made.update(f"{dataset.image_shape} {dataset.pad} {dataset.flip}".encode())
    for name in SPLITS:
        split = getattr(dataset, name)
        nests = split.images, split.labels, split.weights
        for array in (array for nest in nests for array in parts(nest)):
            if array is None:
                continue
            if array.dtype.kind in "UO":
                array = np.array([str(path).rpartition("/")[2] for path in array])
            made.update(f"{name} {array.shape} {array.dtype}".encode())
            made.update(np.ascontiguousarray(array).data)
    for array in (*parts(dataset.mean), *parts(dataset.std)):
        made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()
