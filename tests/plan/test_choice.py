"""Whose widths a network has: given ones, a method's, or those measured before."""

import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import (
    DEFAULT,
    params,
    silent,
    toy_architecture,
    toy_search,
    unranked,
    written,
)

from ns_tf.base import Architecture, InputError
from ns_tf.networks.structure import analyse
from ns_tf.plan.choice import WidthChoice
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.plan.plan import make_plan
from ns_tf.problem.config import NetworkConfig
from ns_tf.run import files
from ns_tf.train.job import network_costs

ARCHITECTURE = toy_architecture()


def choice(widths=(), method="neuralscale", iteration=None, **budget):
    return WidthChoice(
        NetworkConfig(widths=widths),
        BudgetConfig(**budget),
        MethodConfig(method, iteration),
    )


@pytest.fixture(scope="module")
def problem():
    """The network alone: widths need no data."""
    structure = analyse(ARCHITECTURE, (11, 11, 3), 5)
    return types.SimpleNamespace(architecture=ARCHITECTURE, structure=structure)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A folder with a search of the network."""
    return written(tmp_path_factory.mktemp("search"), toy_search())


def test_given_widths_need_neither_search_nor_budget(problem, tmp_path):
    assert choice((3, 5, 7)).widths(problem, tmp_path, tmp_path) == (3, 5, 7)
    with pytest.raises(InputError, match="toy has 3 widths; got 2"):
        choice((3, 5)).widths(problem, tmp_path, tmp_path)


@pytest.mark.parametrize("budget", [{"params": 5003.0}, {"ratio": 0.5}])
def test_widths_and_a_budget_exclude_each_other(problem, tmp_path, budget):
    with pytest.raises(InputError, match="Give --widths or a budget, not both"):
        choice((3, 5, 7), **budget).widths(problem, tmp_path, tmp_path)


@pytest.mark.parametrize("method", ["neuralscale", "uniform", "morphnet"])
def test_a_search_gives_the_widths_that_its_plan_has(problem, run_dir, method):
    widths = choice(method=method, params=5003.0).widths(problem, run_dir, run_dir)
    plan = make_plan(toy_search(), {"params": 5003}, method=method)
    assert widths == plan.widths


def test_without_a_method_the_search_decides_as_for_a_plan(problem, tmp_path):
    budget = {"macs": 120_011.0}
    older = unranked(toy_search())
    records = {"uniform": silent(older), "priced": older, "ranking": toy_search()}
    for name, record in records.items():
        folder = tmp_path / name
        folder.mkdir()
        written(folder, record)
        made = choice(method=None, **budget)
        plan = make_plan(record, budget)
        assert made.widths(problem, folder, folder) == plan.widths
        assert plan.method == name


def test_uniform_widths_need_no_search(problem, tmp_path):
    widths = choice(method="uniform", params=5003.0).widths(problem, tmp_path, tmp_path)
    assert params(widths) <= 5003
    assert widths == make_plan(toy_search(), {"params": 5003}, method="uniform").widths


def test_a_law_needs_a_search_of_this_network(problem, run_dir, tmp_path):
    other = types.SimpleNamespace(
        architecture=Architecture("other", DEFAULT, ARCHITECTURE.builder),
        structure=problem.structure,
    )
    for place, asked, name in ((tmp_path, problem, "toy"), (run_dir, other, "other")):
        with pytest.raises(InputError, match=f"needs a search of {name}"):
            choice(params=5003.0).widths(asked, place, place)


@pytest.mark.parametrize("shape, classes", [((11, 11, 3), 47), ((23, 23, 3), 5)])
@pytest.mark.parametrize("budget", [{"params": 5003.0}, {"macs": 700_001.0}])
def test_a_budget_is_of_the_network_that_is_trained(run_dir, shape, classes, budget):
    """It may have other images and classes than the search had."""
    trained = analyse(ARCHITECTURE, shape, classes)
    other = types.SimpleNamespace(architecture=ARCHITECTURE, structure=trained)
    for method in ("neuralscale", "uniform", "priced"):
        made = choice(method=method, **budget)
        costs = network_costs(trained, made.widths(other, run_dir, run_dir))
        for name, most in budget.items():
            assert 0.8 * most < costs[name] <= most


def test_a_budget_that_is_counted_on_the_network_finds_one_without_a_name(
    problem, run_dir
):
    widths = choice(weight_bytes=20_011.0).widths(problem, run_dir, run_dir)
    assert 4 * params(widths) <= 20_011


def test_widths_that_were_measured_before_stay(problem, run_dir, tmp_path):
    files.write_json(tmp_path / "widths.json", {"version": 1, "widths": [3, 5, 7]})
    measured = choice(latency_ms=1.0).widths(problem, run_dir, tmp_path)
    exact = choice(params=5003.0).widths(problem, run_dir, tmp_path)
    assert measured == (3, 5, 7) != exact


# Names of folders.


@pytest.mark.parametrize(
    "made, name",
    [
        (choice((3, 5, 7)), "widths_3_5_7_seed11"),
        (choice(params=600000.0), "neuralscale_params600000_seed11"),
        (choice(method=None, macs=5e7), "macs50000000_seed11"),
        (choice(method="priced", macs=5e7), "priced_macs50000000_seed11"),
        (choice(iteration=15, ratio=0.25), "neuralscale_it15_ratio0.25_seed11"),
        (
            choice(method="uniform", macs=5e7, latency_ms=1.5),
            "uniform_latency_ms1.5_macs50000000_seed11",
        ),
    ],
)
def test_a_name_says_method_budget_and_seed(made, name):
    assert made.name(11) == name


@given(st.lists(st.integers(1, 999), min_size=30, max_size=60))
def test_names_of_many_widths_are_short_and_tell_them_apart(widths):
    name = choice(tuple(widths)).name(3)
    other = choice((*widths[:-1], widths[-1] + 1)).name(3)
    assert len(name) <= 100 and name.startswith("widths_") and name.endswith("_seed3")
    assert name != other


def test_a_choice_adds_its_settings_to_a_trainings_flags():
    made = choice(params=5003.0)
    assert made.flags == (made.budget, made.method)
    for method, told in ((None, None), ("priced", "priced")):
        made = choice(method=method, macs=5e7)
        assert made.flags[1].method == told and made.method.method == "priced"


def test_a_network_without_widths_is_trained_as_it_is(tmp_path):
    whole = types.SimpleNamespace(
        architecture=Architecture("fixed", (), builder=None), structure=None
    )
    assert choice().widths(whole, tmp_path, tmp_path / "train") == ()
    assert choice().name(seed=3) == "fixed_seed3"
    for asked in (choice(widths=(5,)), choice(ratio=0.5), choice(params=99)):
        with pytest.raises(InputError, match="leave --widths and budgets out"):
            asked.widths(whole, tmp_path, tmp_path / "train")
