"""Budgets that are solved on an estimate: never over, and close."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import Cost, InputError, ScalingLaw
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.estimated import CORRECTIONS
from ns_tf.scaling.solve import at_cost


def law(rng, layers):
    alpha, beta = rng.uniform(0.02, 0.1, layers), rng.uniform(0.3, 0.6, layers)
    return power_law(ScalingLaw(alpha, beta, None, None, (1e4, 1e6)))


def weights(widths):
    widths = np.asarray(widths)
    return (9 * widths[..., :-1] * widths[..., 1:]).sum(-1) + 7 * widths.sum(-1)


def nearly(estimate, size) -> Cost:
    """A measured cost with what estimates it."""
    return Cost(size, measured=True, estimate=Cost(estimate))


@settings(max_examples=40)
@given(
    st.integers(0, 2**20),
    st.integers(2, 7),
    st.integers(0, 5000),
    st.integers(0, 60),
    st.floats(2e4, 1e6),
)
def test_never_over_and_close_whatever_the_file_adds(seed, layers, more, ragged, most):
    rng = np.random.default_rng(seed)
    curve, calls = law(rng, layers), []

    def size(widths):
        """The estimate, a little more a channel, a constant, and a ragged end."""
        calls.append(tuple(widths))
        noise = np.random.default_rng(np.asarray(widths)).integers(0, ragged + 1)
        return int(weights(widths) + 0.5 * np.sum(widths) + more + noise)

    found = at_cost(curve, {"bytes": nearly(weights, size)}, {"bytes": most})
    assert found.costs["bytes"] == size(found.widths) <= most
    assert found.targets == {"bytes": most}
    assert len(calls) <= CORRECTIONS + 1
    # As close as an exact budget would be, but for what the ends differ by.
    least = at_cost(
        curve,
        {"bytes": lambda w: weights(w) + 0.5 * np.sum(w, -1) + more + ragged},
        {"bytes": 0.999 * most - ragged},
    )
    assert weights(found.widths) >= 0.98 * weights(least.widths)


@pytest.mark.parametrize("slope, target", [(1.0, 1040.0), (1.1, 1100.0)])
def test_what_the_file_adds_may_be_most_of_it(rng, slope, target):
    """Also where the largest network's weights are less than the budget."""

    def estimate(widths):
        return 4 * np.asarray(widths).sum(-1)

    def size(widths):
        return slope * estimate(widths) + 1000

    found = at_cost(
        law(rng, 2),
        {"bytes": nearly(estimate, size)},
        {"bytes": target},
        max_width=64 if slope > 1 else 8,
    )
    assert target - 10 * slope < found.costs["bytes"] <= target


def test_a_measured_cost_that_is_its_estimate_gives_the_exact_widths(rng):
    curve, targets = law(rng, 3), {"bytes": 5e4}
    exact = at_cost(curve, {"bytes": weights}, targets)
    assert at_cost(curve, {"bytes": nearly(weights, weights)}, targets) == exact


def test_a_constant_that_the_file_adds_leaves_the_widths_of_the_rest(rng):
    curve = law(rng, 5)
    exact = at_cost(curve, {"bytes": weights}, {"bytes": 4e4})
    cost = nearly(weights, lambda widths: int(weights(widths)) + 1303)
    found = at_cost(curve, {"bytes": cost}, {"bytes": 4e4 + 1303})
    assert found.widths == exact.widths
    assert found.costs["bytes"] == exact.costs["bytes"] + 1303


def test_exact_budgets_hold_beside_estimated_ones(rng):
    """Whichever of the two binds, it is the answer for that one alone."""
    curve = law(rng, 5)
    cost = nearly(weights, lambda widths: int(weights(widths)) + 1303)
    costs = {"bytes": cost, "sum": lambda widths: np.sum(widths, -1)}
    for targets, binds in (
        ({"bytes": 4e4, "sum": 1e5}, "bytes"),
        ({"bytes": 1e9, "sum": 301}, "sum"),
    ):
        both = at_cost(curve, costs, targets)
        alone = at_cost(curve, costs, {binds: targets[binds]})
        assert both.widths == alone.widths
        assert list(both.costs) == list(both.targets) == list(targets)
        assert all(both.costs[name] <= targets[name] for name in targets)


def test_several_estimated_budgets_hold_at_once(rng):
    curve = law(rng, 3)
    costs = {
        "bytes": nearly(weights, lambda widths: int(weights(widths)) + 1303),
        "channels": nearly(
            lambda widths: np.sum(widths, -1), lambda widths: int(sum(widths)) + 17
        ),
    }
    for targets in ({"bytes": 9e3, "channels": 97}, {"bytes": 9e4, "channels": 71}):
        found = at_cost(curve, costs, targets)
        assert all(found.costs[name] <= targets[name] for name in targets)
        widths = np.array(found.widths)
        assert found.costs["bytes"] == weights(widths) + 1303
        assert found.costs["channels"] == widths.sum() + 17


def test_a_budget_that_the_file_alone_exceeds_is_refused(rng):
    cost = nearly(weights, lambda widths: 10_000)
    with pytest.raises(InputError, match="bytes=5,000 was not met.* has bytes=10,000"):
        at_cost(law(rng, 3), {"bytes": cost}, {"bytes": 5_000})
