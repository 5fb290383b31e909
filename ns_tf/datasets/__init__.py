"""Data sets by name; one file a family.

Every data set has a train, a validation and a test split. What a source lacks is held
out of its training images, `validation_fraction` of them for each, chosen by the seed.
"""

import concurrent.futures
import dataclasses
import os
import pathlib

import numpy as np

from ns_tf import registry
from ns_tf.base import InputError
from ns_tf.image_files import Split, read_images
from ns_tf.pipeline import Dataset, check_whole

DATASETS = registry.Registry("data set", "ns_tf.datasets")

NAMELESS = "arrays"  # What a data set of arrays is called that was given no name.
SAMPLE = 10_000  # Images that the mean and the deviation of the pixels are taken from.

# Keeps what is held out apart from the draws of every epoch, which have [seed, epoch].
_HOLD_OUT = (0x5EED, 0xDA7A)


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
    if family not in DATASETS.names():
        family, argument = "tfds", name
    request = Request(name, argument, data_dir, image_size, validation_fraction, seed)
    request.check()
    return DATASETS.get(family)(request)


def check_fraction(fraction: float) -> None:
    """Passes numbers between 0 and 1.

    Raises:
        InputError: for anything else.
    """
    number = isinstance(fraction, (int, float, np.number))
    if not number or not 0 < fraction < 1:
        raise InputError(
            "--validation_fraction is a number between 0 and 1, without them; got "
            f"{fraction!r}."
        )


def complete(
    train: Split,
    validation: Split | None,
    test: Split | None,
    *,
    fraction: float,
    seed: int,
) -> tuple[Split, Split, Split]:
    """(train, validation, test): what is None is held out of the training images.

    Raises:
        InputError: if no image would be left to train on.
    """
    missing = (validation is None) + (test is None)
    size = len(train)
    count = max(1, round(fraction * size))
    if missing * count >= size:
        raise InputError(
            f"Holding out {missing} x {count} of {size} images leaves none to train "
            "on; give a smaller validation fraction or more images."
        )
    order = np.random.default_rng([seed, *_HOLD_OUT]).permutation(size)
    if validation is None:
        chosen, order = order[:count], order[count:]
        validation = take(train, chosen)
    if test is None:
        chosen, order = order[:count], order[count:]
        test = take(train, chosen)
    return (take(train, order) if missing else train), validation, test


def take(split: Split, indices: np.ndarray) -> Split:
    """The examples at these indices, in the order of the split."""
    indices = np.sort(indices)
    return Split(split.images[indices], split.labels[indices])


def pixel_statistics(
    split: Split, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `[c]` of the pixels, scaled to 0..1.

    Of at most `SAMPLE` images, evenly spread over the split. A channel that is constant
    has deviation 1.
    """

    def moments(indices):
        pixels = read_images(split, indices, shape)
        pixels = pixels.astype(float) / (255 if pixels.dtype == np.uint8 else 1)
        return pixels.mean(axis=(0, 1, 2)), np.square(pixels).mean(axis=(0, 1, 2))

    chosen = spread(len(split), SAMPLE)
    chunks = np.array_split(chosen, -(-len(chosen) // 32))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = np.array(list(pool.map(moments, chunks)))  # [chunks, 2, c]
    weights = [len(chunk) for chunk in chunks]
    mean, square = np.average(parts, axis=0, weights=weights)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    # A constant channel has nothing to tell; dividing by its rounding errors would.
    std = np.where(std > 1e-6, std, 1.0)
    return mean.astype(np.float32), std.astype(np.float32)


def spread(size: int, count: int) -> np.ndarray:
    """At most `count` indices, evenly over 0..size-1."""
    return np.unique(np.linspace(0, size - 1, min(size, count)).astype(int))


def check_memory(what: str, images: int, shape: tuple[int, ...], remedy: str) -> None:
    """Passes images [h, w, c] of one byte a value that fit into memory.

    Raises:
        InputError: if they are more than the machine has.
    """
    needed = images * int(np.prod(shape, dtype=np.int64))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InputError(
            f"{what} has to fit into memory ({memory / 1e9:.0f} GB) but has at least "
            f"{needed / 1e9:.0f} GB; {remedy}."
        )


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


# The families need what stands above.
from ns_tf.datasets.arrays import from_arrays, from_tf_data  # noqa: E402

__all__ = [
    "DATASETS",
    "Dataset",
    "Request",
    "Split",
    "from_arrays",
    "from_tf_data",
    "load",
]


def renamed(dataset: Dataset, name: str) -> Dataset:
    """The data set under another name."""
    return dataclasses.replace(dataset, name=name)
