"""The row of MorphNet's regulariser: rounds, and budgets that it can press on."""

import pytest
from toys import toy_setting

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable


def proposed(text, **targets):
    return methods.get("morphnet_gamma").propose(toy_setting(text), targets)


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
