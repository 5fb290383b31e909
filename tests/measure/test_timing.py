"""Networks take turns of two passes; medians and quartiles of each."""

import numpy as np

from ns_tf.measure.timing import WARM, in_turns


def test_turns_are_interleaved_and_passes_kept_apart(rng):
    order, times = [], rng.uniform(1, 9, (2, 2 * 5 + WARM))
    left = [iter(row) for row in times]

    def run(place):
        order.append(place)
        return next(left[place])

    median, spread = in_turns([lambda: run(0), lambda: run(1)], rounds=5)
    assert order == [0] * WARM + [1] * WARM + [0, 0, 1, 1] * 5
    counted = times[:, WARM:].reshape(2, 5, 2)
    low, middle, high = np.percentile(counted, [25, 50, 75], axis=1)
    np.testing.assert_allclose(median, middle.T)
    np.testing.assert_allclose(spread, (high - low).T / 2)
