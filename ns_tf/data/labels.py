"""Class labels: whole numbers from 0, one an image, and a name for each class."""

from collections.abc import Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.run.checks import check_whole

MAX_CLASSES = 1_000_000  # A larger label is a mistake, such as an identifier.


def check_labels(what: str, labels: np.ndarray, count: int) -> np.ndarray:
    """The labels `[count]` as int32, if they are numbers of classes.

    >>> check_labels("mine", np.array([[2], [0], [1]]), 3).tolist()
    [2, 0, 1]

    Args:
        what: What the labels belong to, as messages begin.
        labels: `[count]` or `[count, 1]`, as keras.datasets has them.
        count: Number of images.

    Raises:
        InputError: another shape (one-hot labels, say), labels that are no whole
            numbers, negative ones, or one from `MAX_CLASSES` on.
    """
    if labels.shape == (count, 1):
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


def class_names(
    what: str, largest: int, classes: int | None, names: Sequence[str] | None
) -> tuple[str, ...]:
    """A name for each class `[classes]`; the numbers of the classes if there are none.

    >>> class_names("mine", 2, None, None)
    ('0', '1', '2')
    >>> class_names("mine", 1, None, ["cat", "dog", "emu"])
    ('cat', 'dog', 'emu')

    Args:
        what: The data set, as messages begin.
        largest: Largest label of all splits.
        classes: Number of classes; of the names if None, else `largest + 1`.
        names: Names of the classes, in the order of their labels.

    Raises:
        InputError: fewer than two classes, another number of names than of classes, or
            a label beyond the last class.
    """
    if classes is None:
        classes = largest + 1 if names is None else len(names)
    check_whole(f"{what}: the number of classes", classes, at_least=2)
    names = tuple(names or (str(label) for label in range(classes)))
    if len(names) != classes:
        raise InputError(
            f"{what} has {classes} classes but {len(names)} class names: "
            f"{', '.join(names[:5])} ...; give one a class."
        )
    if largest >= classes:
        raise InputError(
            f"{what}: labels of {classes} classes are 0 to {classes - 1}; the largest "
            f"is {largest}. Give classes={largest + 1}, or mend the labels."
        )
    return names
