"""The 8x8 handwritten digits that come with scikit-learn: real, and always there."""

import functools
import importlib.util
import pathlib

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Dataset, crop_margin
from ns_tf.data.images import resize
from ns_tf.data.sources import Request, source

SIZE = 32  # Pixels of a side: the size that networks for CIFAR expect.


@source("digits")
def load_digits(request: Request) -> Dataset:
    """1,797 gray digits in 10 classes, resized; validation and test are held out.

    Pixels of 0 to 16 become 0 to 255. Training images move at random by an eighth.

    Args:
        request: Without an argument; an image size of 8 leaves them as they are.

    Raises:
        InputError: if something follows the name.
    """
    if request.argument:
        raise InputError(
            f"digits takes no argument; got {request.name!r}. Write 'digits'."
        )
    size = request.image_size or SIZE
    images, labels = _digits(size)
    return from_arrays(
        (images, labels),
        class_names=[str(digit) for digit in range(10)],
        name=request.name,
        pad=crop_margin((size, size, 1)),
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


@functools.lru_cache(maxsize=2)
def _digits(size: int) -> tuple[np.ndarray, np.ndarray]:
    """(images [n, size, size, 1] uint8, labels [n]); read-only, as they are shared."""
    pixels, labels = _stored()
    images = np.rint(pixels[..., None] * (255 / 16)).astype(np.uint8)
    parts = resize(images, (size, size)), labels
    for part in parts:
        part.setflags(write=False)
    return parts


def _stored() -> tuple[np.ndarray, np.ndarray]:
    """(pixels [n, 8, 8] from 0 to 16, labels [n]) of scikit-learn's file.

    The file is read where it lies: to import scikit-learn takes a second.
    """
    (folder,) = importlib.util.find_spec("sklearn").submodule_search_locations
    file = pathlib.Path(folder, "datasets", "data", "digits.csv.gz")
    if not file.is_file():  # Another version may have it elsewhere.
        import sklearn.datasets

        source = sklearn.datasets.load_digits()
        return source.images, source.target
    rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
