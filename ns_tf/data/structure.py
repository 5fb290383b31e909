"""Inputs and targets as they are given: one array, or several by name or by place."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import InputError, reason_of
from ns_tf.parts import Parts, parts


def arrays_in(value: Any, count: int | None = None) -> np.ndarray | Parts:
    """The array, or the arrays of a dictionary, a tuple or a list of arrays.

    A list may be one of examples, or one of arrays of them: it is several arrays if
    each has the number of examples, and the list has another length. One array alone
    in a dictionary or tuple is that array.

    >>> arrays_in({"image": np.zeros((2, 3)), "age": np.zeros(2)})[1].shape
    (2,)
    >>> arrays_in([[2, 3], [5, 7]]).shape
    (2, 2)

    Args:
        value: Whatever NumPy makes arrays of, `[n, ...]` each.
        count: Number of examples; None if it is not known. Arrays of several shapes in
            a list are several inputs then.

    Raises:
        InputError: there is no array, or NumPy makes none of a value.
    """
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if not isinstance(value, tuple) and not _are_several(value, count):
        return array_of(value)
    if not value:
        raise InputError(
            "Expected inputs and targets; got no array. Give at least one."
        )
    found = Parts(map(array_of, value))
    return found[0] if len(found) == 1 else found


def array_of(value: Any) -> np.ndarray:
    """The array that NumPy makes of a value.

    Raises:
        InputError: it makes none, as of lists of several lengths.
    """
    try:
        return np.asarray(value)
    except Exception as error:  # Objects that are like arrays raise what they like.
        raise InputError(
            f"Expected an array, or lists of equal lengths; got {type(value).__name__} "
            f"({reason_of(error)}). Pad what is shorter."
        ) from error


def count_in(value: Any) -> int | None:
    """The number of examples; None for a list, which may be one of arrays.

    >>> count_in({"image": np.zeros((2, 3))}), count_in([2, 3])
    (2, None)

    Args:
        value: As `arrays_in` takes it.
    """
    if isinstance(value, Mapping):
        value = tuple(value.values())
    one = value[0] if isinstance(value, tuple) and value else value
    shape = () if isinstance(one, list) else np.shape(one)
    return shape[0] if shape else None


def names_in(value: Any) -> tuple[str, ...]:
    """The names of the arrays in a dictionary, in its order; none for another value.

    >>> names_in({"image": np.zeros((2, 3)), "age": np.zeros(2)}), names_in(np.zeros(2))
    (('image', 'age'), ())

    Args:
        value: As `arrays_in` takes it.
    """
    if isinstance(value, Mapping) and len(value) > 1:
        return tuple(map(str, value))
    return ()


def reordered(
    what: str, value: Any, names: Sequence[str], wanted: Sequence[str]
) -> Any:
    """Parts in another order of their names.

    >>> reordered("mine", Parts((2, 3)), ("image", "age"), ("age", "image"))
    (3, 2)

    Args:
        what: What they belong to, as messages begin.
        value: `Parts` that are called `names`, in that order; one value otherwise.
        names: Empty if the parts came without names; they stay in their order then.
        wanted: The names in the order that is wanted; empty for any.

    Raises:
        InputError: other names, or another number of parts.
    """
    own = parts(value)
    if not wanted or (not names and len(own) == len(wanted)):
        return value
    if sorted(names) != sorted(wanted):
        got = ", ".join(names) or f"{len(own)} without names"
        raise InputError(
            f"{what} takes {', '.join(wanted)}; got {got}. Give a dictionary with "
            "these names, or as many arrays in this order."
        )
    return Parts(own[names.index(name)] for name in wanted)


def _are_several(value: Any, count: int | None) -> bool:
    """Whether a list holds arrays of examples, and is no list of examples itself."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    shapes = [getattr(one, "shape", None) for one in value]
    if not all(shapes):  # Numbers, lists or scalars.
        return False
    if count is None:
        several = len({tuple(shape) for shape in shapes}) > 1
        return several and len({shape[0] for shape in shapes}) == 1
    return len(value) != count and {shape[0] for shape in shapes} == {count}
