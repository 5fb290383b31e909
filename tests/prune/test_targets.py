"""Shares and numbers as budgets of a trained network."""

import dataclasses

import keras
import numpy as np
import pytest
from small import chain, problem

from ns_tf.base import InputError
from ns_tf.budgets import Measure, exact_costs
from ns_tf.measure.fitting import Setup, Times, device_of
from ns_tf.measure.survey import Detail, Survey
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse
from ns_tf.prune.targets import budgets_of

STRUCTURE = problem(chain, (7, 5)).structure
OWN = {n: int(c(np.array([7, 5]))) for n, c in exact_costs(STRUCTURE).items()}


def found(**asked):
    return budgets_of(asked, STRUCTURE, (7, 5), Measure(1, 1, 1))


def test_below_one_is_a_share_and_one_is_the_network_itself():
    assert found(macs=0.5).targets == {"macs": OWN["macs"] / 2}
    assert found(macs=1.0).targets == found(macs=1).targets == {"macs": OWN["macs"]}
    both = found(macs=0.25, params=0.75)
    assert both.targets == {"macs": OWN["macs"] / 4, "params": OWN["params"] * 3 / 4}
    assert both.own == {"macs": OWN["macs"], "params": OWN["params"]}


def test_above_one_is_a_number_in_the_budgets_unit():
    assert found(params=300).targets == {"params": 300}
    assert found(macs=OWN["macs"]).targets == {"macs": OWN["macs"]}


def test_milliseconds_are_milliseconds_however_few():
    assert found(latency_ms=0.5).targets == {"latency_ms": 0.5}
    assert found(latency_ms=0.5).own == {}


def test_a_device_file_says_milliseconds():
    survey = Survey.of(STRUCTURE, (7, 5), Detail(points=3, networks=0))
    times = [
        Times(np.ones((1, len(s.reads), len(s.makes))), np.zeros((1, 1, 1)))
        for s in survey.shapes
    ]
    device = device_of(survey, times, [], 0.5, Setup("law", 1, 1, "a toy"))
    made = budgets_of({"latency_ms": 3}, STRUCTURE, (7, 5), Measure(device=device))
    assert made.targets == {"latency_ms": 3} and not made.costs["latency_ms"].measured
    assert made.costs["latency_ms"](np.array([7, 5])) == 0.5 + len(survey.uses)
    with pytest.raises(InputError, match="--device_here corrects plans"):
        here = Measure(device=device, here=True)
        budgets_of({"latency_ms": 3}, STRUCTURE, (7, 5), here)
    other = dataclasses.replace(device.network, names=("a", "b"))
    measure = Measure(device=dataclasses.replace(device, network=other))
    with pytest.raises(InputError, match="of another network"):
        budgets_of({"latency_ms": 3}, STRUCTURE, (7, 5), measure)


def test_a_device_file_holds_where_layers_are_kept():
    model, ends = STRUCTURE.build((7, 5)), (STRUCTURE.input_shape, STRUCTURE.classes)
    whole, kept = (
        analyse(from_model(model, keep=keep), *ends) for keep in ((), ("conv1",))
    )
    survey = Survey.of(whole, (7, 5), Detail(points=3, networks=0))
    times = [
        Times(np.add.outer(s.reads, s.makes)[None] * 1.0, np.zeros((1, 1, 1)))
        for s in survey.shapes
    ]
    device = device_of(survey, times, [], 0.5, Setup("law", 1, 1, "a toy"))
    asked, measure = {"latency_ms": 30}, Measure(device=device)
    cost = budgets_of(asked, kept, (5,), measure, whole=whole).costs["latency_ms"]
    assert cost(np.array([3])) == device.ms((7, 3)) < cost(np.array([5]))
    several = cost(np.array([[[3], [5]]]))
    assert several.tolist() == [[device.ms((7, 3)), device.ms((7, 5))]]
    with pytest.raises(InputError, match="widths conv1,conv2, ..., not conv2"):
        budgets_of(asked, kept, (5,), measure)
    assert budgets_of(asked, kept, (5,), measure, whole=whole).largest == (5,)
    narrow = dataclasses.replace(device.network, largest=(6, 4))
    narrow = Measure(device=dataclasses.replace(device, network=narrow))
    assert budgets_of(asked, whole, (7, 5), narrow).largest == (6, 4)
    with pytest.raises(InputError, match="kept at 7 filters.* end at 6"):
        budgets_of(asked, kept, (5,), narrow, whole=whole)


def test_bytes_of_a_file_may_be_a_share(monkeypatch):
    from ns_tf.budgets import litert_bytes
    from ns_tf.networks import deployed

    monkeypatch.setattr(
        deployed, "litert", lambda model, names: bytes(model.count_params())
    )
    assert litert_bytes  # Imported late by the budget.
    made = found(litert_bytes=0.5)
    assert made.targets["litert_bytes"] == made.own["litert_bytes"] / 2
    assert made.costs["litert_bytes"].estimate is not None


def test_the_ratio_of_the_paper_is_a_number_of_parameters():
    """Every width times r, rounded down: (3, 2)."""
    expected = int(STRUCTURE.params(np.array([3, 2])))
    assert found(ratio=0.5).targets == {"params": expected}
    assert found(ratio=0.5, params=7).targets == {"params": 7}


def test_a_budget_that_networks_cannot_be_counted_by_says_why():
    sequence = keras.Input((11, 3))
    out = keras.layers.Dense(2)(keras.layers.LSTM(5)(sequence))
    structure = analyse(from_model(keras.Model(sequence, out)), (11, 3), 2)
    with pytest.raises(InputError, match="peak_ram cannot be counted on .*others, as"):
        budgets_of({"peak_ram": 0.9}, structure, structure.architecture.widths)


@pytest.mark.parametrize(
    "asked, told",
    [
        ({}, "Give a budget"),
        ({"mac": 0.5}, "Did you mean 'macs'"),
        ({"macs": 0}, "positive, finite number; got 0"),
        ({"macs": float("nan")}, "got nan"),
        ({"macs": True}, "got True"),
        ({"macs": OWN["macs"] + 1}, "more than the trained network has"),
        ({"ratio": 1.5}, "more than the whole network"),
    ],
)
def test_budgets_that_make_no_sense_are_refused_in_one_line(asked, told):
    with pytest.raises(InputError, match=told) as error:
        found(**asked)
    assert "\n" not in str(error.value)
