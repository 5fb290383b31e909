"""Bytes of the int8 file, and the weights that it is estimated by."""

import counted
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.budgets import Measure
from ns_tf.budgets.flash import FILTER


def test_weights_are_a_byte_an_entry_and_28_a_filter(rng):
    cost = budgets.get("weight_bytes_int8").cost(counted.structure())
    for w0, w1 in rng.integers(1, 97, (13, 2)).tolist():
        kernels = 27 * w0 + 9 * w0 + 9 * w0 * w1 + 5 * w1
        assert int(cost(np.array([w0, w1]))) == kernels + FILTER * (2 * w0 + w1 + 5)


@pytest.mark.slow
def test_the_file_is_the_weights_and_nearly_a_constant():
    structure = counted.structure()
    cost = budgets.get("flash").cost(structure, Measure())
    weights = budgets.get("weight_bytes_int8").cost(structure)
    small, large = np.array([7, 11]), np.array([61, 53])
    more = [cost(widths) - int(weights(widths)) for widths in (small, large)]
    assert cost.measured and cost(small) - int(weights(small)) == more[0]
    assert all(0 < some < 10_000 for some in more)
    assert abs(more[1] - more[0]) < 0.05 * cost(large)
