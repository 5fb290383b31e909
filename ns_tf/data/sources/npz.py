"""Data sets from an .npz file of plain arrays."""

import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import Parts, from_arrays
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.sources import Request, existing, source


@source("arrays")
def load_arrays(request: Request) -> Dataset:
    """`arrays:/path.npz`: arrays named `x_train` and `y_train`, and so other splits.

    `x_validation` and `y_validation`, or `x_test` and `y_test`, may be missing;
    examples are held out for that split then. `w_train` and so on are weights of the
    examples. Training images are not varied.

    Args:
        request: Its argument is the path of a file that `numpy.savez` wrote.

    Raises:
        InputError: no such file, no such arrays in it; and as `from_arrays`.
    """
    path = existing(request.argument, "an .npz file")
    try:
        # np.load alone would accept a single array (.npy) too.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"Expected an .npz file of plain arrays at {path}; it cannot be read as "
            "one. Write it with np.savez."
        ) from error
    pairs = {key: _pair_of(arrays, key, path) for key in SPLITS}
    return from_arrays(
        pairs["train"],
        test=pairs["test"],
        validation=pairs["validation"],
        name=request.name,
        image_size=request.image_size,
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def _pair_of(
    arrays: Mapping[str, np.ndarray], key: str, path: pathlib.Path
) -> Parts | None:
    """(inputs, targets, weights) of a split; None if validation or test has none."""
    names = f"x_{key}", f"y_{key}"
    missing = [name for name in names if name not in arrays]
    if not missing:
        return arrays[names[0]], arrays[names[1]], arrays.get(f"w_{key}")
    if len(missing) == 1 or key == "train":
        raise InputError(
            f"{path} has to hold x_{key} and y_{key}; it holds "
            f"{', '.join(sorted(arrays)) or 'nothing'}. Write both with np.savez."
        )
    return None
