"""Budgets of a plan: what they cost, and the paper's r among them."""

import dataclasses

import numpy as np
import pytest
from laws import toy_device, toy_ms
from toys import DEFAULT, macs, params, toy_architecture, toy_search

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.measure import whole
from ns_tf.plan import methods, targets
from ns_tf.plan.methods import proportional
from ns_tf.plan.targets import solve, with_ratio

RECORD = toy_search(0)
CURVE = proportional(RECORD, DEFAULT)


def test_a_device_file_says_milliseconds_and_how_wide_plans_may_be():
    record = toy_search()
    measure = Measure(device=toy_device(record, largest=40))
    assert targets.default_method(["latency_ms"], measure) == "priced"
    assert targets.default_method(["latency_ms"], Measure()) == "neuralscale"
    found = solve(
        record, methods.curve(record, "priced"), {"latency_ms": 9}, measure=measure
    )
    ms = found.costs["latency_ms"]
    assert ms == pytest.approx(toy_ms(found.widths)) and 8.7 < ms <= 9
    with pytest.raises(InputError, match="widths 40,40,40"):
        solve(record, CURVE, {"latency_ms": 99}, measure=measure)


@pytest.mark.parametrize(
    "limits", [{"max_width": 0}, {"max_width": "8"}, {"max_width": 4, "min_width": 8}]
)
def test_widths_that_cannot_be_are_refused_beside_a_device_file_too(limits):
    measure = Measure(device=toy_device(RECORD))
    with pytest.raises(InputError, match="--max_width(=4; | is a whole number)"):
        solve(RECORD, CURVE, {"latency_ms": 9}, measure=measure, **limits)


def test_plans_by_a_device_file_are_corrected_by_measuring(monkeypatch):
    record, taken = toy_search(), []

    def clock(structure, device):
        assert structure == "the structure" and device.runtime == "law"
        return lambda widths: taken.append(1.3 * toy_ms(widths)) or taken[-1]

    monkeypatch.setattr(whole, "clock", clock)
    monkeypatch.setattr(targets, "_structure", lambda *_: "the structure")
    measure = Measure(device=toy_device(record), here=True)
    found = solve(record, CURVE, {"latency_ms": 9, "params": 70_000}, measure=measure)
    assert 0.97 * 9 <= found.costs["latency_ms"] <= 9 and len(taken) <= 3
    assert found.costs["latency_ms"] == pytest.approx(1.3 * toy_ms(found.widths))
    assert found.targets == {"latency_ms": 9, "params": 70_000}


def test_the_device_file_of_another_network_is_refused():
    device = toy_device(toy_search(), largest=40)
    other = dataclasses.replace(RECORD, names=("a", "b", "d"))
    with pytest.raises(InputError, match="of another network"):
        solve(other, CURVE, {"latency_ms": 9}, measure=Measure(device=device))


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


def test_budgets_that_numpy_counted_are_plain_numbers():
    budget = {"params": np.array(5003), "macs": np.float32(0.5), "flash": 7}
    answer = with_ratio(RECORD, budget, None)
    assert answer == {"params": 5003, "macs": 0.5, "flash": 7}
    assert [type(value) for value in answer.values()] == [int, float, int]


@pytest.mark.parametrize("value", [None, [1, 2], "5", 0, -1, float("nan"), True])
def test_a_budget_that_is_no_number_is_refused_whatever_the_method(value):
    """At a price as well, where budgets are not solved for along a curve."""
    with pytest.raises(InputError, match="macs is a positive, finite number; got"):
        with_ratio(RECORD, {"params": 5.0, "macs": value}, None)


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
