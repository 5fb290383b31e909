"""Whole widths of most value: never over, nothing can grow, near the best."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import Cost, InputError, PriceLaw, ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.priced import Pricing, at_price
from ns_tf.scaling.solve import at_cost
from ns_tf.scaling.worth import value_of
from ns_tf.scores import Fall


def law_of(rng, layers):
    return ScalingLaw(rng.uniform(0.5, 2, layers), rng.uniform(0.2, 0.8, layers))


def residual(rng, layers):
    """A chain with projections where two neighbours differ."""
    big = rng.integers(1, 900, (2, layers))
    terms = [(int(c), i, min(i + 1, layers), ALWAYS) for i, c in enumerate(big[0])]
    terms += [(int(c), i, i + 1, (i, i + 1)) for i, c in enumerate(big[1, :-1])]
    return CostPolynomial.collect("entries", terms)


@settings(max_examples=60)
@given(
    st.integers(0, 2**20),
    st.integers(2, 9),
    st.floats(0.3, 5),
    st.sampled_from([1, 3, 8]),
    st.integers(1, 2),
)
def test_no_budget_is_broken_and_no_width_can_grow(seed, layers, p, grid, budgets):
    rng = np.random.default_rng(seed)
    price = PriceLaw(law_of(rng, layers), p)
    costs = {str(i): residual(rng, layers) for i in range(budgets)}
    goals = {n: int(c(rng.integers(9, 60, layers))) for n, c in costs.items()}
    ones = np.full(layers, grid)
    goals = {n: max(g, int(costs[n](ones))) for n, g in goals.items()}
    known = {name: Cost(cost) for name, cost in costs.items()}
    scaling = at_price(price, known, goals, round_to=grid)
    widths = np.array(scaling.widths)
    assert (widths % grid == 0).all() and widths.min() >= grid
    for name, cost in costs.items():
        assert scaling.costs[name] == int(cost(widths)) <= goals[name]
    for layer in range(layers):
        more = widths + grid * (np.arange(layers) == layer)
        assert any(int(c(more)) > goals[n] for n, c in costs.items())
    assert scaling.pricing.gap >= -1e-12


def convolutions(sides):
    """Parameters and multiply-adds of 3 x 3 convolutions at these sizes of image."""
    layers = len(sides)
    terms = [
        (9 * (3 if i == 0 else 1), i, layers if i == 0 else i - 1)
        for i in range(layers)
    ]
    head = (10, layers - 1, layers, ALWAYS)
    macs = [(c * side**2, i, j) for (c, i, j), side in zip(terms, sides, strict=True)]
    return {
        name: CostPolynomial.collect(name, [*((*t, ALWAYS) for t in some), head])
        for name, some in (("params", terms), ("macs", macs))
    }


def test_two_budgets_of_very_different_prices_both_hold():
    """The multipliers once ran away here, and the plan broke the budget of params."""
    law = ScalingLaw(np.array([0.145, 0.0861, 0.2298]), np.array([0.6, 0.288, 0.453]))
    costs = convolutions((32, 4, 4))
    goals = {"params": 5472, "macs": 1_573_997}
    known = {name: Cost(cost) for name, cost in costs.items()}
    scaling = at_price(PriceLaw(law, 1.0), known, goals)
    assert all(scaling.costs[name] <= goal for name, goal in goals.items())
    assert all(share > 0 for share in scaling.pricing.shares.values())


@settings(max_examples=100)
@given(st.integers(0, 2**20), st.integers(2, 9), st.floats(0.3, 3))
def test_parameters_and_multiply_adds_together_hold(seed, layers, p):
    rng = np.random.default_rng(seed)
    sides = np.sort(2 ** rng.integers(1, 7, layers))[::-1].tolist()
    costs = convolutions(sides)
    goals = {n: int(c(rng.integers(2, 99, layers))) for n, c in costs.items()}
    known = {name: Cost(cost) for name, cost in costs.items()}
    scaling = at_price(PriceLaw(law_of(rng, layers), p), known, goals)
    widths = np.array(scaling.widths)
    assert all(int(cost(widths)) <= goals[name] for name, cost in costs.items())
    for layer in range(layers):
        more = widths + (np.arange(layers) == layer)
        assert any(int(c(more)) > goals[n] for n, c in costs.items())
    assert scaling.pricing.gap >= -1e-12


@settings(max_examples=60)
@given(st.integers(0, 2**20), st.integers(2, 9), st.sampled_from([1, 3, 8]))
def test_a_budget_of_just_the_smallest_network_is_met_by_it(seed, layers, grid):
    """Rounding in logarithms once took it for over the budget."""
    rng = np.random.default_rng(seed)
    cost = convolutions(np.sort(2 ** rng.integers(1, 7, layers))[::-1].tolist())["macs"]
    goal = int(cost(np.full(layers, grid)))
    price = PriceLaw(law_of(rng, layers), 1.0)
    scaling = at_price(price, {"c": Cost(cost)}, {"c": goal}, round_to=grid)
    assert set(scaling.widths) == {grid} and scaling.costs == {"c": goal}


@settings(max_examples=15)
@given(st.integers(0, 2**20), st.floats(0.4, 4))
def test_no_widths_at_all_are_worth_more_than_the_bound_says(seed, exponent):
    rng = np.random.default_rng(seed)
    law, cost = law_of(rng, 3), residual(rng, 3)
    goal = int(cost(rng.integers(4, 14, 3)))
    scaling = at_price(PriceLaw(law, exponent), {"c": Cost(cost)}, {"c": goal})
    value = value_of(law, exponent)
    every = np.array(list(itertools.product(range(1, 40), repeat=3)))
    every = every[cost(every) <= goal]
    best = value.log_loss(every).min()
    mine = float(value.log_loss(np.array(scaling.widths)))
    assert mine <= best + np.log1p(scaling.pricing.gap) + 1e-9


def test_a_loss_too_small_for_float64_still_has_its_bound(rng):
    law, cost = law_of(rng, 7), residual(rng, 7)
    goal = int(cost(np.full(7, 50)))
    scaling = at_price(PriceLaw(law, 300.0), {"c": Cost(cost)}, {"c": goal})
    assert value_of(law, 300.0).log_loss(np.array(scaling.widths)) < -800
    assert 0 < scaling.pricing.gap < np.inf


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.integers(2, 9), st.sampled_from([1, 3, 8]))
def test_an_infinite_exponent_is_the_plan_along_the_law(seed, layers, grid):
    rng = np.random.default_rng(seed)
    law = law_of(rng, layers)
    costs = {n: Cost(residual(rng, layers)) for n in "ab"}
    goals = {n: int(c(rng.integers(9, 60, layers))) for n, c in costs.items()}
    goals = {n: max(g, int(costs[n](np.full(layers, grid)))) for n, g in goals.items()}
    priced = at_price(PriceLaw(law, np.inf), costs, goals, round_to=grid)
    assert priced == at_cost(power_law(law), costs, goals, round_to=grid)


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.integers(2, 9), st.floats(1.0, 1.5))
def test_a_larger_budget_takes_no_more_value_than_the_bound_says(seed, layers, more):
    rng = np.random.default_rng(seed)
    price, cost = PriceLaw(law_of(rng, layers), 1.2), residual(rng, layers)
    goal = int(cost(rng.integers(9, 60, layers)))
    less, larger = (
        at_price(price, {"c": Cost(cost)}, {"c": int(goal * k)}) for k in (1, more)
    )
    value = value_of(price.law, price.exponent)
    before, after = (
        np.exp(value.log_loss(np.array(one.widths))) for one in (less, larger)
    )
    assert after <= before * (1 + larger.pricing.gap) * (1 + 1e-9)


def test_a_layer_that_does_not_grow_keeps_about_its_width(rng):
    """Of beta 0, or below it; the other layers take what the budget allows."""
    law = ScalingLaw(
        np.array([0.5, 13.0, 41.0, 0.3]),
        np.array([0.5, 0.0, -0.1, 0.6]),
        tau_range=(1e3, 1e5),
    )
    cost = {"c": Cost(residual(rng, 4))}
    middle = law.widths(1e4)
    for goal in (5 * 10**6, 5 * 10**7):
        widths = at_price(PriceLaw(law, 1.0), cost, {"c": goal}).widths
        np.testing.assert_allclose(widths[1:3], middle[1:3], rtol=0.5)


def test_the_record_of_an_exponent_is_named(rng):
    price, cost = PriceLaw(law_of(rng, 3), 1.5), {"c": Cost(residual(rng, 3))}
    fall = Fall(1.5, 0.25, (3e3, 5e4), 17)
    lines = next(at_price(price, cost, {"c": 10**6}, fall=fall).pricing.lines())
    assert lines.endswith(
        "tau^-1.5 (p from 1.01 to 1.99), by 17 events from 3,000 to 50,000 parameters"
    )
    low = Fall(0.125, 0.25, (3e3, 5e4), 17)
    price = PriceLaw(price.law, 0.125)
    lines = list(at_price(price, cost, {"c": 10**6}, fall=low).pricing.lines())
    assert "is used, above every beta" in lines[0] and "--refine" in lines[1]
    price = PriceLaw(price.law, 1.5, "assumed")
    lines = next(at_price(price, cost, {"c": 10**6}).pricing.lines())
    assert lines.endswith("assumed: no scores say it")


def test_numbers_of_a_plan_are_told_as_people_write_them():
    asked = {-0.195: "tau^0.195", 0.0: "tau^0,", 1.0: "tau^-1,"}
    for p, told in asked.items():
        made = Pricing(1.1, True, {"c": 1.0}, 0.0, "assumed", asked=p)
        assert f"one more filter is worth {told}" in next(made.lines())
        assert f"is worth {told.rstrip(',')} (assumed)" in made.silence
    gaps = {-3e-8: "at most 0.000% more", 9.0: "at most 900.000%", 1e146: "no bound"}
    for gap, told in gaps.items():
        *_, last = Pricing(2.0, False, {"c": 1.0}, gap, asked=2.0).lines()
        assert last.startswith(told) and len(last) < 88


def test_binding_budgets_are_used(rng):
    law, layers = law_of(rng, 19), 19
    costs = {"a": residual(rng, layers), "b": residual(rng, layers)}
    goals = {name: int(cost(np.full(layers, 100))) for name, cost in costs.items()}
    known = {name: Cost(cost) for name, cost in costs.items()}
    scaling = at_price(PriceLaw(law, 1.0), known, goals)
    for name, share in scaling.pricing.shares.items():
        assert share == 0 or scaling.costs[name] >= 0.99 * goals[name]
    assert any(scaling.pricing.shares.values())


def test_measured_budgets_with_an_estimate_are_corrected(rng):
    law, cost = law_of(rng, 5), residual(rng, 5)

    def size(widths):
        return int(cost(np.asarray(widths))) + 1000

    known = {"bytes": Cost(size, measured=True, estimate=Cost(cost))}
    scaling = at_price(PriceLaw(law, 1.0), known, {"bytes": 90_000})
    assert 0.97 * 90_000 <= size(scaling.widths) <= 90_000
    assert scaling.costs["bytes"] == size(scaling.widths)
    assert scaling.targets == {"bytes": 90_000}


def test_a_budget_without_a_price_is_refused(rng):
    law = law_of(rng, 2)
    clock = Cost(lambda widths: 1.0, measured=True)
    with pytest.raises(InputError, match="The budget ms has no price"):
        at_price(PriceLaw(law, 1.0), {"ms": clock}, {"ms": 2.0})


@pytest.mark.parametrize("goal", [1, 10**15])
def test_budgets_that_no_network_meets_are_refused(goal, rng):
    law, cost = law_of(rng, 2), residual(rng, 2)
    with pytest.raises(InputError, match="c=.* cannot be met: the smallest network"):
        at_price(PriceLaw(law, 1.0), {"c": Cost(cost)}, {"c": goal}, max_width=50)


def test_what_one_budget_is_worth_in_another():
    pricing = Pricing(1.0, False, {"macs": 0.6, "params": 0.4, "bytes": 0.0}, 0.0)
    assert pricing.worth("macs", "params") == pytest.approx(1.5)
    assert pricing.worth("macs", "bytes") is None


@settings(max_examples=150)
@given(st.integers(0, 2**20), st.integers(2, 9), st.floats(0.5, 12), st.integers(0, 3))
def test_a_budget_hardly_above_the_smallest_network_has_a_plan(seed, layers, p, more):
    """Where projections or one filter cost more than there is."""
    rng = np.random.default_rng(seed)
    costs = {name: residual(rng, layers) for name in "ab"}
    ones = np.ones(layers, int)
    goals = {name: int(cost(ones)) + more for name, cost in costs.items()}
    known = {name: Cost(cost) for name, cost in costs.items()}
    scaling = at_price(PriceLaw(law_of(rng, layers), p), known, goals)
    assert all(scaling.costs[name] <= goal for name, goal in goals.items())
    assert scaling.pricing.gap >= -1e-9
