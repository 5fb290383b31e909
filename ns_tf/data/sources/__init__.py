"""Data sets by name; one file a family.

Every data set has a train, a validation and a test split. What a source lacks is held
out of its training images, `validation_fraction` of them for each, chosen by the seed.

`@source(name)` registers a family; programs and packages can add their own.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from ns_tf.base import InputError
from ns_tf.data.dataset import Dataset
from ns_tf.data.holdout import with_fewer
from ns_tf.registry import Registry
from ns_tf.run.checks import check_fraction, check_whole
from ns_tf.run.paths import as_path

SOURCES = Registry("data set", __name__)  # Loaders by the name of their family.


@dataclasses.dataclass(frozen=True)
class Request:
    """What a loader is asked for: the arguments of `load`, the name split in two.

    >>> Request("noise:1000", argument="1000", image_size=24).square()
    (24, 24)
    """

    name: str  # In full: "folder:/path".
    argument: str = ""  # What follows the first colon of the name: "/path".
    data_dir: str | os.PathLike | None = None  # Where TFDS sets are prepared.
    image_size: int | None = None  # Height and width in pixels; the set's own if None.
    validation_fraction: float = 0.1  # Held out for each split that the set lacks.
    seed: int = 0  # Chooses what is held out.

    def check(self) -> None:
        """Passes values that every loader can use; `load` calls it before the loader.

        Raises:
            InputError: image size, fraction or seed out of range.
        """
        if self.image_size is not None:
            check_whole("--image_size", self.image_size, at_least=1)
        if self.data_dir is not None:
            as_path(self.data_dir, "data_dir")
        check_fraction(self.validation_fraction)
        check_whole("--split_seed", self.seed, at_least=0)

    def square(self, default: int | None = None) -> tuple[int, int] | None:
        """(height, width) that images are resized to; None to leave them.

        Args:
            default: Side in pixels where no image size was asked for.
        """
        side = self.image_size or default
        return None if side is None else (side, side)


Loader = Callable[[Request], Dataset]


def source(name: str) -> Callable[[Loader], Loader]:
    """Decorator: registers a loader as the family `name` of data sets.

    A program's own data set, `load("noise:1000")` after this:

        @ns_tf.source("noise")
        def load_noise(request):
            count = int(request.argument)
            rng = np.random.default_rng(request.seed)
            images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
            return ns_tf.from_arrays(
                (images, np.arange(count) % 2),
                name=request.name,
                image_size=request.image_size,
                validation_fraction=request.validation_fraction,
                seed=request.seed,
            )

    `--dataset=noise:1000` works where the module with the loader has been imported. A
    loader raises `InputError` for what it cannot give: commands print that as one line.

    Args:
        name: What stands before the first colon of `--dataset`; a name of TFDS that is
            registered here is this family.

    Returns:
        A decorator that returns the loader as it is.

    Raises:
        ValueError: if the name is taken.
    """
    return SOURCES.register(name)


def load(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    validation_fraction: float = 0.1,
    seed: int = 0,
    train_images: int | None = None,
) -> Dataset:
    """The data set of that name, ready for training.

    A name of no registered family is one of TFDS.

    Args:
        name: `digits`, `cifar10`, `cifar100`, `folder:/path`, `arrays:/path.npz` or the
            TFDS name of an image classification set (`fashion_mnist`, `tfds:mnist`).
        data_dir: Where TFDS sets are prepared; its own folder if None.
        image_size: Height and width in pixels; the set's own if None (digits: 32).
        validation_fraction: Share of the training images that is held out for a split
            that the set lacks: validation, and test likewise.
        seed: Chooses what is held out, and which training images are used.
        train_images: How many training images it has, of every class the same share;
            all if None.

    Returns:
        The data set with all three splits; images in memory, but of a folder.

    Raises:
        InputError: an option out of range, before anything is read; an unknown name;
            a set that is missing, broken or not of images with one class each.
    """
    if not isinstance(name, str):
        raise InputError(f"Expected the name of a data set; got {name!r}.")
    family, _, argument = name.partition(":")
    if family not in SOURCES.names():
        family, argument = "tfds", name
    request = Request(name, argument, data_dir, image_size, validation_fraction, seed)
    request.check()
    return with_fewer(SOURCES.get(family)(request), train_images, seed)


def existing(path: str, what: str) -> pathlib.Path:
    """The path, `~` expanded, of a file or a folder that exists.

    Args:
        path: The argument of a request.
        what: What is expected there, as the message says it.

    Raises:
        InputError: if nothing is there, or the path is empty.
    """
    place = pathlib.Path(path).expanduser()
    if not path or not os.path.exists(place):
        raise InputError(
            f"Expected {what} at {str(place) if path else path!r}; "
            "there is none. Give the path after the colon."
        )
    return place
