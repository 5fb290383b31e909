"""Images that are already in memory: arrays, tf.data, an .npz file."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ns_tf import datasets
from ns_tf.base import InputError
from ns_tf.image_files import Split, resize
from ns_tf.pipeline import SPLITS, Dataset

if TYPE_CHECKING:
    import tensorflow as tf

MAX_CLASSES = 1_000_000  # A label beyond is a mistake, such as an identifier.

Pair = tuple[np.ndarray, np.ndarray]  # Images [n, h, w, c], labels [n].


def from_arrays(
    train: Pair,
    *,
    test: Pair | None = None,
    validation: Pair | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    name: str = datasets.NAMELESS,
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
    request = datasets.Request(
        name,
        image_size=image_size,
        validation_fraction=validation_fraction,
        seed=seed,
    )
    request.check()
    datasets.check_whole("The padding", pad, at_least=0)
    pairs = {"train": train, "validation": validation, "test": test}
    splits = {
        key: _split(f"{name} {key}", pair, request.square())
        for key, pair in pairs.items()
        if pair is not None
    }
    _check_alike(name, splits)
    names = _class_names(name, splits, classes, class_names)
    parts = datasets.complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=validation_fraction,
        seed=seed,
    )
    shape = parts[0].images.shape[1:]
    mean, std = datasets.pixel_statistics(parts[0], shape)
    return Dataset(name, shape, len(names), names, *parts, mean, std, pad, bool(flip))


def from_tf_data(
    train: "tf.data.Dataset",
    *,
    test: "tf.data.Dataset | None" = None,
    validation: "tf.data.Dataset | None" = None,
    **options,
) -> Dataset:
    """A data set of finite `tf.data.Dataset`s of (image, label), batched or not.

    They are read once, into memory, and put in an order of their content: a search that
    resumes must find any batch again, of shuffled data sets too (`in_order`).

    Args:
        train: Elements (image `[h, w, c]`, label) or batches of them.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        **options: As for `from_arrays`.

    Raises:
        InputError: an endless data set, elements of another kind, images of several
            sizes; and as `from_arrays`.
    """
    given = {"train": train, "validation": validation, "test": test}
    pairs = {
        key: _materialise(key, elements)
        for key, elements in given.items()
        if elements is not None
    }
    return from_arrays(pairs.pop("train"), **pairs, **options)


@datasets.DATASETS.register("arrays")
def load_arrays(request: datasets.Request) -> Dataset:
    """`arrays:/path.npz`: the arrays `x_train`, `y_train`, and so for the other splits.

    Raises:
        InputError: no such file, no such arrays in it; and as `from_arrays`.
    """
    path = datasets.existing(request.argument, "an .npz file")
    try:
        # np.load alone would take a single array (.npy) as well.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"Expected an .npz file of plain arrays at {path}; it cannot be read as "
            "one. Write it with np.savez."
        ) from error
    pairs = {key: _pair_of(arrays, key, path) for key in SPLITS}
    return from_arrays(
        pairs["train"],
        test=pairs["test"],
        validation=pairs["validation"],
        name=request.name,
        image_size=request.image_size,
        validation_fraction=request.validation_fraction,
        seed=request.seed,
    )


def _pair_of(arrays: Mapping[str, np.ndarray], key: str, path) -> Pair | None:
    wanted = f"x_{key}", f"y_{key}"
    missing = [name for name in wanted if name not in arrays]
    if not missing:
        return arrays[wanted[0]], arrays[wanted[1]]
    if len(missing) == 1 or key == "train":
        raise InputError(
            f"{path} has to hold x_{key} and y_{key}; it holds "
            f"{', '.join(sorted(arrays)) or 'nothing'}. Write both with np.savez."
        )
    return None


def _split(what: str, pair: Pair, size: tuple[int, int] | None) -> Split:
    """The pair, checked, as uint8 or float32 images and int32 labels."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(f"{what} is a pair (images, labels); got {_kind(pair)}.")
    images = _check_images(what, np.asarray(pair[0]))
    labels = _check_labels(what, np.asarray(pair[1]), len(images))
    if images.dtype != np.uint8:
        images = images.astype(np.float32, copy=False)
    return Split(images if size is None else resize(images, size), labels)


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
    datasets.check_whole(f"{name}: the number of classes", classes, at_least=2)
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


def _materialise(key: str, elements: "tf.data.Dataset") -> Pair:
    """All elements in two arrays."""
    import tensorflow as tf

    if not isinstance(elements, tf.data.Dataset):
        raise InputError(
            f"{key} has to be a tf.data.Dataset; got {_kind(elements)}. For arrays "
            "there is from_arrays."
        )
    _check_elements(key, elements)
    images, labels = [], []
    for image, label in elements.as_numpy_iterator():
        single = image.ndim == 3
        images.append(image[None] if single else image)
        labels.append(np.asarray(label)[None] if single else label)
        _check_growth(key, images)
    if not images:
        raise InputError(f"{key} is an empty data set; give at least one element.")
    pair = np.concatenate(images), np.concatenate(labels)
    return in_order(*pair) if len(pair[0]) == len(pair[1]) else pair  # Refused later.


def in_order(images: np.ndarray, labels: np.ndarray) -> Pair:
    """The pair in an order that only its content decides, whatever its own was."""
    digests = [
        hashlib.sha256(image.tobytes() + np.asarray(label).tobytes()).digest()
        for image, label in zip(images, labels, strict=True)
    ]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return images[order], labels[order]


def _check_elements(key: str, elements: "tf.data.Dataset") -> None:
    import tensorflow as tf

    spec = elements.element_spec
    tensors = isinstance(spec, tuple) and all(
        isinstance(part, tf.TensorSpec) for part in spec
    )
    if not tensors or len(spec) != 2 or spec[0].shape.rank not in (None, 3, 4):
        raise InputError(
            f"{key}: elements are (image [h, w, c], label) or batches of them; got "
            f"{spec}. Use .map to bring them into that form."
        )
    if elements.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(
            f"{key} is endless, and a search that can resume needs finite data; use "
            ".take(n), or leave .repeat() out."
        )


def _check_growth(key: str, images: Sequence[np.ndarray]) -> None:
    """Stops at an image of another size, and before memory runs out."""
    shape, expected = images[-1].shape[1:], images[0].shape[1:]
    if shape != expected:
        raise InputError(
            f"{key}: images have one size; got {list(expected)} and {list(shape)}. "
            "Resize them in .map, before batching."
        )
    # A data set of unknown length may be endless.
    if len(images) % 1000 == 0:
        size = images[0].dtype.itemsize
        count = sum(len(batch) for batch in images)
        remedy = "use .take(n) if it is endless, or image files (folder:/path)"
        datasets.check_memory(key, count * size, expected, remedy)


def _kind(value) -> str:
    return f"{type(value).__name__}"
