"""Targets of examples as arrays, and a name for each class."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.config import MOST_CLASSES
from ns_tf.data.dataset import SPLITS, Dataset
from ns_tf.data.inputs import as_float32
from ns_tf.run.checks import check_whole

MAX_CLASSES = 1_000_000  # Larger labels are quantities, and no classes.


def check_targets(what: str, targets: np.ndarray, count: int) -> np.ndarray:
    """The targets as int32 or float32, one an example; of any shape.

    Whether they are those of the task is checked by the task, which knows the network.

    >>> check_targets("mine", np.array([[2], [0], [1]]), 3).tolist()
    [2, 0, 1]
    >>> check_targets("mine", np.array([[0.5], [0.25]]), 2).tolist()
    [[0.5], [0.25]]

    Args:
        what: What the targets belong to, as messages begin.
        targets: `[count, ...]`; a column `[count, 1]` of whole numbers is made
            `[count]`, as classes of keras.datasets are.
        count: Number of examples.

    Raises:
        InputError: another number of targets, or targets that are no finite numbers.
    """
    if targets.shape[:1] != (count,):
        raise InputError(
            f"{what}: {count} examples need {count} targets, in the first axis; got "
            f"the shape {list(targets.shape)}."
        )
    if targets.dtype.kind not in "biuf":
        raise InputError(
            f"{what}: targets are numbers; got {targets.dtype}. Number the classes "
            "from 0."
        )
    if targets.dtype.kind == "f":
        targets = as_float32(targets)
        if not np.isfinite(targets).all():
            raise InputError(f"{what}: targets are finite numbers; some are not.")
        return targets
    if targets.size and not -(2**31) <= targets.min() <= targets.max() < 2**31:
        raise InputError(f"{what}: whole targets have to fit into 32 bits.")
    column = targets.shape == (count, 1)
    return (targets[:, 0] if column else targets).astype(np.int32)


def are_classes(targets: np.ndarray) -> bool:
    """Whether targets are one whole number an example, from 0.

    >>> are_classes(np.array([2, 0])), are_classes(np.array([0.5, 0.0]))
    (True, False)

    Args:
        targets: `[n, ...]`.
    """
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        return False
    return bool((targets >= 0).all() and (targets < MAX_CLASSES).all())


def one_hot(targets: np.ndarray) -> bool:
    """Whether every row `[n, classes]` is 1 at one place and 0 elsewhere.

    >>> one_hot(np.eye(3)), one_hot(np.ones((2, 2))), one_hot(np.array([[1], [1]]))
    (True, False, False)
    """
    if targets.ndim != 2 or targets.shape[1] < 2 or not zeros_and_ones(targets):
        return False
    return bool((targets.sum(axis=1) == 1).all())


def distributions(targets: np.ndarray) -> bool:
    """Whether every row `[n, classes]` is one of probabilities: from 0, of sum 1.

    >>> distributions(np.array([[0.25, 0.75]])), distributions(np.array([[0.5, 1.0]]))
    (True, False)
    """
    if targets.ndim != 2 or targets.shape[1] < 2:
        return False
    sums = targets.sum(axis=1)
    return bool((targets >= 0).all() and (np.abs(sums - 1) < 1e-3).all())


def zeros_and_ones(targets: np.ndarray) -> bool:
    """Whether all targets are 0 or 1.

    >>> zeros_and_ones(np.array([1.0, 0.0])), zeros_and_ones(np.array([2, 0]))
    (True, False)
    """
    return bool(np.isin(targets, (0, 1)).all())


def _are_texts(names: object) -> bool:
    """Whether these are several texts, and not one."""
    several = isinstance(names, Sequence) or np.ndim(names) == 1
    if not several or isinstance(names, str):
        return False
    return all(isinstance(name, str) for name in names)


def with_targets(
    dataset: Dataset, targets: Sequence[np.ndarray], classes: int | None = None
) -> Dataset:
    """The data set with other targets; inputs and weights stay.

    Args:
        dataset: The data set.
        targets: Of train, validation and test, in this order.
        classes: Size of the outputs' last axis; the data set's if None. Class names
            stay if there are as many, or become numbers.
    """
    names = dataset.class_names
    if classes is not None and len(names) != classes:
        names = tuple(str(place) for place in range(classes))
    splits = {
        name: dataclasses.replace(getattr(dataset, name), labels=part)
        for name, part in zip(SPLITS, targets, strict=True)
    }
    size = dataset.classes if classes is None else classes
    return dataclasses.replace(dataset, classes=size, class_names=names, **splits)


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
    if names is not None and not _are_texts(names):
        raise InputError(f"{what}: class_names is a list of texts; got {names!r}.")
    names = None if names is None else [str(name) for name in names]  # NumPy's, too.
    if classes is None:
        classes = largest + 1 if names is None else len(names)
    check_whole(f"{what}: the number of classes", classes, at_least=2)
    if classes > MOST_CLASSES:
        raise InputError(
            f"{what}: labels up to {classes - 1} would be {classes} classes, more than "
            f"{MOST_CLASSES}. Number the classes from 0 without gaps; quantities, give "
            "as floats."
        )
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
