"""The kind: what a budget knows, how one is registered, which need no measuring."""

import counted
import numpy as np
import pytest
from searches import made_up

import ns_tf
from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS, Measure, exact_costs
from ns_tf.descend.record import new_search
from ns_tf.plan.plan import Searched


@pytest.fixture
def own(monkeypatch):
    """What is registered in a test is gone after it."""
    BUDGETS.names()
    monkeypatch.setattr(BUDGETS, "_members", dict(BUDGETS._members))


@pytest.fixture
def search(rng):
    """A search that nobody did, of the network that is counted by hand."""
    structure = counted.structure()
    plain = new_search(structure, "digits", structure.architecture.widths)
    return Searched(made_up(plain, rng), structure.architecture)


@pytest.mark.parametrize("name", BUDGETS.names())
def test_every_budget_says_what_it_counts_in_and_that_it_is_the_most(name):
    member = budgets.get(name)
    assert member.name == name
    assert member.unit
    assert "at most" in member.help and member.help.endswith(".")


@pytest.mark.parametrize("name", BUDGETS.names())
def test_only_measured_budgets_have_an_estimate_and_that_is_exact(name):
    member = budgets.get(name)
    if member.estimate is not None:
        assert member.measured
        assert not budgets.get(member.estimate).measured


def test_exact_costs_are_those_of_all_budgets_that_are_not_measured():
    costs = exact_costs(counted.structure())
    sizes = {"params", "macs", "weight_bytes", "weight_bytes_int8"}
    assert set(costs) == {*sizes, "peak_ram", "peak_ram_float32"}
    at = {name: int(cost(np.array([7, 11]))) for name, cost in costs.items()}
    assert at["params"] == counted.parameters(7, 11)
    assert at["macs"] == counted.multiply_adds(7, 11)
    assert at["weight_bytes"] == 4 * (at["params"] + counted.statistics(7, 11))


def test_the_defaults_of_a_measurement_are_the_paper_s():
    assert Measure() == Measure(batch=100, warmup=20, repeats=80)


def test_an_unknown_budget_suggests_the_nearest():
    with pytest.raises(InputError, match="Unknown budget 'parms'. Did you mean 'par"):
        budgets.get("parms")


def test_a_user_s_exact_budget_can_be_planned_for(own, search):
    @ns_tf.budget("kernels", unit="entries", help="Entries of kernels, at most.")
    def kernels(structure):
        sizes = [weight for weight in structure.weights if weight.name == "kernel"]
        terms = ((*term, size.differ) for size in sizes for term in size.terms)
        return ns_tf.CostPolynomial.collect("entries", terms)

    plan = search.plan(kernels=1_009)
    w0, w1 = plan.scaling.widths
    entries = 27 * w0 + 9 * w0 + 9 * w0 * w1 + 5 * w1
    assert plan.scaling.costs == {"kernels": entries}
    assert entries <= 1_009 < entries + min(36 + 9 * w1, 9 * w0 + 5)
    assert kernels(counted.structure())(np.array([w0, w1])) == entries
    assert "kernels" in exact_costs(counted.structure())


def test_a_user_s_budget_may_be_a_plain_function_of_widths(own, search):
    @ns_tf.budget("channels", unit="channels", help="Channels, at most.")
    def channels(structure):
        return lambda widths: np.sum(widths, axis=-1)

    assert sum(search.plan(channels=37).scaling.widths) == 37


def test_a_user_s_measured_budget_is_solved_on_its_estimate(own, search):
    measured = []

    @ns_tf.budget(
        "saved", unit="bytes", help="Size.", measured=True, estimate="weight_bytes"
    )
    def saved(structure, measure):
        assert measure == Measure(repeats=3)

        def cost(widths):
            measured.append(tuple(widths))
            return 1_303 + sum(a.nbytes for a in structure.build(widths).get_weights())

        return ns_tf.Cost(cost, measured=True)

    plan = search.plan(saved=20_011, measure=Measure(repeats=3))
    exact = search.plan(weight_bytes=20_011 - 1_303)
    assert plan.scaling.widths == exact.scaling.widths
    assert plan.scaling.costs["saved"] == exact.scaling.costs["weight_bytes"] + 1_303
    assert len(measured) <= 5


def test_a_name_that_is_taken_is_refused_and_the_function_stays_its_own(own):
    with pytest.raises(ValueError, match="budget 'params' is registered twice"):
        ns_tf.budget("params", unit="x", help="X.")(print)
    assert budgets.get("params").cost is not print

    def mine(structure):
        return None

    assert ns_tf.budget("mine", unit="x", help="X.")(mine) is mine
