"""Data sets by name; one file a family.

Every data set has a train, a validation and a test split. What a source lacks is held
out of its training images, `validation_fraction` of them for each, chosen by the seed.
"""

import dataclasses
import os
import pathlib

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset
from ns_tf.data.holdout import check_fraction
from ns_tf.registry import Registry
from ns_tf.run.checks import check_whole

SOURCES = Registry("data set", __name__)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a loader is asked for: the arguments of `load`, the name split in two."""

    name: str  # In full.
    argument: str = ""  # What follows the first colon of the name.
    data_dir: str | os.PathLike | None = None
    image_size: int | None = None  # Pixels, height and width.
    validation_fraction: float = 0.1
    seed: int = 0

    def check(self) -> None:
        """Passes what every loader can do.

        Raises:
            InputError: image size, fraction or seed out of range.
        """
        if self.image_size is not None:
            check_whole("--image_size", self.image_size, at_least=1)
        check_fraction(self.validation_fraction)
        check_whole("--split_seed", self.seed, at_least=0)

    def square(self, default: int | None = None) -> tuple[int, int] | None:
        """(height, width) that images are resized to; None to leave them."""
        side = self.image_size or default
        return None if side is None else (side, side)


def load(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """The data set of that name, ready for training.

    Args:
        name: `digits`, `cifar10`, `cifar100`, `folder:/path`, `arrays:/path.npz` or the
            TFDS name of an image classification set (`fashion_mnist`, `tfds:mnist`).
        data_dir: Where TFDS sets are prepared; its own folder if None.
        image_size: Height and width in pixels; the set's own if None (digits: 32).
        validation_fraction: Share of the training images that is held out for a split
            that the set lacks: validation, and test likewise.
        seed: Chooses what is held out.

    Raises:
        InputError: an unknown name, or a set that is missing, broken or not of images
            with one class each.
    """
    family, _, argument = name.partition(":")
    if family not in SOURCES.names():
        family, argument = "tfds", name
    request = Request(name, argument, data_dir, image_size, validation_fraction, seed)
    request.check()
    return SOURCES.get(family)(request)


def existing(path: str, what: str) -> pathlib.Path:
    """The path, if there is something.

    Raises:
        InputError: if there is not, or the path is empty.
    """
    found = pathlib.Path(path).expanduser()
    if not path or not found.exists():
        raise InputError(
            f"Expected {what} at {str(found) if path else path!r}; "
            "there is none. Give the path after the colon."
        )
    return found
