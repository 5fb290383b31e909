"""The row of MorphNet's regulariser: rounds, and budgets that it can press on."""

import pytest
from toys import DEFAULT, params, toy_setting

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable


def proposed(text, min_width=1, **targets):
    setting = toy_setting(text, min_width=min_width)
    return methods.get("morphnet_gamma").propose(setting, targets)


@pytest.mark.parametrize("text, rounds", [("", "1"), (":1", "1"), (":03", "3")])
def test_it_says_how_often_a_network_shrinks_and_expands(text, rounds):
    found = proposed(f"morphnet_gamma{text}", params=2003.0)
    assert (found.widths, found.trunk) == (None, ("morphnet_gamma", rounds))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_rounds_are_whole_numbers(text):
    with pytest.raises(InputError, match="whole number from 1"):
        proposed(f"morphnet_gamma:{text}", params=2003.0)


def test_a_measured_budget_has_no_derivative():
    with pytest.raises(NotApplicable, match="latency_ms is measured"):
        proposed("morphnet_gamma", params=2003.0, latency_ms=3.0)


def test_half_of_the_budget_has_to_be_in_reach():
    """Networks of 10 filters a layer have 2,125 parameters, those of 12 have 2,981."""
    own = float(params(DEFAULT))
    assert params([12] * 3) > own / 2 > params([10] * 3)
    assert proposed("morphnet_gamma", min_width=10, params=2 * own)
    with pytest.raises(NotApplicable, match="half of the budget, to which .* 2,981"):
        proposed("morphnet_gamma", min_width=12, params=own)
