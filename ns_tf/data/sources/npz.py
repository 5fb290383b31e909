"""Data sets from an .npz file of plain arrays."""

import pathlib
import re
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import Given, from_arrays
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.sources import Request, existing, source
from ns_tf.run import npz


@source("arrays")
@source("npz")
def load_arrays(request: Request) -> Dataset:
    """`arrays:/path.npz`: arrays named `x_train` and `y_train`, and so other splits.

    `x_validation` and `y_validation` (or `x_val`, `y_val`), or `x_test` and `y_test`,
    may be missing; examples are held out for that split then. `w_train` and so on are
    weights of the examples. Of a model with several inputs or outputs there is an array
    for each, by name: `x_image_train` and `x_age_train` of the inputs `image` and
    `age`, `y_kind_train` of the output `kind`, `w_kind_train` of its weights. Training
    images are not varied. `npz:` is another name of it.

    Args:
        request: Its argument is the path of a file that `numpy.savez` wrote.

    Raises:
        InputError: no such file, no such arrays in it, or arrays of such names that
            belong to no split; and as `from_arrays`.
    """
    path = existing(request.argument, "an .npz file")
    try:
        arrays = npz.read(path)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"Expected an .npz file of plain arrays at {path}; it cannot be read as "
            "one. Write it with np.savez."
        ) from error
    arrays = _renamed(arrays, path)
    pairs = {key: _pair_of(arrays, key, path) for key in SPLITS}
    _check_read(arrays, pairs.values(), path)
    return from_arrays(
        pairs["train"],
        test=pairs["test"],
        validation=pairs["validation"],
        name=request.name,
        image_size=request.image_size,
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def _renamed(
    arrays: Mapping[str, np.ndarray], path: pathlib.Path
) -> dict[str, np.ndarray]:
    """The arrays, those of `val` as of `validation`."""
    names = {
        name: re.sub(r"^([xyw]_(.+_)?)val$", r"\1validation", name) for name in arrays
    }
    for name, full in names.items():
        if full != name and full in arrays:
            raise InputError(f"{path} holds {name} and {full}; keep one of them.")
    return {names[name]: array for name, array in arrays.items()}


def _check_read(
    arrays: Mapping[str, np.ndarray],
    pairs: Iterable[Given | None],
    path: pathlib.Path,
) -> None:
    """Refuses arrays that are named as inputs, targets or weights and belong nowhere.

    Raises:
        InputError: names one.
    """
    used = {id(one) for pair in pairs for nest in pair or () for one in _each(nest)}
    for name, array in sorted(arrays.items()):
        if re.match("[xyw]_", name) and id(array) not in used:
            raise InputError(
                f"{path} holds {name}, which belongs to no split: names are x_SPLIT, "
                "y_SPLIT and w_SPLIT, of several inputs x_NAME_SPLIT, and splits are "
                f"{', '.join(SPLITS)} (or val). Rename or remove it."
            )


def _each(nest: np.ndarray | Mapping[str, np.ndarray] | None) -> Iterable[np.ndarray]:
    """The arrays of a nest."""
    return nest.values() if isinstance(nest, Mapping) else (nest,)


def _pair_of(
    arrays: Mapping[str, np.ndarray], key: str, path: pathlib.Path
) -> Given | None:
    """(inputs, targets, weights) of a split; None if validation or test has none."""
    inputs, targets = (_called(arrays, kind, key) for kind in "xy")
    if inputs is not None and targets is not None:
        return inputs, targets, _called(arrays, "w", key)
    if inputs is not None or targets is not None or key == "train":
        raise InputError(
            f"{path} has to hold x_{key} and y_{key}; it holds "
            f"{', '.join(sorted(arrays)) or 'nothing'}. Write both with np.savez; of "
            f"several inputs x_NAME_{key} each."
        )
    return None


def _called(
    arrays: Mapping[str, np.ndarray], kind: str, key: str
) -> np.ndarray | dict[str, np.ndarray] | None:
    """The array of a split, or its arrays by name; None if there are none.

    >>> _called({"x_train": 2, "y_a_train": 3, "y_b_train": 5}, "y", "train")
    {'a': 3, 'b': 5}

    Args:
        arrays: All that the file holds.
        kind: "x" of inputs, "y" of targets, "w" of weights.
        key: The split.
    """
    if f"{kind}_{key}" in arrays:
        return arrays[f"{kind}_{key}"]
    pattern = re.compile(f"{kind}_(.+)_{key}")
    found = {pattern.fullmatch(name): array for name, array in arrays.items()}
    return {match[1]: array for match, array in found.items() if match} or None
