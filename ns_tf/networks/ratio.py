"""Widths times a number: the uniform networks of the paper's tables."""

import math
from collections.abc import Sequence

from ns_tf.base import InputError, Widths
from ns_tf.run.checks import is_positive


def floor_ratio(widths: Sequence[int], ratio: float) -> Widths:
    """floor(ratio · width) of every layer, at least 1.

    In the paper's tables, the budget r is the parameters of the default network at
    these widths.

    >>> floor_ratio([64, 128, 3], 0.25)
    (16, 32, 1)

    Args:
        widths: Widths [layers], whole.
        ratio: The factor r.

    Raises:
        InputError: if the ratio is not a positive, finite number.
    """
    if not is_positive(ratio):
        raise InputError(f"A ratio is a positive number, such as 0.25; got {ratio!r}.")
    # Rounded before the floor: 0.29 * 100 is 28.999999999999996.
    return tuple(max(1, math.floor(round(w * float(ratio), 6))) for w in widths)
