"""Images that are already in memory: arrays, tf.data, an .npz file."""

from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.data import holdout
from ns_tf.data import images as data_images
from ns_tf.data.dataset import NAMELESS, Dataset, Split
from ns_tf.data.holdout import pixel_statistics
from ns_tf.data.sources import Request
from ns_tf.run.checks import check_whole

MAX_CLASSES = 1_000_000  # A label beyond is a mistake, such as an identifier.
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
    """A data set of (images, labels) pairs.

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
        validation_fraction: Share of `train` that is held out, for each.
        seed: Chooses what is held out.

    Raises:
        InputError: images or labels that are none, with the reason.
    """
    request = Request(
        name,
        image_size=image_size,
        validation_fraction=validation_fraction,
        seed=seed,
    )
    request.check()
    check_whole("The padding", pad, at_least=0)
    pairs = {"train": train, "validation": validation, "test": test}
    splits = {
        key: _split(f"{name} {key}", pair, request.square())
        for key, pair in pairs.items()
        if pair is not None
    }
    _check_alike(name, splits)
    names = _class_names(name, splits, classes, class_names)
    parts = holdout.complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=validation_fraction,
        seed=seed,
    )
    shape = parts[0].images.shape[1:]
    mean, std = pixel_statistics(parts[0], shape)
    return Dataset(name, shape, len(names), names, *parts, mean, std, pad, bool(flip))


def _split(what: str, pair: Pair, size: tuple[int, int] | None) -> Split:
    """The pair, checked, as uint8 or float32 images and int32 labels."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(f"{what} is a pair (images, labels); got {_kind(pair)}.")
    images = _check_images(what, np.asarray(pair[0]))
    labels = _check_labels(what, np.asarray(pair[1]), len(images))
    if images.dtype != np.uint8:
        images = images.astype(np.float32, copy=False)
    return Split(images if size is None else data_images.resize(images, size), labels)


def _check_images(what: str, images: np.ndarray) -> np.ndarray:
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
    """Float pixels are 0..1: exported networks take 0..255 and divide them by 255."""
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


def _check_labels(what: str, labels: np.ndarray, count: int) -> np.ndarray:
    if labels.shape == (count, 1):  # As keras.datasets has them.
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise InputError(
            f"{what}: {count} images need labels of shape [{count}]; got "
            f"{list(labels.shape)}. One-hot labels: labels.argmax(-1)."
        )
    if labels.dtype.kind not in "iu":
        raise InputError(
            f"{what}: labels are whole numbers; got {labels.dtype}. Convert with "
            "labels.astype('int32')."
        )
    bad = (labels < 0) | (labels >= MAX_CLASSES)
    if bad.any():
        place = int(bad.argmax())
        raise InputError(
            f"{what}: labels are the numbers of classes, from 0; label {place} is "
            f"{labels[place]}. Leave unlabelled images out, and number the classes."
        )
    return labels.astype(np.int32)


def _check_alike(name: str, splits: Mapping[str, Split]) -> None:
    expected = splits["train"].images
    for key, split in splits.items():
        images = split.images
        if images.shape[1:] != expected.shape[1:] or images.dtype != expected.dtype:
            raise InputError(
                f"{name} {key}: images have to be like the training images, "
                f"{expected.dtype} {list(expected.shape[1:])}; got {images.dtype} "
                f"{list(images.shape[1:])}. Give an image size, or convert them."
            )


def _class_names(
    name: str,
    splits: Mapping[str, Split],
    classes: int | None,
    class_names: Sequence[str] | None,
) -> tuple[str, ...]:
    """The names, given or made up, if all labels have one."""
    largest = max(int(split.labels.max()) for split in splits.values())
    if classes is None:
        classes = largest + 1 if class_names is None else len(class_names)
    check_whole(f"{name}: the number of classes", classes, at_least=2)
    names = tuple(class_names or (str(label) for label in range(classes)))
    if len(names) != classes:
        raise InputError(
            f"{name} has {classes} classes but {len(names)} class names: "
            f"{', '.join(names[:5])} ...; give one a class."
        )
    if largest >= classes:
        raise InputError(
            f"{name}: labels of {classes} classes are 0 to {classes - 1}; the largest "
            f"is {largest}. Give classes={largest + 1}, or mend the labels."
        )
    return names


def _kind(value) -> str:
    return f"{type(value).__name__}"
