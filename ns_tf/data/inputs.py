"""What networks take, as arrays: checked, and told what it is.

Nothing is refused that the network's own `fit` would take. What an array is decides how
it is scaled, and what exported files take (`ns_tf.data.dataset`).
"""

from collections.abc import Iterable

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.dataset import NUMBERS, PIXELS, TOKENS


def check_inputs(what: str, inputs: np.ndarray) -> np.ndarray:
    """The inputs as uint8, int32 or float32; a list of numbers becomes a column.

    >>> check_inputs("mine", np.array([0.5, 0.25, 0.0])).shape
    (3, 1)

    Args:
        what: What they belong to, as messages begin.
        inputs: `[n, ...]`.

    Raises:
        InputError: no examples, or values that are no finite numbers.
    """
    if not inputs.size or not inputs.ndim:
        raise InputError(
            f"{what} has no examples: the shape of its inputs is "
            f"{list(inputs.shape)}; give at least one."
        )
    if inputs.dtype.kind not in "biuf":
        raise InputError(
            f"{what}: inputs are numbers; got {inputs.dtype}. Encode them first, as by "
            "a keras.layers.TextVectorization or StringLookup."
        )
    inputs = inputs if inputs.ndim > 1 else inputs[:, None]
    if inputs.dtype.kind == "f":
        inputs = as_float32(inputs, copy=False)
        finite = np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{what}: inputs are finite numbers; example {int(np.argmin(finite))} "
                "has NaN or infinity, or is beyond float32. Remove or repair it."
            )
        return inputs
    if (
        inputs.dtype.itemsize >= 4
        and not -(2**31) <= inputs.min() <= inputs.max() < 2**31
    ):
        raise InputError(
            f"{what}: whole inputs have to fit into 32 bits; they reach from "
            f"{inputs.min()} to {inputs.max()}. Make floats of quantities."
        )
    return inputs if inputs.dtype == np.uint8 else inputs.astype(np.int32)


def as_float32(numbers: np.ndarray, *, copy: bool = True) -> np.ndarray:
    """The numbers as float32; infinity, without a warning, where they are beyond it.

    >>> as_float32(np.array([0.5, 1e39])).tolist()
    [0.5, inf]

    Args:
        numbers: Of any type.
        copy: Whether numbers that are float32 are copied.
    """
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, copy=copy)


def kind_of(arrays: Iterable[np.ndarray]) -> str:
    """What the inputs of a data set are: pixels, numbers or tokens.

    >>> kind_of([np.zeros((2, 5, 7, 3), np.uint8)]), kind_of([np.zeros((2, 5), int)])
    ('pixels', 'tokens')
    >>> kind_of([np.full((2, 5, 7, 3), 0.5)]), kind_of([np.full((2, 5, 7, 3), 1.5)])
    ('pixels', 'numbers')

    Args:
        arrays: Of its splits, `[n, ...]`.
    """
    arrays = list(arrays)
    first = arrays[0]
    if first.dtype == np.uint8:
        return PIXELS
    if first.dtype.kind != "f":
        return TOKENS
    image = first.ndim == 4 and first.shape[-1] in (1, 3, 4)
    unit = image and all(0 <= part.min() <= part.max() <= 1 for part in arrays)
    return PIXELS if unit else NUMBERS
