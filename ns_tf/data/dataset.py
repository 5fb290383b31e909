"""A data set as a value: its splits, how inputs are scaled and images varied.

Nothing here reads images or needs TensorFlow.
"""

import dataclasses
import operator

import numpy as np

from ns_tf.base import InputError
from ns_tf.parts import Parts, brackets, each, first, parts

# Ways to scale pixels for a network that does not do it itself.
WAYS = {
    "normalised": "(pixel - mean) / std of the training images",
    "unit": "0 to 1",
    "given": "as they are",
}
# What inputs are, which says how they are scaled and what exported files take.
PIXELS = (
    "pixels"  # Bytes of 0 to 255, or images of floats from 0 to 1: files take bytes.
)
NUMBERS = "numbers"  # Other floats: images of any range, sequences, tables, volumes.
TOKENS = "tokens"  # Whole numbers, which are never scaled.
NAMELESS = "arrays"  # The name of a data set of arrays, if it was given none.
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Examples with what is to be learned of them.

    The usual example is an image with its class. It may be anything that a network
    takes: a sequence, a row of a table, a volume, with targets of any shape. Of a
    network with several inputs or outputs the arrays are `ns_tf.parts.Parts`.

    >>> split = Split(np.zeros((2, 5, 7, 3), np.uint8), np.array([0, 1], np.int32))
    >>> len(split), split.on_disk
    (2, False)
    """

    # [n, ...] uint8, float32 or int32, images [n, h, w, c]; or [n] paths of files.
    images: np.ndarray | Parts
    # Targets [n, ...] int32 or float32; classes are [n], from 0.
    labels: np.ndarray | Parts
    # [n] float32: factors of the examples' losses; `Parts` where each output has some.
    weights: np.ndarray | Parts | None = None

    def __len__(self) -> int:
        """Number of examples."""
        return len(first(self.labels))

    @property
    def on_disk(self) -> bool:
        """Whether the images are files, which are read when a batch needs them."""
        return first(self.images).dtype.kind in "UO"


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, and how its training images are varied.

    A network is fed (x - mean) / std, where bytes x are divided by 255 first and floats
    are taken as they are. Tokens are fed as they are. Of several inputs `image_shape`,
    `mean`, `std`, `as_given` and `inputs` are `ns_tf.parts.Parts`, a part an input.
    """

    name: str  # As `--dataset` takes it.
    # Of an input: (height, width, channels) of an image.
    image_shape: tuple[int, ...] | Parts
    classes: int  # Size of the outputs' last axis; labels are 0 to classes - 1.
    class_names: tuple[str, ...]  # [classes], in the order of the labels.
    train: Split
    validation: Split
    test: Split
    mean: np.ndarray | Parts  # [c] float32, of the last axis; of bytes scaled to 0..1.
    std: np.ndarray | Parts  # [c] float32, likewise, none zero.
    pad: int  # Random crops move an image by at most this many pixels; 0: no crops.
    flip: bool  # Whether half of the training images are mirrored left to right.
    # Whether inputs are fed unscaled: the network scales them.
    as_given: bool | Parts = False
    inputs: str | Parts = PIXELS  # What inputs are: PIXELS, NUMBERS or TOKENS.
    # Names of the arrays that came by name, as `images` and `labels` have them.
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[tuple[int, int, int]]:
        """The shapes of the inputs that are images: those of three axes."""
        return [shape for shape in parts(self.image_shape) if len(shape) == 3]


def renamed(dataset: Dataset, name: str) -> Dataset:
    """The data set under another name.

    Args:
        dataset: The data set.
        name: What `--dataset` and messages call it.
    """
    return dataclasses.replace(dataset, name=name)


def augmented(dataset: Dataset, how: str) -> Dataset:
    """The data set with another variation of its training images.

    Crops have the margin of the set itself, or `crop_margin` where it has none.

    Args:
        dataset: The data set.
        how: "own" for what the set has; "none"; "flip" (half of the images mirrored),
            "crop" (moved at random), or "both".

    Raises:
        InputError: the inputs are no images, so nothing can be moved or mirrored.
    """
    if how == "own":
        return dataset
    if how == "none":
        return dataclasses.replace(dataset, pad=0, flip=False)
    if not dataset.pictures:
        raise InputError(
            f"--augmentation={how} is of images [height, width, channels]; inputs of "
            f"{dataset.name} are {brackets(dataset.image_shape)}. Leave it out."
        )
    pad = dataset.pad or min(map(crop_margin, dataset.pictures))
    return dataclasses.replace(
        dataset,
        pad=pad if how in ("crop", "both") else 0,
        flip=how in ("flip", "both"),
    )


def for_network(dataset: Dataset, scales_pixels: bool | Parts) -> Dataset:
    """The data set as a network takes it.

    Args:
        dataset: The data set.
        scales_pixels: Whether the network scales pixels itself. It is then fed pixels
            as they are: those of uint8 images and of files from 0 to 255. Of several
            inputs it may be `Parts`.

    Returns:
        The data set itself where the network does not; otherwise one `as_given`, whose
        mean is 0 and whose std `[c]` is one unit of its pixels: 1/255 or 1.
    """
    if not any(parts(scales_pixels)):
        return dataset

    def fed(images, mean, std, as_given, scales):
        if not scales:
            return mean, std, as_given
        bytes_ = dataset.train.on_disk or images.dtype == np.uint8
        return np.zeros_like(mean), np.full_like(std, 1 / 255 if bytes_ else 1), True

    own = dataset.mean, dataset.std, dataset.as_given
    found = each(fed, dataset.train.images, *own, scales_pixels)
    mean, std, as_given = (each(operator.itemgetter(i), found) for i in range(3))
    return dataclasses.replace(dataset, mean=mean, std=std, as_given=as_given)


def scaled(dataset: Dataset, way: str) -> Dataset:
    """The data set with its pixels scaled in one of `WAYS`.

    Args:
        dataset: As it was read.
        way: "normalised", "unit" (bytes are divided by 255), or "given".

    Raises:
        InputError: there is no such way.
    """
    if not isinstance(way, str) or way not in WAYS:
        names = ", ".join(WAYS)
        raise InputError(f"Pixels are scaled in one of the ways {names}; got {way!r}.")
    if way == "given":
        return for_network(dataset, True)
    if way == "normalised":
        return dataset
    mean, std = each(np.zeros_like, dataset.mean), each(np.ones_like, dataset.std)
    return dataclasses.replace(dataset, mean=mean, std=std)


def crop_margin(shape: tuple[int, int, int]) -> int:
    """Pixels by which random crops move an image: an eighth of its shorter side.

    >>> crop_margin((32, 32, 3)), crop_margin((64, 48, 3))
    (4, 6)

    4 pixels of 32 are what trainings on CIFAR use.

    Args:
        shape: (height, width, channels).
    """
    return min(shape[:2]) // 8
