"""Derivatives of costs and of the conditions, against differences."""

import numpy as np
import pytest

from ns_tf.base import ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.conditions import Posynomial, System
from ns_tf.scaling.worth import value_of

COST = CostPolynomial.collect(
    "MACs", [(3, 0, 2, ALWAYS), (7, 0, 1, ALWAYS), (2, 1, 1, ALWAYS)]
)


def test_a_posynomial_is_ln_of_the_cost_over_the_budget(rng):
    widths = rng.integers(1, 97, 2)
    price = Posynomial.of(COST, 1_009.0, 2)
    assert price(np.log(widths)) == pytest.approx(np.log(int(COST(widths)) / 1_009))


def test_derivatives_are_those_of_differences(rng):
    x, logs = rng.uniform(0, 3, 2), rng.uniform(-1, 1, 1)
    value = value_of(ScalingLaw(np.array([1.3, 0.7]), np.array([0.5, 0.3])), 1.1)
    prices = [Posynomial.of(COST, 1_009.0, 2)]
    system = System.at(value, prices, x, logs)
    step = 1e-6
    for layer in range(2):
        near = x + step * np.eye(2)[layer]
        other = System.at(value, prices, near, logs)
        assert (other.f - system.f) / step == pytest.approx(
            system.inner[:, layer], abs=1e-4
        )
        assert (other.over - system.over) / step == pytest.approx(
            system.slopes[:, layer], abs=1e-4
        )
    other = System.at(value, prices, x, logs + step)
    assert (system.f - other.f) / step == pytest.approx(system.outer[0], abs=1e-4)
