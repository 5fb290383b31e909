"""Data sets of arrays that are in memory.

`from_arrays` is where inputs and targets enter: it checks shapes, types and values.
What targets have to be is checked by the task (`ns_tf.problem.tasks`). The sources
`digits`, `arrays` and `tfds` end in it too.
"""

import dataclasses
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import NAMELESS, SPLITS, TOKENS, Dataset, Split
from ns_tf.data.holdout import complete, pixel_statistics
from ns_tf.data.images import resize
from ns_tf.data.inputs import check_inputs, kind_of
from ns_tf.data.labels import are_classes, check_targets
from ns_tf.data.labels import class_names as names_of
from ns_tf.data.structure import arrays_in, count_in, names_in, reordered
from ns_tf.data.weights import ClassWeight, alike, check_class_weight, weights_in
from ns_tf.parts import Parts, brackets, each, first, parts
from ns_tf.run.checks import check_fraction, check_whole

Pair = tuple[np.ndarray, np.ndarray]  # Inputs [n, ...], targets [n, ...].
# Inputs, targets, perhaps weights; each may be several arrays.
Given = Pair | tuple[Any, Any] | tuple[Any, Any, Any]


def from_arrays(
    train: Given,
    *,
    test: Given | None = None,
    validation: Given | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    class_weight: ClassWeight | None = None,
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
            losses. Of a model with several inputs or outputs each may be a dictionary
            by name or a tuple of arrays; weights `[n]` are of all outputs.
        test: The same; held out of `train` if None.
        validation: The same; held out of `train` if None.
        classes: Number of classes; one more than the largest label if None. Of targets
            that are no classes, the size of their last axis.
        class_names: Names of the classes; their numbers if None.
        class_weight: Class -> factor of the losses of its examples; of several outputs
            a dictionary of such by output.
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
    if not isinstance(name, str):
        raise InputError(f"name is what the data set is called, a text; got {name!r}.")
    check_fraction(validation_fraction)
    check_whole("--split_seed", seed, at_least=0)
    check_whole("The padding", pad, at_least=0)
    pairs = {"train": train, "validation": validation, "test": test}
    pairs = {
        key: _checked(f"{name} {key}", pair)
        for key, pair in pairs.items()
        if pair is not None or key == "train"
    }
    by_name = names_in(pairs["train"][0]), names_in(pairs["train"][1])
    splits = {
        key: _split(f"{name} {key}", pair, by_name, image_size, class_weight)
        for key, pair in pairs.items()
    }
    _check_alike(name, splits)
    splits = _weighted(splits)
    names = _names(name, splits, classes, class_names)
    targets = [split.labels for split in splits.values()]
    check_class_weight(name, class_weight, targets, by_name[1], len(names))
    whole = complete(
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        fraction=validation_fraction,
        seed=seed,
    )
    facts = _facts(whole[0], splits.values())
    made = Dataset(
        name,
        classes=len(names),
        class_names=names,
        **dict(zip(SPLITS, whole, strict=True)),
        **facts,
        pad=pad,
        flip=bool(flip),
        input_names=by_name[0],
        output_names=by_name[1],
    )
    _check_variation(made)
    return made


def with_inputs(dataset: Dataset, inputs: Sequence[np.ndarray | Parts]) -> Dataset:
    """The data set with other inputs, told anew what they are; targets stay.

    Args:
        dataset: The data set.
        inputs: Of train, validation and test, in this order.
    """
    splits = {
        name: dataclasses.replace(getattr(dataset, name), images=part)
        for name, part in zip(SPLITS, inputs, strict=True)
    }
    facts = _facts(splits["train"], splits.values())
    return dataclasses.replace(dataset, **splits, **facts)


def _facts(train: Split, splits: Iterable[Split]) -> dict[str, Any]:
    """Shapes, kinds and statistics of the inputs, as fields of a `Dataset`.

    Args:
        train: What mean and deviation are of.
        splits: All examples there are, which say what inputs are.
    """
    kinds = each(lambda *arrays: kind_of(arrays), *(one.images for one in splits))

    def moments(images, kind):
        """(mean [c], std [c]); 0 and 1 of what is fed as it is."""
        if kind == TOKENS:
            size = images.shape[-1]
            return np.zeros(size, np.float32), np.ones(size, np.float32)
        return pixel_statistics(Split(images, train.labels), images.shape[1:])

    found = each(moments, train.images, kinds)
    mean, std = (each(operator.itemgetter(i), found) for i in range(2))
    return {
        "image_shape": each(lambda images: images.shape[1:], train.images),
        "mean": mean,
        "std": std,
        "as_given": each(lambda kind: kind == TOKENS, kinds),
        "inputs": kinds,
    }


def _names(
    name: str,
    splits: Mapping[str, Split],
    classes: int | None,
    class_names: Sequence[str] | None,
) -> tuple[str, ...]:
    """A name for each class; for each entry of the last axis of other targets.

    Of several targets those of the first.
    """
    labels = [first(split.labels) for split in splits.values()]
    if all(map(are_classes, labels)):
        largest = max(int(part.max()) for part in labels)
        return names_of(name, largest, classes, class_names)
    size = labels[0].shape[-1] if labels[0].ndim == 2 else 1
    if class_names is not None or classes is not None:
        return names_of(name, 0, classes, class_names)
    return tuple(str(place) for place in range(size))


def _checked(what: str, given: Any) -> Given:
    """What is given of a split, if it is two or three things.

    Raises:
        InputError: it is anything else.
    """
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise InputError(
            f"{what} is (inputs, targets) or (inputs, targets, weights); got "
            f"{type(given).__name__}."
        )
    return given


def _split(
    what: str,
    given: Given,
    names: tuple[Sequence[str], Sequence[str]],
    size: int | None,
    class_weight: ClassWeight | None,
) -> Split:
    """What is given, checked: inputs (images resized), targets, weights if any.

    Args:
        what: Data set and split, as messages begin.
        given: Inputs, targets, perhaps weights.
        names: Of the training's inputs and targets, where these came by name.
        size: Height and width that images are resized to.
        class_weight: Class -> factor.
    """
    known = [count_in(one) for one in given[:2]]
    known = next((count for count in known if count is not None), None)
    inputs, targets = (
        reordered(what, arrays_in(one, known), names_in(one), own)
        for one, own in zip(given[:2], names, strict=True)
    )
    inputs = each(lambda one: check_inputs(what, one), inputs)
    count = len(first(inputs))
    _check_count(what, inputs, count)
    targets = each(lambda one: check_targets(what, one, count), targets)
    own = given[2] if len(given) == 3 else None
    weights = weights_in(what, own, class_weight, targets, names[1])
    if size is not None:
        inputs = _resized(what, inputs, size)
    return Split(inputs, targets, weights)


def _check_count(what: str, inputs: np.ndarray | Parts, count: int) -> None:
    """Passes several inputs of one number of examples."""
    counts = [len(one) for one in parts(inputs)]
    if set(counts) != {count}:
        raise InputError(
            f"{what}: all inputs have the same number of examples; got "
            f"{', '.join(map(str, counts))}."
        )


def _weighted(splits: dict[str, Split]) -> dict[str, Split]:
    """The splits, all with weights of one form if any has them."""
    weights = alike([one.weights for one in splits.values()], map(len, splits.values()))
    return {
        key: dataclasses.replace(split, weights=own)
        for (key, split), own in zip(splits.items(), weights, strict=True)
    }


def _resized(what: str, inputs: np.ndarray | Parts, size: int) -> np.ndarray | Parts:
    """The inputs with images `[n, size, size, c]`.

    Raises:
        InputError: none of them are images.
    """

    def is_image(one):
        return one.ndim == 4 and one.dtype != np.int32

    if all(one.shape[1:3] == (size, size) for one in parts(inputs)):
        return inputs
    if not any(map(is_image, parts(inputs))):
        got = ", ".join(f"{one.dtype} {list(one.shape)}" for one in parts(inputs))
        raise InputError(
            f"{what}: --image_size resizes images [n, height, width, channels]; got "
            f"{got}. Leave it out."
        )
    return each(lambda x: resize(x, (size, size)) if is_image(x) else x, inputs)


def _check_variation(dataset: Dataset) -> None:
    """Refuses crops and flips where no input is an image."""
    if (dataset.pad or dataset.flip) and not dataset.pictures:
        raise InputError(
            f"{dataset.name}: pad and flip are of images [height, width, channels]; "
            f"inputs are {brackets(dataset.image_shape)}. Leave both out."
        )


def _check_alike(name: str, splits: Mapping[str, Split]) -> None:
    """Passes splits whose examples have the shapes and the types of the training's."""

    def about(value):
        """Types and shapes of the examples, in words."""
        texts = [f"{one.dtype} {list(one.shape[1:])}" for one in parts(value)]
        return ", ".join(texts)

    for part, words in (("images", "inputs"), ("labels", "targets")):
        expected = about(getattr(splits["train"], part))
        for key, split in splits.items():
            found = about(getattr(split, part))
            if found != expected:
                raise InputError(
                    f"{name} {key}: {words} have to be like those for training, "
                    f"{expected}; got {found}. Convert or resize them."
                )
