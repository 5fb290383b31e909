"""Many budgets of which some bind: as trying all choices of them finds it."""

import numpy as np
import pytest

from ns_tf.base import ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling import prices
from ns_tf.scaling.conditions import Posynomials
from ns_tf.scaling.interior import interior
from ns_tf.scaling.worth import value_of

LAYERS = 5
BOUNDS = (np.zeros(LAYERS), np.full(LAYERS, np.log(65_536)))


def neighbours(rng):
    """Costs of each layer with the next, as buffers that are alive together."""
    for layer in range(LAYERS):
        ends = (layer, min(layer + 1, LAYERS))
        terms = [(int(rng.integers(300, 2_000)), end, LAYERS, ALWAYS) for end in ends]
        terms += [(1, other, LAYERS, ALWAYS) for other in range(LAYERS)]
        yield CostPolynomial.collect("bytes", terms)


@pytest.mark.parametrize("seed", range(7))
def test_the_optimum_is_that_of_all_choices_of_binding_budgets(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    law = ScalingLaw(rng.uniform(0.5, 2, LAYERS), rng.uniform(0.2, 0.7, LAYERS))
    value = value_of(law, 1.3)
    costs = dict(enumerate(neighbours(rng)))
    budgets = dict.fromkeys(costs, 50_021.0)
    found = prices.optimum(value, costs, budgets, high=65_536)
    monkeypatch.setattr(prices, "_FEW", LAYERS)
    expected = prices.optimum(value, costs, budgets, high=65_536)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-9)
    assert found.widths == pytest.approx(expected.widths, rel=1e-6)
    for name, share in expected.shares.items():
        assert found.shares[name] == pytest.approx(share, abs=1e-6)


def test_every_budget_is_met_and_the_slack_times_the_multiplier_is_nothing(rng):
    value = value_of(ScalingLaw(np.ones(LAYERS), np.full(LAYERS, 0.5)), 1.3)
    costs = Posynomials.of(list(neighbours(rng)), [20_011.0] * LAYERS, LAYERS)
    x, multipliers = interior(value, costs, BOUNDS, np.ones(LAYERS))
    left = -costs(x)
    assert (left > 0).all()
    assert ((multipliers == 0) == (left > 1e-6)).all()  # No share of nothing.
    assert left * multipliers == pytest.approx(0, abs=1e-10)


def test_a_width_that_no_budget_depends_on_is_as_large_as_it_may_be(rng):
    value = value_of(ScalingLaw(np.ones(LAYERS), np.full(LAYERS, 0.5)), 1.3)
    terms = [(7, layer, LAYERS, ALWAYS) for layer in range(1, LAYERS)]
    cost = CostPolynomial.collect("bytes", terms)
    found = prices.optimum(value, {"a": cost}, {"a": 7_001.0}, high=97)
    expected = [97, *[97] * (LAYERS - 1)]  # All of them fit.
    assert found.widths == pytest.approx(expected)
    found = prices.optimum(value, {"a": cost}, {"a": 701.0}, high=97)
    assert found.widths == pytest.approx([97, *[701 / 7 / (LAYERS - 1)] * 4])


def test_there_is_nothing_where_the_least_widths_are_over_a_budget(rng):
    value = value_of(ScalingLaw(np.ones(LAYERS), np.full(LAYERS, 0.5)), 1.3)
    costs = Posynomials.of(list(neighbours(rng)), [2.0] * LAYERS, LAYERS)
    assert interior(value, costs, BOUNDS, np.ones(LAYERS)) is None
