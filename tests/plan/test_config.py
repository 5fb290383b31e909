"""Flags of budgets and methods: one for every member of a registry."""

import dataclasses
import math

import pytest

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.plan import methods
from ns_tf.plan.config import BudgetConfig, MethodConfig, OutputConfig, SolverConfig
from ns_tf.run.option import options


def test_every_budget_has_a_flag_with_its_own_help():
    fields = {field.name: kind for field, kind in options(BudgetConfig)}
    assert set(BUDGETS.names()) < set(fields) and "ratio" in fields
    for name in BUDGETS.names():
        (field,) = [f for f in dataclasses.fields(BudgetConfig) if f.name == name]
        assert field.default is None
        assert field.metadata["option"]["help"] == budgets.get(name).help


def test_targets_are_the_budgets_that_were_given():
    assert BudgetConfig().targets == {}
    config = BudgetConfig(params=5003.0, macs=7.0, ratio=0.5)
    assert config.targets == {"macs": 7.0, "params": 5003.0}


@pytest.mark.parametrize("ratio", [0.0, -1.0, 101.0, float("nan")])
def test_a_ratio_lies_between_0_and_100(ratio):
    with pytest.raises(InputError, match="--ratio"):
        BudgetConfig(ratio=ratio)


@pytest.mark.parametrize(
    "name, value",
    [("latency_batch", 0), ("latency_repeats", 0), ("latency_warmup", -1)],
)
def test_latency_is_measured_on_something(name, value):
    with pytest.raises(InputError, match=f"--{name}.*got {value}"):
        SolverConfig(**{name: value})
    with pytest.raises(InputError, match=f"--{name}.*got {value}"):
        BudgetConfig(**{name: value})


def test_latency_is_measured_as_the_settings_say():
    config = BudgetConfig(latency_batch=7, latency_warmup=0, latency_repeats=5)
    assert config.measure == Measure(batch=7, warmup=0, repeats=5)


def test_the_method_is_any_that_has_a_curve_neuralscale_first():
    (field,) = [f for f in dataclasses.fields(MethodConfig) if f.name == "method"]
    about = field.metadata["option"]
    choices = about["choices"]
    assert choices[:3] == ("neuralscale", "divisible", "uniform")
    assert sorted(choices) == sorted(methods.with_curve())
    assert all(methods.get(name).help in about["help"] for name in choices)


@pytest.mark.parametrize(
    "budget, name",
    [
        ({"params": 3e5}, "neuralscale"),
        ({"ratio": 0.5, "weight_bytes": 1e6}, "neuralscale"),
        ({"macs": 3e7}, "priced"),
        ({"params": 3e5, "macs": 3e7, "litert_bytes": 1e6}, "priced"),
        ({"macs": 3e7, "latency_ms": 3.0}, "neuralscale"),  # It has no price.
    ],
)
def test_the_budget_chooses_the_method_where_nobody_does(budget, name):
    assert MethodConfig().of(BudgetConfig(**budget)).method == name
    assert MethodConfig("uniform").of(BudgetConfig(**budget)).method == "uniform"


def test_an_infinite_price_exponent_is_one():
    assert MethodConfig(price_exponent=math.inf).price_exponent == math.inf
    with pytest.raises(InputError, match="price_exponent is a number above 0"):
        MethodConfig(price_exponent=math.nan)


def test_a_plan_is_printed_as_a_table_unless_asked_otherwise():
    assert OutputConfig().output == "table"
