"""The geometric program: its conditions, solved cases, what it cannot be asked."""

import json

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDENS

from ns_tf.base import InputError, ScalingLaw
from ns_tf.budgets import exact_costs
from ns_tf.networks import architectures
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.structure import analyse
from ns_tf.scaling.prices import optimum
from ns_tf.scaling.worth import value_of

CASES = json.loads((GOLDENS / "price_law.json").read_text())
LAWS = json.loads((GOLDENS / CASES["law"]).read_text())["iterations"]


def law_of(rng, layers):
    """A law that nobody fitted; exponents as searches find them."""
    return ScalingLaw(rng.uniform(0.1, 2, layers), rng.uniform(0.2, 0.8, layers))


def chain(rng, layers):
    """A cost of layers that each read the one before, with random coefficients.

    A weight has three widths, as an attention's have.
    """
    terms = [
        (int(c), i, i + 1, ALWAYS) for i, c in enumerate(rng.integers(1, 2000, layers))
    ]
    ends = [
        (int(c), i, layers, ALWAYS) for i, c in enumerate(rng.integers(1, 9, layers))
    ]
    three = [(int(rng.integers(1, 9)), 0, 1, layers - 1, ALWAYS)]
    return CostPolynomial.collect("entries", terms + ends + three)


def amount(cost, widths):
    """The cost of real widths, by its terms."""
    x = np.append(widths, 1.0)
    factors = x[cost.left] * x[cost.right] * x[cost.third]  # x[-1] is 1.
    return float((cost.coefficient * factors).sum())


def slopes(cost, widths):
    """w dC/dw [layers] of real widths, by finite differences."""
    step = 1e-6
    up = [amount(cost, widths * np.exp(step * row)) for row in np.eye(len(widths))]
    down = [amount(cost, widths * np.exp(-step * row)) for row in np.eye(len(widths))]
    return (np.array(up) - np.array(down)) / (2 * step)


@pytest.mark.parametrize("number", range(len(CASES["cases"])))
def test_solved_cases_are_met(number):
    case = CASES["cases"][number]
    (law,) = [one for one in LAWS if one["iteration"] == case["iteration"]]
    value = value_of(
        ScalingLaw(np.array(law["alpha"]), np.array(law["beta"])),
        case["price_exponent"],
    )
    structure = analyse(architectures.get("vgg11"), (32, 32, 3), 10)
    best = optimum(value, exact_costs(structure), case["budgets"])
    np.testing.assert_allclose(best.widths, case["widths"], rtol=1e-9)
    for name in case["budgets"]:
        assert best.shares[name] == pytest.approx(case["shares"].get(name, 0), abs=1e-8)


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.integers(2, 13), st.floats(0.3, 8), st.integers(1, 3))
def test_value_is_its_price_in_every_layer(seed, layers, exponent, budgets):
    rng = np.random.default_rng(seed)
    value = value_of(law_of(rng, layers), exponent)
    costs = {str(i): chain(rng, layers) for i in range(budgets)}
    goals = {n: amount(c, rng.uniform(9, 90, layers)) for n, c in costs.items()}
    best = optimum(value, costs, goals, low=1e-9)
    used = {n: amount(c, best.widths) / goals[n] for n, c in costs.items()}
    assert max(used.values()) == pytest.approx(1, abs=1e-9)
    for name, share in best.shares.items():
        assert used[name] <= 1 + 1e-9
        assert share == 0 or used[name] == pytest.approx(1, abs=1e-7)
    worth = np.exp(value.log_c - value.q * np.log(best.widths)) * value.q  # v w
    price = sum(
        s * slopes(costs[n], best.widths) / goals[n] for n, s in best.shares.items()
    )
    np.testing.assert_allclose(worth / worth.sum(), price / price.sum(), rtol=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.floats(0.5, 4))
def test_no_other_widths_within_the_budgets_are_worth_more(seed, exponent):
    rng = np.random.default_rng(seed)
    value, cost = value_of(law_of(rng, 5), exponent), chain(rng, 5)
    goal = amount(cost, np.full(5, 40.0))
    best = optimum(value, {"c": cost}, {"c": goal}, low=3, high=70)
    for _ in range(40):
        widths = np.clip(best.widths * np.exp(0.3 * rng.normal(size=5)), 3, 70)
        while amount(cost, widths) > goal:
            widths = np.maximum(3, widths * 0.98)
        assert value.log_loss(widths) >= best.log_loss - 1e-12


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.floats(1.01, 3))
def test_a_larger_budget_never_takes_value_away(seed, more):
    rng = np.random.default_rng(seed)
    value, cost = value_of(law_of(rng, 7), 1.0), chain(rng, 7)
    goal = amount(cost, rng.uniform(9, 90, 7))
    less, larger = (
        optimum(value, {"c": cost}, {"c": goal * k}, low=1e-6).log_loss
        for k in (1, more)
    )
    assert larger < less


@settings(max_examples=15)
@given(st.integers(0, 2**20), st.floats(0.9, 3))
def test_every_start_ends_at_the_same_optimum(seed, exponent):
    """By another solver than the library's, from anywhere."""
    rng = np.random.default_rng(seed)
    value, cost = value_of(law_of(rng, 5), exponent), chain(rng, 5)
    goal = amount(cost, np.full(5, 40.0))
    best = optimum(value, {"c": cost}, {"c": goal}, low=1e-9).widths
    for _ in range(3):
        found = scipy.optimize.minimize(
            lambda x: value.log_loss(np.exp(x)),
            rng.uniform(1, 5, 5),
            constraints={
                "type": "ineq",
                "fun": lambda x: np.log(goal) - np.log(amount(cost, np.exp(x))),
            },
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 500},
        )
        np.testing.assert_allclose(np.exp(found.x), best, rtol=1e-3)


def test_widths_keep_to_their_bounds(rng):
    value, cost = value_of(law_of(rng, 11), 1.0), chain(rng, 11)
    goal = amount(cost, np.full(11, 50.0))
    best = optimum(value, {"c": cost}, {"c": goal}, low=13, high=89)
    assert best.widths.min() >= 13 * (1 - 1e-9)
    assert best.widths.max() <= 89 * (1 + 1e-9)


def test_where_filters_are_what_is_counted_the_optimum_is_on_the_law(rng):
    law = law_of(rng, 7)
    filters = CostPolynomial.collect("filters", [(1, i, 7, ALWAYS) for i in range(7)])
    for exponent in (1.0, 2.0, 5.0):
        best = optimum(
            value_of(law, exponent), {"f": filters}, {"f": 500}, low=1e-9
        ).widths
        taus = (best / law.alpha) ** (1 / law.beta)
        np.testing.assert_allclose(taus, taus[0], rtol=1e-6)


def test_a_large_exponent_comes_to_the_papers_curve(rng):
    law, cost = law_of(rng, 7), chain(rng, 7)
    goal = amount(cost, np.full(7, 50.0))
    best = optimum(value_of(law, 1e4), {"c": cost}, {"c": goal}, low=1e-9)
    taus = (best.widths / law.alpha) ** (1 / law.beta)
    np.testing.assert_allclose(taus, taus[0], rtol=2e-3)


def test_budgets_below_the_smallest_widths_are_refused(rng):
    value, cost = value_of(law_of(rng, 3), 1.0), chain(rng, 3)
    with pytest.raises(InputError, match="smallest widths are over a budget"):
        optimum(value, {"c": cost}, {"c": 1.0}, low=8)


def test_two_budgets_that_are_one_are_solved(rng):
    value, cost = value_of(law_of(rng, 5), 1.0), chain(rng, 5)
    goal = amount(cost, np.full(5, 30.0))
    one = optimum(value, {"a": cost}, {"a": goal}, low=1e-6)
    two = optimum(value, {"a": cost, "b": cost}, {"a": goal, "b": goal}, low=1e-6)
    np.testing.assert_allclose(two.widths, one.widths, rtol=1e-6)
