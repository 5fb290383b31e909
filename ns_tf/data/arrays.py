"""Data sets of arrays that are in memory.

`from_arrays` is where images and labels enter: it checks shapes, types and values, so
that nothing behind it does. The sources `digits`, `arrays` and `tfds` end in it too.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import NAMELESS, Dataset, Split
from ns_tf.data.holdout import check_fraction, complete, pixel_statistics
from ns_tf.data.images import resize
from ns_tf.data.labels import check_labels
from ns_tf.data.labels import class_names as names_of
from ns_tf.run.checks import check_whole

Pair = tuple[np.ndarray, np.ndarray]  # Images [n, h, w, c], labels [n].


def from_arrays(
    train: Pair,
    *,
    test: Pair | None = None,
    validation: Pair | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    name: str = NAMELESS,
    image_size: int | None = None,
    pad: int = 0,
    flip: bool = False,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """The data set of pairs (images, labels), ready for training.

    Splits that are not given are held out of `train`. Mean and standard deviation are
    those of the training pixels that remain.

    Args:
        train: Images `[n, h, w, c]`, uint8 or float from 0 to 1, and labels `[n]` or
            `[n, 1]`, whole numbers from 0.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        classes: Number of classes; one more than the largest label if None.
        class_names: Names of the classes; their numbers if None.
        name: What the data set is called in messages.
        image_size: Height and width in pixels to resize to; as they are if None.
        pad: Random crops move training images by up to so many pixels.
        flip: Whether training images are mirrored at random.
        validation_fraction: Share of `train` that is held out for each missing split.
        seed: Chooses which images these are.

    Returns:
        The data set: images uint8 or float32, labels int32.

    Raises:
        InputError: images that are not `[n, h, w, c]` of 1, 3 or 4 channels, pixels of
            another type or range, labels that are no numbers of classes, splits that
            differ in shape or type, or an option out of range.
    """
    if image_size is not None:
        check_whole("--image_size", image_size, at_least=1)
    check_fraction(validation_fraction)
    check_whole("--split_seed", seed, at_least=0)
    check_whole("The padding", pad, at_least=0)
    pairs = {"train": train, "validation": validation, "test": test}
    splits = {
        key: _split(f"{name} {key}", pair, image_size)
        for key, pair in pairs.items()
        if pair is not None
    }
    _check_alike(name, splits)
    largest = max(int(split.labels.max()) for split in splits.values())
    names = names_of(name, largest, classes, class_names)
    parts = complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=validation_fraction,
        seed=seed,
    )
    shape = parts[0].images.shape[1:]
    mean, std = pixel_statistics(parts[0], shape)
    return Dataset(name, shape, len(names), names, *parts, mean, std, pad, bool(flip))


def _split(what: str, pair: Pair, size: int | None) -> Split:
    """The pair, checked, as uint8 or float32 images (resized) and int32 labels."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(
            f"{what} is a pair (images, labels); got {type(pair).__name__}."
        )
    images = _check_images(what, np.asarray(pair[0]))
    labels = check_labels(what, np.asarray(pair[1]), len(images))
    if images.dtype != np.uint8:
        images = images.astype(np.float32, copy=False)
    return Split(images if size is None else resize(images, (size, size)), labels)


def _check_images(what: str, images: np.ndarray) -> np.ndarray:
    """The images `[n, h, w, c]`, if shape, type and values are those of images."""
    if images.ndim != 4:
        raise InputError(
            f"{what}: images are [n, height, width, channels]; got an array of shape "
            f"{list(images.shape)}. Gray images need a channel axis: images[..., None]."
        )
    if not images.size:
        raise InputError(
            f"{what} has no images: its shape is {list(images.shape)}; give at least "
            "one."
        )
    if images.shape[3] not in (1, 3, 4):
        raise InputError(
            f"{what}: images have 1, 3 or 4 channels, in the last axis; got "
            f"{images.shape[3]} in the shape {list(images.shape)}. Is it [n, c, h, w]? "
            "np.moveaxis(images, 1, -1) mends that."
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(
            f"{what}: pixels are uint8 (0..255) or float (0..1); got {images.dtype}. "
            "Convert with images.astype('uint8')."
        )
    if images.dtype.kind == "f":
        _check_scale(what, images)
    return images


def _check_scale(what: str, images: np.ndarray) -> None:
    """Passes float pixels from 0 to 1.

    Exported networks take pixels from 0 to 255 and divide them by 255: a network that
    was trained on pixels of another scale would be exported wrongly.
    """
    low, high = float(images.min()), float(images.max())
    if not np.isfinite((low, high)).all():
        bad = int(np.argmin(np.isfinite(images).all(axis=(1, 2, 3))))
        raise InputError(
            f"{what}: pixels are finite numbers; image {bad} has NaN or infinity. "
            "Remove or repair it."
        )
    if low < 0 or high > 1:
        raise InputError(
            f"{what}: float pixels lie between 0 and 1; these go from {low:.4g} to "
            f"{high:.4g}. Divide by 255, or give uint8: ns_tf itself subtracts the "
            "mean and divides by the standard deviation."
        )


def _check_alike(name: str, splits: Mapping[str, Split]) -> None:
    """Passes splits whose images have the shape and the type of the training images."""
    expected = splits["train"].images
    for key, split in splits.items():
        images = split.images
        if images.shape[1:] != expected.shape[1:] or images.dtype != expected.dtype:
            raise InputError(
                f"{name} {key}: images have to be like the training images, "
                f"{expected.dtype} {list(expected.shape[1:])}; got {images.dtype} "
                f"{list(images.shape[1:])}. Give an image size, or convert them."
            )
