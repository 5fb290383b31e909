"""Flags of the data set; `ns_tf.data.sources.load` takes the same values."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ns_tf.base import InputError
from ns_tf.run.checks import at_least, at_least_if_set, check_fraction
from ns_tf.run.option import option

MOST_CLASSES = 100_000  # That a network has outputs for.
LONGEST = 2**27  # Numbers on one axis of an example.
LARGEST_SIDE = 16_384  # Of images, in pixels; more are a typing error.


def train_images(**about: Any) -> Any:
    """The option of everything that trains: how many images it may learn from.

    Args:
        **about: Further arguments of `option`.
    """
    return option(
        None,
        "Training images that are used, of every class the same share; all if empty. "
        "--split_seed chooses them, and a larger number only adds to them.",
        **about,
    )


def input_shape() -> Any:
    """The option of what takes an architecture or a model: the examples it is for."""
    return option(
        (),
        "Height, width and channels of an image, for an architecture; 32,32,3 if "
        "empty. The shape of an example, for a model that leaves lengths open.",
        most=LONGEST,
    )


def classes() -> Any:
    """The option of what takes an architecture by its name: how many classes it has."""
    return option(10, "Number of classes, for an architecture.", most=MOST_CLASSES)


def check_shape(config: Any) -> None:
    """Refuses shapes and classes that no network can be for.

    Args:
        config: A config dataclass with the options `input_shape` and `classes`.

    Raises:
        InputError: names the flag.
    """
    at_least(config, 1, "classes")
    if config.input_shape and min(config.input_shape) < 1:
        raise InputError(
            "--input_shape is lengths of 1 or more, as 32,32,3; got "
            f"{_listed(config.input_shape)}."
        )


def image_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The images that an architecture is for: of 32 x 32 x 3 if none were named.

    >>> image_shape(())
    (32, 32, 3)

    Args:
        shape: What `--input_shape` gives.

    Raises:
        InputError: it is not the shape of an image.
    """
    if len(shape) not in (0, 3) or max(shape, default=0) > LARGEST_SIDE:
        raise InputError(
            "--input_shape of an architecture is height, width and channels, as "
            f"32,32,3, none above {LARGEST_SIDE}; got {_listed(shape)}."
        )
    return tuple(shape) or (32, 32, 3)


def _listed(shape: Sequence[int]) -> str:
    """A shape as flags have it."""
    return ",".join(map(str, shape))


def check_numbers(config: Any) -> None:
    """Refuses numbers of a data set that none can have, whether they are used or not.

    Args:
        config: A config dataclass with these fields of `DataConfig`.

    Raises:
        InputError: names the flag.
    """
    at_least_if_set(config, 1, "image_size", "train_images")
    at_least_if_set(config, 0, "split_seed")
    if config.validation_fraction is not None:
        check_fraction(config.validation_fraction)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The data set: which, where it lies, its image size, what is held out.

    >>> DataConfig().dataset, DataConfig().validation_fraction
    ('digits', 0.1)

    Raises:
        InputError: a number is out of range; names the flag.
    """

    dataset: str = option(
        "digits",
        "digits (embedded), cifar10, cifar100, the TFDS name of any image "
        "classification set, folder:/path with a folder a class, or arrays:/path.npz "
        "with x_train, y_train and, if there are any, x_test, y_test, w_train; of "
        "several inputs x_NAME_train each.",
    )
    task: str | None = option(
        None,
        "What targets mean: classification, binary, multilabel, regression, "
        "segmentation, or compiled, as the model was; chosen by network and targets if "
        "empty.",
    )
    data_dir: str | None = option(
        None,
        "Where TFDS data sets are prepared; TFDS's own place if empty.",
        identity=False,
        own=True,
    )
    image_size: int | None = option(
        None,
        "Height and width that images are resized to; the set's own if empty.",
        most=LARGEST_SIDE,
    )
    validation_fraction: float = option(
        0.1,
        "Share of the training images held out where a set has no validation split.",
    )
    split_seed: int = option(0, "Chooses which images these are.")
    train_images: int | None = train_images()

    def __post_init__(self):
        check_numbers(self)
