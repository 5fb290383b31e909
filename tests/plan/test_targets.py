"""Budgets of a plan: what they cost, and the paper's r among them."""

import pytest
from toys import DEFAULT, macs, params, toy_architecture, toy_search

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.plan import targets
from ns_tf.plan.methods import proportional
from ns_tf.plan.targets import solve, with_ratio

RECORD = toy_search(0)
CURVE = proportional(RECORD, DEFAULT)


@pytest.mark.parametrize("ratio", [0.25, 0.29, 1.0, 2.0])
def test_a_ratio_means_the_parameters_of_floored_widths(ratio):
    floored = [max(1, int(round(width * ratio, 6))) for width in DEFAULT]
    assert with_ratio(RECORD, {}, ratio) == {"params": params(floored)}


def test_of_a_ratio_and_parameters_the_smaller_one_holds():
    quarter = with_ratio(RECORD, {}, 0.25)["params"]
    assert with_ratio(RECORD, {"params": 1.0, "macs": 5.0}, 0.25) == {
        "params": 1.0,
        "macs": 5.0,
    }
    assert with_ratio(RECORD, {"params": 1e9}, 0.25) == {"params": quarter}


def test_budgets_stay_as_they_are_without_a_ratio():
    budget = {"macs": 5.0}
    answer = with_ratio(RECORD, budget, None)
    assert answer == budget and answer is not budget


def test_no_budget_at_all_is_refused_and_all_are_named():
    with pytest.raises(InputError, match="Give a budget: .*params.* or ratio"):
        with_ratio(RECORD, {}, None)


def test_recorded_costs_need_no_network():
    """The record's architecture has no name that could be found."""
    scaling = solve(RECORD, CURVE, {"macs": 100_003.0})
    assert scaling.costs == {"macs": macs(scaling.widths)}
    assert scaling.costs["macs"] <= 100_003


def test_an_exact_budget_that_an_older_search_did_not_record_is_counted_now():
    older = toy_search(0, costs={"params": RECORD.costs["params"]})
    scaling = solve(
        older, CURVE, {"weight_bytes": 20_011.0}, builder=toy_architecture()
    )
    assert 4 * params(scaling.widths) == scaling.costs["weight_bytes"] <= 20_011


def test_a_measured_budget_is_measured_as_asked(monkeypatch):
    measures = []

    def cost(structure, measure):
        from ns_tf.base import Cost

        measures.append(measure)
        return Cost(lambda widths: float(sum(widths)), measured=True)

    latency = budgets.get("latency_ms")
    monkeypatch.setattr(
        targets.budgets,
        "get",
        lambda name: type(latency)(name, "ms", "", True, cost),
    )
    measure = Measure(batch=7, warmup=3, repeats=5)
    scaling = solve(
        RECORD, CURVE, {"latency_ms": 41.0}, measure=measure, builder=toy_architecture()
    )
    assert measures == [measure]
    assert 30 < sum(scaling.widths) == scaling.costs["latency_ms"] <= 41


def test_an_unknown_budget_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="Did you mean 'params'"):
        solve(RECORD, CURVE, {"parms": 3.0})
