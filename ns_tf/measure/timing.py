"""Networks timed in turns, so that a machine that slows down slows all of them."""

from collections.abc import Sequence

import numpy as np

from ns_tf.measure.runtimes import Run

WARM = 2  # Passes of a network before its first turn; the first one also traces.


def in_turns(runs: Sequence[Run], rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Medians and spreads [2, runs] of first and second passes, in ms.

    In each round every network has a turn of two passes. Before the first the others
    have had the caches; in the second its weights are in them, as far as they fit. The
    layers of a whole network are between the two.

    >>> clock = iter(range(100))
    >>> in_turns([lambda: float(next(clock))], rounds=3)[0].tolist()
    [[4.0], [5.0]]

    Args:
        runs: Networks that are ready.
        rounds: How often each is timed.

    Returns:
        The medians, and half of the distance between the quartiles.
    """
    for run in runs:
        for _ in range(WARM):
            run()
    times = np.array([[[run(), run()] for run in runs] for _ in range(rounds)])
    low, median, high = np.percentile(times, [25, 50, 75], axis=0)
    return median.T, (high - low).T / 2
