"""Trainable parameters: as counted by hand, and as Keras counts them."""

import counted
import numpy as np
import pytest

from ns_tf import budgets


def test_parameters_are_those_counted_by_hand(rng):
    cost = budgets.get("params").cost(counted.structure())
    widths = rng.integers(1, 97, (13, 2))
    expected = [counted.parameters(*pair) for pair in widths.tolist()]
    assert cost(widths).tolist() == expected


@pytest.mark.parametrize("widths", [(7, 11), (1, 1), (13, 2)])
def test_parameters_are_those_that_keras_trains(widths):
    structure = counted.structure()
    model = structure.build(widths)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert budgets.get("params").cost(structure)(np.array(widths)) == trained
