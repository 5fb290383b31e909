"""How hard gates are pulled on: prices, units, plans."""

import dataclasses

import numpy as np
import pytest

from ns_tf.prune.pressure import Pressure, WeightPressure, gate_rates, prices, steered
from ns_tf.prune.removal import Prunable

# Layers of 3 and 2 filters, and of 6 that follow the second; the last is no width's.
PRUNABLE = Prunable(
    (np.array([0, 1, 2]), np.array([3, 4])), ((np.arange(5, 11), 1, 3),)
)


def macs(widths):
    widths = np.asarray(widths)
    return 7 * widths[..., 0] + 2 * widths[..., 0] * widths[..., 1]


def params(widths):
    return np.asarray(widths)[..., 1] ** 2


def pressure(limits, **options):
    return Pressure({"macs": macs, "params": params}, limits, PRUNABLE, 12, **options)


def test_prices_are_derivatives_at_what_is_alive_of_all_budgets():
    alive = np.ones(12, bool)
    alive[[0, 4]] = False
    found = pressure({"macs": 20, "params": 3}).price(alive)
    slopes = np.array([(7 + 2) / 20, 2 * 2 / 20 + 2 / 3])
    expected = slopes * 3 / (slopes @ [2, 1])
    np.testing.assert_allclose(found[:5], np.repeat(expected, [3, 2]))
    np.testing.assert_allclose(found[5:11], expected[1] / 3)
    assert found[11] == 0
    plain = pressure({"macs": 20}, priced=False).price(alive)
    np.testing.assert_array_equal(plain[:5], 1)


def test_the_derivative_is_exact_for_squares():
    found = prices({"p": params}, {"p": 4}, np.array([3, 5]))
    np.testing.assert_allclose(found, [0, 8 / 5])


def test_prices_are_alike_where_nothing_is_saved_alone():
    """A peak stays while one of the blocks that have it is there."""

    def peak(widths):
        return 7.0 + 0 * np.asarray(widths).sum(axis=-1)

    assert (
        prices({"peak_ram": peak}, {"peak_ram": 5.0}, np.ones(3, int)).tolist()
        == [1] * 3
    )
    both = {"peak_ram": peak, "macs": lambda widths: 2 * widths[..., 0]}
    limits = {"peak_ram": 5.0, "macs": 3.0}
    assert prices(both, limits, np.array([1, 1])).tolist() == [2, 0]
    assert prices(both, limits, np.array([0, 1])).tolist() == [1, 1]  # It has gone.


def test_the_unit_closes_what_the_budgets_ask_for():
    """By multiply-adds: 33 of the whole, then 22 and 11 as the first layer shrinks."""
    one = pressure({"macs": 22.0}, priced=False)
    curvature = np.array([5, 1, 3, 9, 8, *[0.0] * 7])
    assert one.unit(curvature, np.ones(12)) == 1
    assert pressure({"macs": 21.0}, priced=False).unit(curvature, np.ones(12)) == 3
    assert pressure({"macs": 33.0}, priced=False).unit(curvature, np.ones(12)) == 0
    assert one.unit(curvature, np.full(12, 2.0)) == 0.5, "what is pulled twice as hard"


def test_the_plan_falls_to_the_budget_and_the_worst_budget_counts():
    one = pressure({"macs": 11.0, "params": 2.0})
    assert one.planned(0) == {"macs": 1, "params": 1}
    assert one.planned(0.35)["macs"] == pytest.approx(1 - (1 - 11 / 33) / 2)
    assert one.planned(0.9)["params"] == pytest.approx(0.5)
    alive = np.ones(12, bool)
    alive[0] = False
    assert one.shares(alive) == {"macs": pytest.approx(22 / 33), "params": 1}
    assert one.excess(alive, 1.0) == pytest.approx(0.5)
    assert one.widths(np.zeros(12, bool)).tolist() == [1, 1], "no layer is empty"


def test_gates_on_their_way_hold_the_strength_and_no_more():
    """Of 33 the plan allows 11 at the end; three and two gates are whole."""
    one, every = pressure({"macs": 11.0}), np.ones(12, bool)
    whole = one.felt(every, np.ones(12), 1.0)
    assert whole == one.excess(every, 1.0) == pytest.approx(1 - 11 / 33)
    half = np.full(12, 0.5)  # Of 1.5 and 1.0 gates, in whole numbers 2 and 1.
    assert one.felt(every, half, 1.0) == pytest.approx((7 * 2 + 2 * 2 - 11) / 33)
    assert one.felt(every, np.full(12, 0.2), 1.0) == 0, "enough are on their way"
    gone = np.zeros(12, bool)
    assert one.felt(gone, np.zeros(12), 0.0) == one.excess(gone, 0.0) < 0


def test_a_strength_follows_the_excess_within_its_range():
    assert steered(1.0, 1.0, 0.4) == pytest.approx(np.exp(0.2))
    assert steered(1.0, 1.0, 9.0) == pytest.approx(np.exp(0.2))
    assert steered(1.0, 1.0, -0.2) == pytest.approx(np.exp(-0.1))
    assert steered(99.0, 1.0, 1.0) == 100 and steered(0.011, 1.0, -1.0) == 0.01
    assert steered(0.0, 0.0, 1.0) == 0


def test_gates_that_are_held_firmly_move_slowly_and_cheap_ones_as_fast_as_others():
    held, pull = np.array([0.0, 1.0, 300.0, 0.0]), np.array([0.1, 0.1, 0.1, 0.02])
    rates = gate_rates(held, pull, 100, 0.1)
    np.testing.assert_allclose(rates, [0.05, 0.05, 0.001, 0.25])
    assert (rates * pull)[0] == pytest.approx((rates * pull)[3])
    assert not gate_rates(np.ones(3), np.zeros(3), 100, 0.9).any()


def test_a_budget_of_single_weights_is_met_at_a_quantile_and_steered_by_its_logarithm():
    """7 of 10 weights and 3 others: 6 may stay, so 4 go, which stand at most 0.4."""
    prunable = Prunable((np.arange(3), np.arange(3, 7)), ())
    costs = {"nonzero": lambda widths: 3 + np.asarray(widths).sum(axis=-1)}
    made = WeightPressure(costs, {"nonzero": 6.0}, prunable, 7, priced=False)
    held = np.array([0.7, 0.1, 0.5, 0.2, 0.3, 0.6, 0.4])
    assert made.unit(held, np.ones(7)) == 0.4
    assert made.price(np.ones(7, bool)).tolist() == [1] * 7
    assert made.excess(np.ones(7, bool), 0.0) == 0
    assert made.excess(np.ones(7, bool), 1.0) == pytest.approx(np.log(10 / 6))
    assert made.excess(held > 0.4, 1.0) == pytest.approx(0)
    whole = dataclasses.replace(made, limits={"nonzero": 10.0})
    assert whole.unit(held, np.ones(7)) == 0
