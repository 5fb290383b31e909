"""Uniform scaling as MobileNet's builders round it: multiples of eight."""

import numpy as np

from ns_tf.base import Curve
from ns_tf.descend.record import SearchRecord
from ns_tf.plan.methods import method, proportional

_DIVISOR = 8
_LEAST = 0.9  # The least share of a width that rounding leaves.


@method(
    "divisible",
    help="Uniform, rounded as MobileNet is: to multiples of 8, to none below 90 % of "
    "the width. Give --round_to=8 beside it.",
)
def divisible(record: SearchRecord, iteration: int | None = None) -> Curve:
    """The default widths times one number, made multiples of 8.

    Its points are the width multipliers of Sandler et al. (2018, MobileNetV2). Without
    `round_to=8` single layers grow by less to fill a budget up.

    Args:
        record: Of a search, or of a network that nobody searched.
        iteration: Not read: uniform scaling has no iterations.
    """
    exact = proportional(record, record.default_widths)
    return Curve(lambda tau: make_divisible(exact(tau)), exact.start)


def make_divisible(widths: np.ndarray) -> np.ndarray:
    """The nearest multiple of 8 of every width; the next one where that is below 90 %.

    >>> make_divisible(np.array([3.0, 11.2, 12.0, 24.0, 36.0])).tolist()
    [8.0, 16.0, 16.0, 24.0, 40.0]

    Args:
        widths: Of any shape, above 0. Half-way between two multiples is rounded up.
    """
    nearest = np.floor(np.asarray(widths) / _DIVISOR + 0.5) * _DIVISOR
    rounded = np.maximum(nearest, _DIVISOR)
    return rounded + _DIVISOR * (rounded < _LEAST * widths)
