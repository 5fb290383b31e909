"""A data set as a value: its splits, how pixels are scaled and images varied."""

import dataclasses

import numpy as np

NAMELESS = "arrays"  # What a data set of arrays is called that was given no name.
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images with their classes."""

    images: np.ndarray  # [n, h, w, c] uint8 or float32; or [n] str: paths of files.
    labels: np.ndarray  # [n] int32.

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_disk(self) -> bool:
        """Whether the images are files, read when a batch needs them."""
        return self.images.dtype.kind in "UO"


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """An image classification data set, and how its training images are varied.

    Pixels are 0..1: uint8 images are divided by 255, float images are taken as they
    are. `mean` and `std` are in that unit.
    """

    name: str  # As `--dataset` takes it.
    image_shape: tuple[int, int, int]  # (height, width, channels).
    classes: int
    class_names: tuple[str, ...]  # [classes]
    train: Split
    validation: Split
    test: Split
    mean: np.ndarray  # [c] float32
    std: np.ndarray  # [c] float32, none zero.
    pad: int  # Random crops move the image by up to so many pixels; 0 for no crops.
    flip: bool  # Whether half of the training images are mirrored left to right.
    as_given: bool = False  # Pixels are left as they are: the network scales them.


def renamed(dataset: Dataset, name: str) -> Dataset:
    """The data set under another name."""
    return dataclasses.replace(dataset, name=name)


def augmented(dataset: Dataset, how: str) -> Dataset:
    """The data set with its training images varied otherwise.

    Args:
        dataset: The data set.
        how: "own" (as it is), "none", "flip" (mirrored), "crop" (moved within a
            border, of the set's own size or `crop_margin`), "both".
    """
    if how == "own":
        return dataset
    pad = dataset.pad or crop_margin(dataset.image_shape)
    return dataclasses.replace(
        dataset,
        pad=pad if how in ("crop", "both") else 0,
        flip=how in ("flip", "both"),
    )


def for_network(dataset: Dataset, scales_pixels: bool) -> Dataset:
    """The data set as a network takes it.

    Args:
        dataset: The data set.
        scales_pixels: Whether the network itself scales pixels: it gets them as they
            are given, uint8 ones from 0 to 255.
    """
    if not scales_pixels:
        return dataset
    whole = dataset.train.on_disk or dataset.train.images.dtype == np.uint8
    std = np.full_like(dataset.std, 1 / 255 if whole else 1)
    return dataclasses.replace(
        dataset, mean=np.zeros_like(dataset.mean), std=std, as_given=True
    )


def crop_margin(shape: tuple[int, int, int]) -> int:
    """Pixels that random crops move an image by: 4 for 32, as is usual for CIFAR."""
    return min(shape[:2]) // 8
