"""Bytes of the weights: four for every entry, moving statistics as well."""

import counted
import numpy as np
import pytest

from ns_tf import budgets


def test_bytes_are_four_times_what_is_counted_by_hand(rng):
    cost = budgets.get("weight_bytes").cost(counted.structure())
    widths = rng.integers(1, 97, (13, 2))
    expected = [
        4 * (counted.parameters(*pair) + counted.statistics(*pair))
        for pair in widths.tolist()
    ]
    assert cost(widths).tolist() == expected


@pytest.mark.parametrize("widths", [(7, 11), (13, 2)])
def test_bytes_are_those_of_the_arrays_that_keras_gives(widths):
    structure = counted.structure()
    arrays = structure.build(widths).get_weights()
    assert {array.dtype for array in arrays} == {np.dtype("float32")}
    expected = sum(array.nbytes for array in arrays)
    assert budgets.get("weight_bytes").cost(structure)(np.array(widths)) == expected
