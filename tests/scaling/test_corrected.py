"""Plans corrected by measuring: never over, within 3 %, few measurements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.base import InputError, Scaling
from ns_tf.scaling.corrected import WITHIN, solve_by_measuring


def by_table(goals):
    """A table that says 1 of every channel; nothing below 10."""
    if goals["ms"] < 10:
        raise InputError("too little")
    return Scaling((int(goals["ms"]),), 1.0, {"ms": int(goals["ms"])}, goals)


@given(st.floats(0.3, 3), st.floats(0.5, 1.5), st.floats(2e3, 1e5))
def test_a_plan_is_measured_within_three_percent_and_not_over(factor, power, target):
    tried = []

    def measured(widths):
        tried.append(widths)
        return factor * target * (widths[0] / target) ** power

    plan = solve_by_measuring(by_table, "ms", measured, {"ms": target, "macs": 5})
    assert (1 - WITHIN) * target <= plan.costs["ms"] <= target
    assert plan.targets == {"ms": target, "macs": 5} and len(tried) <= 8


def test_steps_are_bisected_and_the_best_below_is_taken():
    plan = solve_by_measuring(
        by_table, "ms", lambda w: 50 if w[0] < 83 else 120, {"ms": 100}
    )
    assert plan.costs["ms"] == 50 and plan.widths[0] < 83


def test_a_network_far_over_its_time_by_table_is_no_reason_to_give_up():
    plan = solve_by_measuring(
        by_table, "ms", lambda w: w[0] * (5 if w[0] > 30 else 1), {"ms": 40}
    )
    assert 25 < plan.costs["ms"] <= 30


def test_goals_that_make_the_same_network_are_no_reason_to_give_up():
    def capped(goals):
        return by_table({**goals, "ms": min(goals["ms"], 30)})

    plan = solve_by_measuring(capped, "ms", lambda w: 10 * w[0], {"ms": 200})
    assert 190 <= plan.costs["ms"] <= 200


def test_a_target_that_nothing_meets_is_refused():
    with pytest.raises(InputError, match="ms=100 was not met: of . networks"):
        solve_by_measuring(by_table, "ms", lambda w: 1e4, {"ms": 100})
    with pytest.raises(InputError, match="too little"):
        solve_by_measuring(by_table, "ms", lambda w: 1, {"ms": 5})
