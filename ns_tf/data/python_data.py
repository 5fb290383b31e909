"""Data sets of Python objects, named by a fingerprint of their content.

A run folder records the name: a search continues only with the same examples.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.config import DataConfig
from ns_tf.data.dataset import NAMELESS, Dataset, renamed
from ns_tf.data.holdout import with_fewer
from ns_tf.data.tf_data import from_tf_data, is_stream
from ns_tf.parts import parts
from ns_tf.run.folder import PREFIX
from ns_tf.run.option import made

OPTIONS = "train_images split_seed validation_fraction image_size".split()
HELD_OUT = DataConfig.validation_fraction  # Where nothing else is said.


def dataset(
    data: Any,
    *,
    train_images: int | None = None,
    seed: int = 0,
    validation_fraction: float = HELD_OUT,
    image_size: int | None = None,
) -> Dataset | None:
    """The data set of arrays or of a `tf.data.Dataset`; None for a name.

    Args:
        data: One of: a name; a `Dataset`; arrays (inputs `[n, ...]`, targets
            `[n, ...]`), with weights `[n]` as a third, where each may be a dictionary
            or a tuple of several arrays; a `tf.data.Dataset` or
            `keras.utils.PyDataset` of such; a pair of those, to train and to test, as
            `keras.datasets.cifar10.load_data()` returns them.
        train_images: How many training images are used; all if None.
        seed: Chooses which ones, and what is held out.
        validation_fraction: As of `from_arrays`.
        image_size: As of `from_arrays`.

    Returns:
        The data set. Its name is `PREFIX` and 12 hexadecimal digits of its splits and
        of how they are varied, unless `data` is a `Dataset` that has a name. None if
        `data` is a string.

    Raises:
        InputError: if it is none of these; options that a `Dataset` cannot follow, as
            its splits are made; and as `from_arrays` and `from_tf_data`.
    """
    if isinstance(data, str):
        return None
    how = {"seed": seed, "validation_fraction": validation_fraction}
    how["image_size"] = image_size
    if isinstance(data, Dataset):
        _check_made(data, train_images, **how)
        if data.name != NAMELESS:
            return with_fewer(data, train_images, seed)
        unnamed = data
    elif _are_splits(data):
        if len(data) != 2:
            raise InputError(
                "Expected (inputs, targets), or one such pair to train and one to "
                f"test; got {len(data)} pairs. ns_tf.from_arrays takes three: (train, "
                "validation=..., test=...)."
            )
        unnamed = from_arrays(data[0], test=data[1], **how)
    elif isinstance(data, (tuple, list)) and data and is_stream(data[0]):
        if len(data) != 2:
            raise InputError(
                "Expected one data set, or one to train and one to test; got "
                f"{len(data)}. ns_tf.from_tf_data takes three: (train, "
                "validation=..., test=...)."
            )
        unnamed = from_tf_data(data[0], test=data[1], **how)
    elif isinstance(data, tuple):
        unnamed = from_arrays(data, **how)
    elif is_stream(data):
        unnamed = from_tf_data(data, **how)
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
    return renamed(unnamed, PREFIX + _fingerprint(*arrays, *_manner(unnamed)))


def _are_splits(data: Any) -> bool:
    """Whether data are tuples of splits, and no tuple of inputs, targets and weights.

    These may be tuples of arrays themselves. They have all the same number of examples
    then, and arrays of other shapes than each other.
    """
    tuples = isinstance(data, tuple) and all(isinstance(one, tuple) for one in data)
    if not tuples or len(data) not in (2, 3):
        return tuples
    arrays = [[x for x in part[:2] if x is not None] for part in data]
    shapes = [[tuple(getattr(x, "shape", ())) for x in part] for part in arrays]
    counts = {shape[:1] for part in shapes for shape in part}
    first, *others = ([shape[1:] for shape in part] for part in shapes)
    return len(counts) > 1 or all(one == first for one in others)


def again(
    data: Any, name: str | None, known: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Dataset | None, bool]:
    """The data set of an object that may be the one of an earlier run.

    Args:
        data: As `dataset` takes it.
        name: What the run calls its data.
        known: The options of the run, by which its data are found again.
        options: Those that are asked for; they go before the run's.

    Returns:
        The data set (None for a name), and whether it is the run's. Of other data the
        run's options do not hold.

    Raises:
        InputError: as of `dataset`.
    """
    own, asked = subset({**known, **options}), subset(options)
    if own != asked:
        try:
            found = dataset(data, **own)
        except InputError:  # Of other data, for which they need not be possible.
            found = None
        if found is not None and found.name == name:
            return found, True
    found = dataset(data, **asked)
    same = found is not None and found.name == name
    return found, same and (own == asked or name.startswith(PREFIX))


@contextlib.contextmanager
def named_in_folder(name: str) -> Iterator[None]:
    """Within it data are loaded whose name a run folder has; a `Dataset` has any name.

    Raises:
        InputError: there are no such data; says what to give if they came from Python.
    """
    try:
        yield
    except InputError as error:
        if not str(error).startswith(f"Unknown data set {name!r}"):
            raise
        raise InputError(
            f"{error} If {name!r} was a Dataset in Python, no folder keeps it: give it "
            "again as data."
        ) from error


def subset(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `dataset` that options of data by name have.

    >>> subset({"train_images": 600, "split_seed": 3, "task": "binary"})
    {'train_images': 600, 'seed': 3, 'validation_fraction': 0.1, 'image_size': None}

    Args:
        options: Fields of `ns_tf.data.config.DataConfig`, and others; None of one is
            its default.

    Raises:
        InputError: a value of another type than the field's, or out of range.
    """
    given = {name: options.get(name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    config = made(DataConfig, given)
    return {
        "train_images": config.train_images,
        "seed": config.split_seed,
        "validation_fraction": config.validation_fraction,
        "image_size": config.image_size,
    }


def _check_made(
    data: Dataset,
    train_images: int | None,
    *,
    seed: int,
    validation_fraction: float,
    image_size: int | None,
) -> None:
    """Refuses what decides on splits and images, which a `Dataset` has already.

    Raises:
        InputError: names the option.
    """
    side = (image_size, image_size)
    sized = image_size is None or (
        data.pictures and all(shape[:2] == side for shape in data.pictures)
    )
    idle = {
        "image_size": not sized,
        "validation_fraction": validation_fraction != HELD_OUT,
        "split_seed": seed != 0 and train_images is None,
    }
    for name, wrong in idle.items():
        if wrong:
            raise InputError(
                f"--{name} is too late for a Dataset, whose images and splits are "
                "made: give it to ns_tf.from_arrays, ns_tf.from_tf_data or "
                "ns_tf.dataset, or leave it out."
            )


def _manner(dataset: Dataset) -> list[np.ndarray]:
    """How images are varied and classes are called, as bytes; nothing if as usual."""
    texts = []
    if dataset.pad or dataset.flip:
        texts.append(f"pad={dataset.pad} flip={dataset.flip}")
    if dataset.class_names != tuple(map(str, range(len(dataset.class_names)))):
        texts.append(f"class_names={dataset.class_names}")
    return [np.frombuffer(text.encode(), np.uint8) for text in texts]


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
