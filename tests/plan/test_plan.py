"""Plans: the widths for budgets, and what cannot be planned."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import DEFAULT, macs, params, silent, toy_architecture, toy_search, unranked

from ns_tf.base import InputError
from ns_tf.plan import plan
from ns_tf.plan.config import BudgetConfig, MethodConfig, SolverConfig
from ns_tf.plan.family import Family
from ns_tf.plan.plan import Searched, make_plan
from ns_tf.scaling.config import Wishes

SEARCH = toy_search()
LOW, HIGH = SEARCH.states[-1].law.tau_range


@settings(max_examples=30)
@given(
    st.sampled_from(["neuralscale", "uniform", "morphnet"]),
    st.floats(900, 40_000),
    st.integers(1, 4),
)
def test_a_plan_is_never_over_its_budget_and_no_width_can_grow(name, budget, step):
    made = make_plan(SEARCH, {"params": budget}, method=name, round_to=step)
    assert params(made.widths) == made.params <= budget
    for layer in range(3):
        grown = list(made.widths)
        grown[layer] += step
        assert params(grown) > budget


def test_with_several_budgets_all_hold():
    made = make_plan(SEARCH, {"params": 5003, "macs": 120_011})
    assert made.costs == {"params": params(made.widths), "macs": macs(made.widths)}
    assert made.costs["params"] <= 5003 and made.costs["macs"] <= 120_011
    assert made.scaling.targets == {"params": 5003, "macs": 120_011}


def test_a_ratio_is_the_parameters_of_the_default_widths_times_it():
    halved = params([width // 2 for width in DEFAULT])
    made = make_plan(SEARCH, {}, ratio=0.5)
    assert made.scaling.targets == {"params": halved}
    assert made.widths == make_plan(SEARCH, {"params": halved}).widths


def test_widths_keep_to_their_limits():
    made = make_plan(SEARCH, {"params": 5003}, round_to=4, min_width=8, max_width=20)
    assert all(width % 4 == 0 and 8 <= width <= 20 for width in made.widths)


@pytest.mark.parametrize("method", ["priced", "neuralscale"])
def test_a_budget_beyond_the_largest_network_changes_nothing(method):
    targets, options = {"macs": 60_013}, {"method": method, "max_width": 12}
    made = make_plan(SEARCH, targets, **options)
    loose = make_plan(SEARCH, {**targets, "params": 10**7}, **options)
    assert loose.widths == made.widths and max(made.widths) == 12
    with pytest.raises(InputError, match="cannot be met"):
        make_plan(SEARCH, {"macs": 10**8, "params": 10**7}, **options)


def test_wishes_hold_and_are_told():
    made = Searched(SEARCH).plan(
        params=5003, keep="a", widths_between={"b": (None, 11)}, multiple_of={"c": 4}
    )
    assert made.widths[0] == DEFAULT[0] and made.widths[1] <= 11
    assert made.widths[2] % 4 == 0 and params(made.widths) <= 5003
    asked = ["--keep=a", "--widths_between=b::11", "--multiple_of=c:4"]
    assert made.to_json()["wishes"] == asked
    assert f"wished: {' '.join(asked)}" in str(made)


def test_a_plan_without_wishes_takes_those_of_its_search():
    search = dataclasses.replace(SEARCH, wishes=Wishes(keep="b"))
    assert make_plan(search, {"params": 5003}).widths[1] == DEFAULT[1]
    other = make_plan(search, {"params": 5003}, wishes=Wishes(tie="a:c"))
    assert other.widths[0] == other.widths[2] and other.wishes == ("--tie=a:c",)
    assert "wishes" not in make_plan(SEARCH, {"params": 5003}).to_json()


def test_the_iteration_of_a_plan_is_the_last_unless_it_is_named():
    assert make_plan(SEARCH, {"params": 5003}).iteration == 2
    first = make_plan(SEARCH, {"params": 5003}, iteration=1)
    assert first.iteration == 1
    assert first.tau_range == SEARCH.states[0].law.tau_range
    assert make_plan(SEARCH, {"params": 5003}, method="uniform").iteration is None


@pytest.mark.parametrize(
    "options, told",
    [
        ({"method": "neuralscal"}, "Did you mean 'neuralscale'"),
        ({"method": "li_l1"}, "Unknown method 'li_l1'"),
        ({"iteration": 3}, "iterations 1 to 2"),
        ({"iteration": 1.5}, "whole number"),
        ({"method": "uniform", "iteration": 1}, "has no iterations"),
        ({"ratio": -1}, "positive number"),
        ({"min_width": 0}, "min_width"),
        *(
            ({"method": "priced", "price_exponent": p}, "price_exponent is a positive")
            for p in ("2", True, 0, -1.0, float("nan"), [2.0])
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        make_plan(SEARCH, {"params": 5003}, **options)
    with pytest.raises(InputError, match="Give a budget"):
        make_plan(SEARCH, {})


def test_where_prices_are_silent_a_plan_is_uniform_unless_priced_is_named():
    steep = silent(unranked(SEARCH))
    made = make_plan(steep, {"macs": 120_011})
    assert made.widths == make_plan(steep, {"macs": 120_011}, method="uniform").widths
    assert made.method == "uniform" and made.unpriced.floored
    assert "uniform: one more filter is worth tau^-1 (assumed)" in str(made)
    assert make_plan(steep, {"macs": 120_011}, iteration=2) == made
    assert made.to_json()["unpriced"]["asked"] == 1
    for options in ({"method": "priced"}, {"price_exponent": 1.0}):
        named = make_plan(steep, {"macs": 120_011}, **options)
        assert named.method == "priced" and named.pricing.floored
    assert make_plan(unranked(SEARCH), {"macs": 120_011}).method == "priced"


@pytest.mark.parametrize("iteration, told", [(1.5, "whole number"), (0, "1 to 2")])
def test_an_iteration_that_cannot_be_is_refused_where_no_method_is_named(
    iteration, told
):
    with pytest.raises(InputError, match=told):
        make_plan(SEARCH, {"macs": 90_103}, iteration=iteration)
    with pytest.raises(InputError, match=told):
        Family.of(SEARCH, {"macs": 90_103}, iteration=iteration)


def test_multiply_adds_are_planned_by_the_scores_of_all_filters_where_there_are_some():
    target = {"macs": 90_103}
    made = make_plan(SEARCH, target)
    assert made == make_plan(SEARCH, target, method="ranking")
    assert "by the scores of all filters in iteration 1, before" in str(made)
    larger = make_plan(SEARCH, {"macs": 300_007})
    assert larger.method == "ranking" and min(larger.widths) >= min(DEFAULT)
    assert "its widths are scaled evenly" in str(larger)
    assert make_plan(SEARCH, target, iteration=2).iteration == 2
    assert make_plan(SEARCH, target, price_exponent=1.0).method == "priced"
    assert make_plan(SEARCH, {"params": 5003}).method == "neuralscale"


# What a plan says.


def test_settings_become_the_options_of_a_plan():
    budget = BudgetConfig(params=5003.0, ratio=0.5, round_to=2, max_width=40)
    options = plan.options(budget, MethodConfig(method="uniform"))
    assert options["ratio"] == 0.5 and options["method"] == "uniform"
    made = make_plan(SEARCH, budget.targets, **options)
    assert made == make_plan(
        SEARCH, {"params": 5003}, method="uniform", ratio=0.5, round_to=2, max_width=40
    )


def test_solver_settings_say_how_latency_is_measured():
    solver = SolverConfig(latency_batch=7, latency_warmup=3, latency_repeats=5)
    measure = plan.solver_options(solver)["measure"]
    assert (measure.batch, measure.warmup, measure.repeats) == (7, 3, 5)


def test_a_search_plans_by_budgets_as_keywords():
    searched = Searched(SEARCH, toy_architecture())
    made = searched.plan(params=5003, macs=120_011, method="uniform")
    assert made == make_plan(
        SEARCH, {"params": 5003, "macs": 120_011}, method="uniform"
    )
    assert made.builder is searched.architecture
    with pytest.raises(InputError, match="Did you mean 'params'"):
        searched.plan(param=5003)
    assert np.array(searched.plan(ratio=2).widths).sum() > sum(DEFAULT)
