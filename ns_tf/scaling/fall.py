"""How scores fall as a network grows: S = sigma tau^-p.

At an event, the highest score that was removed says what the last filter was worth to a
network of that size. Over all sizes it is no power law, so p is local.
"""

import numpy as np

from ns_tf.base import InputError
from ns_tf.scores import Fall

MIN_EVENTS = 6  # With fewer, a slope says nothing.


def falls(
    scores: np.ndarray, tau: np.ndarray, *, points: int = 9
) -> list[tuple[float, Fall]]:
    """The slopes near some sizes over the whole range, from the smallest on.

    Args:
        scores: Highest score removed [events].
        tau: Parameters after the event [events].
        points: How many sizes, in equal ratios.

    Returns:
        Pairs (size, slope near it); none where there are too few scores for a slope.
    """
    if not len(tau):
        return []
    sizes = np.geomspace(np.min(tau), np.max(tau), points).tolist()
    try:
        return [(size, fall_near(scores, tau, size)) for size in sizes]
    except InputError:
        return []


def fall_near(
    scores: np.ndarray, tau: np.ndarray, at: float, *, factor: float = 2.0
) -> Fall:
    """The least-squares slope over the events whose tau is within a factor of a size.

    Where fewer than `MIN_EVENTS` are, the nearest ones are taken. Scores of 0 or less,
    which have no logarithm, are left out.

    >>> tau = np.geomspace(1e5, 1e4, 13)
    >>> fall = fall_near(7e3 * tau**-1.5, tau, 3e4)
    >>> round(fall.exponent, 9), round(fall.error, 9), fall.events
    (1.5, 0.0, 7)

    Args:
        scores: Highest score removed [events].
        tau: Parameters after the event [events].
        at: The size.
        factor: Events from `at / factor` to `at * factor` are taken.

    Raises:
        InputError: fewer than `MIN_EVENTS` events with a positive score, or all of
            the same tau.
    """
    scores, tau = np.asarray(scores, float), np.asarray(tau, float)
    usable = np.isfinite(scores) & (scores > 0)
    scores, tau = scores[usable], tau[usable]
    if len(tau) < MIN_EVENTS or tau.min() == tau.max():
        raise InputError(
            f"A slope of scores needs at least {MIN_EVENTS} events of different size "
            f"with a positive score; there are {len(tau)}."
        )
    distance = np.abs(np.log(tau / at))
    nearest = np.sort(distance)[MIN_EVENTS - 1]
    near = distance <= max(nearest, np.log(factor) * (1 + 1e-9))
    x, y = np.log(tau[near]), np.log(scores[near])
    slope, offset = np.polyfit(x, y, 1)
    missed = y - slope * x - offset
    spread = np.square(x - x.mean()).sum()
    error = np.sqrt(np.square(missed).sum() / (len(x) - 2) / spread)
    ends = float(tau[near].min()), float(tau[near].max())
    return Fall(float(-slope), float(error), ends, len(x))
