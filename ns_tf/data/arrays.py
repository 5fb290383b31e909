"""Data sets of arrays that are in memory.

`from_arrays` is where inputs and targets enter: it checks shapes, types and values.
What targets have to be is checked by the task (`ns_tf.problem.tasks`). The sources
`digits`, `arrays` and `tfds` end in it too.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import NAMELESS, TOKENS, Dataset, Split
from ns_tf.data.holdout import check_fraction, complete, pixel_statistics
from ns_tf.data.images import resize
from ns_tf.data.inputs import check_inputs, kind_of
from ns_tf.data.labels import (
    are_classes,
    check_targets,
    check_weights,
    weights_of_classes,
)
from ns_tf.data.labels import class_names as names_of
from ns_tf.run.checks import check_whole

Pair = tuple[np.ndarray, np.ndarray]  # Inputs [n, ...], targets [n, ...].
Parts = Pair | tuple[np.ndarray, np.ndarray, np.ndarray | None]  # With weights [n].


def from_arrays(
    train: Parts,
    *,
    test: Parts | None = None,
    validation: Parts | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    class_weight: Mapping[int, float] | None = None,
    name: str = NAMELESS,
    image_size: int | None = None,
    pad: int = 0,
    flip: bool = False,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """The data set of (inputs, targets), ready for training.

    Splits that are not given are held out of `train`. Mean and standard deviation are
    those of the training inputs that remain. Bytes and floats are normalised by them,
    unless the network scales its inputs itself or `pixels="given"` is asked for; whole
    numbers are fed as they are.

    Args:
        train: (inputs, targets) or (inputs, targets, weights). Inputs `[n, ...]` are
            images `[n, h, w, c]`, sequences, tokens, rows of a table, volumes: bytes,
            floats of any range or whole numbers. Targets `[n, ...]` are whole numbers
            or floats, classes `[n]` or `[n, 1]`. Weights `[n]` are factors of the
            losses.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        classes: Number of classes; one more than the largest label if None. Of targets
            that are no classes, the size of their last axis.
        class_names: Names of the classes; their numbers if None.
        class_weight: Class -> factor of the losses of its examples.
        name: What the data set is called in messages.
        image_size: Height and width in pixels to resize to; as they are if None.
        pad: Random crops move training images by up to so many pixels.
        flip: Whether training images are mirrored at random.
        validation_fraction: Share of `train` that is held out for each missing split.
        seed: Chooses which images these are.

    Returns:
        The data set: inputs uint8, float32 or int32, targets int32 or float32.

    Raises:
        InputError: values that are no finite numbers, other numbers of targets than of
            inputs, splits that differ in shape or type, or an option out of range.
    """
    if image_size is not None:
        check_whole("--image_size", image_size, at_least=1)
    check_fraction(validation_fraction)
    check_whole("--split_seed", seed, at_least=0)
    check_whole("The padding", pad, at_least=0)
    pairs = {"train": train, "validation": validation, "test": test}
    splits = {
        key: _split(f"{name} {key}", pair, image_size, class_weight)
        for key, pair in pairs.items()
        if pair is not None
    }
    _check_alike(name, splits)
    splits = _weighted(splits)
    names = _names(name, splits, classes, class_names)
    parts = complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=validation_fraction,
        seed=seed,
    )
    shape = parts[0].images.shape[1:]
    _check_variation(name, shape, pad, flip)
    kind = kind_of(split.images for split in splits.values())
    if kind == TOKENS:
        mean, std = np.zeros(shape[-1], np.float32), np.ones(shape[-1], np.float32)
    else:
        mean, std = pixel_statistics(parts[0], shape)
    numbers = mean, std, pad, bool(flip), kind == TOKENS, kind
    return Dataset(name, shape, len(names), names, *parts, *numbers)


def _names(
    name: str,
    splits: Mapping[str, Split],
    classes: int | None,
    class_names: Sequence[str] | None,
) -> tuple[str, ...]:
    """A name for each class; for each entry of the last axis of other targets."""
    labels = [split.labels for split in splits.values()]
    if all(map(are_classes, labels)):
        largest = max(int(part.max()) for part in labels)
        return names_of(name, largest, classes, class_names)
    first = labels[0]
    size = first.shape[-1] if first.ndim == 2 else 1
    if class_names is not None or classes is not None:
        return names_of(name, 0, classes, class_names)
    return tuple(str(place) for place in range(size))


def _split(
    what: str,
    parts: Parts,
    size: int | None,
    class_weight: Mapping[int, float] | None,
) -> Split:
    """The parts, checked: inputs (images resized), targets, weights if any."""
    if not isinstance(parts, (tuple, list)) or len(parts) not in (2, 3):
        raise InputError(
            f"{what} is (inputs, targets) or (inputs, targets, weights); got "
            f"{type(parts).__name__}."
        )
    inputs = check_inputs(what, np.asarray(parts[0]))
    targets = check_targets(what, np.asarray(parts[1]), len(inputs))
    weights = None
    if len(parts) == 3 and parts[2] is not None:
        weights = check_weights(what, np.asarray(parts[2]), len(inputs))
    if class_weight is not None:
        by_class = weights_of_classes(what, targets, class_weight)
        by_class = check_weights(what, by_class, len(inputs))
        weights = by_class if weights is None else weights * by_class
    if size is not None:
        inputs = _resized(what, inputs, size)
    return Split(inputs, targets, weights)


def _weighted(splits: dict[str, Split]) -> dict[str, Split]:
    """The splits, with weights of 1 where another split has weights."""
    if all(split.weights is None for split in splits.values()):
        return splits
    return {
        key: split
        if split.weights is not None
        else dataclasses.replace(split, weights=np.ones(len(split), np.float32))
        for key, split in splits.items()
    }


def _resized(what: str, inputs: np.ndarray, size: int) -> np.ndarray:
    """The images `[n, size, size, c]`.

    Raises:
        InputError: they are no images.
    """
    if inputs.ndim != 4 or inputs.dtype == np.int32:
        raise InputError(
            f"{what}: --image_size resizes images [n, height, width, channels]; got "
            f"{inputs.dtype} {list(inputs.shape)}. Leave it out."
        )
    return resize(inputs, (size, size))


def _check_variation(name: str, shape: tuple, pad: int, flip: bool) -> None:
    """Refuses crops and flips of what is no image."""
    if (pad or flip) and len(shape) != 3:
        raise InputError(
            f"{name}: pad and flip are of images [height, width, channels]; inputs are "
            f"{list(shape)}. Leave both out."
        )


def _check_alike(name: str, splits: Mapping[str, Split]) -> None:
    """Passes splits whose examples have the shapes and the types of the training's."""
    for part, words in (("images", "inputs"), ("labels", "targets")):
        expected = getattr(splits["train"], part)
        for key, split in splits.items():
            array = getattr(split, part)
            if (array.shape[1:], array.dtype) != (expected.shape[1:], expected.dtype):
                raise InputError(
                    f"{name} {key}: {words} have to be like those for training, "
                    f"{expected.dtype} {list(expected.shape[1:])}; got {array.dtype} "
                    f"{list(array.shape[1:])}. Convert or resize them."
                )
