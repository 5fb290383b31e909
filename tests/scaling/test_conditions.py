"""Derivatives of costs and of the conditions, against differences."""

import numpy as np
import pytest

from ns_tf.base import ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.conditions import Posynomials, System
from ns_tf.scaling.worth import value_of

COST = CostPolynomial.collect(
    "MACs", [(3, 0, 2, ALWAYS), (7, 0, 1, ALWAYS), (2, 1, 1, ALWAYS)]
)


OTHER = CostPolynomial.collect("B", [(5, 1, 2, ALWAYS), (11, 0, 1, 1, ALWAYS)])
BOTH = Posynomials.of([COST, OTHER], [1_009.0, 499.0], 2)


def test_posynomials_are_ln_of_costs_over_budgets_together_and_alone(rng):
    widths = rng.integers(1, 97, 2)
    expected = np.log([int(COST(widths)) / 1_009, int(OTHER(widths)) / 499])
    assert BOTH(np.log(widths)) == pytest.approx(expected) and len(BOTH) == 2
    for budget in (0, 1):
        (alone,) = BOTH.only([budget])(np.log(widths))
        assert alone == pytest.approx(expected[budget])


def test_the_hessian_is_the_derivative_of_weighted_gradients(rng):
    x, weights = rng.uniform(0, 2, 2), rng.uniform(0.5, 2, 2)
    step = 1e-6
    for layer in range(2):
        near, far = (x + sign * step * np.eye(2)[layer] for sign in (-1, 1))
        slope = weights @ (BOTH.gradients(far) - BOTH.gradients(near)) / (2 * step)
        found = BOTH.hessian(x, weights)[layer]
        assert found == pytest.approx(slope, rel=1e-5)


def test_derivatives_are_those_of_differences(rng):
    x, logs = rng.uniform(0, 3, 2), rng.uniform(-1, 1, 2)
    value = value_of(ScalingLaw(np.array([1.3, 0.7]), np.array([0.5, 0.3])), 1.1)
    system = System.at(value, BOTH, x, logs)
    step = 1e-6
    for layer in range(2):
        near = x + step * np.eye(2)[layer]
        other = System.at(value, BOTH, near, logs)
        assert (other.f - system.f) / step == pytest.approx(
            system.inner[:, layer], rel=1e-3, abs=1e-4
        )
        assert (other.over - system.over) / step == pytest.approx(
            system.slopes[:, layer], rel=1e-3, abs=1e-4
        )
    for budget in range(2):
        other = System.at(value, BOTH, x, logs + step * np.eye(2)[budget])
        expected = pytest.approx(system.outer[budget], rel=1e-3, abs=1e-4)
        assert (system.f - other.f) / step == expected
