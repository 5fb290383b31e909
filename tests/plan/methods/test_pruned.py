"""A row for every way to prune a trained network."""

import pytest
from toys import DEFAULT, macs, params, toy_setting

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.methods import Entry, NotApplicable
from ns_tf.plan.methods.pruned import smaller


def propose(text, **targets):
    return methods.get("pruned").propose(toy_setting(text), targets)


def test_the_entry_says_how_and_the_widths_are_not_known_yet():
    proposal = propose("mine=pruned:taylor_fo+uniform", params=2003.0)
    assert proposal.pruning == "taylor_fo+uniform"
    assert proposal.widths is None and proposal.architecture == "toy"


def test_it_needs_a_criterion_and_has_no_iterations():
    with pytest.raises(InputError, match="needs a criterion: pruned:taylor_fo"):
        propose("pruned", params=2003.0)
    with pytest.raises(InputError, match="no iterations; got 'pruned@3:random'"):
        Entry.parse("pruned@3:random")


def test_budgets_are_none_above_the_networks_own_cost():
    plain = toy_setting("uniform").plain
    own = {"params": float(params(DEFAULT)), "macs": float(macs(DEFAULT))}
    asked = {"params": 2 * own["params"], "macs": own["macs"] / 2}
    assert smaller(plain, asked) == {"params": own["params"], "macs": own["macs"] / 2}
    assert smaller(plain, {"latency_ms": 7.0}) == {"latency_ms": 7.0}
    with pytest.raises(NotApplicable, match="smaller"):
        smaller(plain, {"params": own["params"] + 1})


@pytest.mark.parametrize(
    "text, targets, told",
    [
        ("pruned:random@weight", {"params": 2003.0}, "so params stays"),
        ("pruned:random", {"nonzero": 2003.0}, "of rows that let single weights go"),
        ("pruned:sss@block", {"nonzero": 2003.0}, "of rows that let single weights go"),
        ("pruned:random@weight", {"nonzero": 1e9}, "smaller"),
    ],
)
def test_a_budget_is_one_of_what_goes(text, targets, told):
    with pytest.raises(NotApplicable, match=told):
        propose(text, **targets)


def test_default_widths_that_stay_have_to_be_allowed():
    for text, targets in (
        ("pruned:random@weight", {"nonzero": 2003.0}),
        ("pruned:sss@block", {"params": 2003.0}),
    ):
        member = methods.get("pruned")
        assert member.propose(toy_setting(text, min_width=13), targets).widths is None
        with pytest.raises(NotApplicable, match="flags for widths"):
            member.propose(toy_setting(text, round_to=8), targets)
    by_device = toy_setting("pruned:sss@block", device="x.json")
    with pytest.raises(NotApplicable, match="no other depth"):
        member.propose(by_device, {"latency_ms": 3.0})
