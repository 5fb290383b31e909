"""Candidates for a budget: all within it, uniform first, and different."""

import numpy as np
import pytest
from toys import macs, params, scored, toy_architecture, toy_search

import ns_tf
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.plan.family import UNIFORM, Family
from ns_tf.plan.plan import make_plan

TARGETS = [
    {"params": 30_011},
    {"macs": 901_003},
    {"params": 30_011, "macs": 901_003},
]


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("grid", [1, 2])
def test_every_candidate_meets_the_budgets_and_is_another(targets, grid):
    found = Family.of(scored(toy_search()), targets, round_to=grid).candidates(99)
    widths = [one.scaling.widths for one in found]
    assert found[0].label == UNIFORM
    assert len(set(widths)) == len(widths) > 4
    assert len({one.label for one in found}) == len(found)
    counts = {"params": params, "macs": macs}
    for one in widths:
        assert not np.mod(one, grid).any()
        assert all(counts[name](one) <= goal for name, goal in targets.items())


def test_the_plans_of_the_methods_are_in_it():
    record, target = scored(toy_search()), {"macs": 901_003}
    found = Family.of(record, target).candidates(99)
    widths = {one.scaling.widths for one in found}
    for method in ("uniform", "priced", "neuralscale"):
        assert make_plan(record, target, method=method).widths in widths


def test_a_mean_lies_between_its_ends():
    found = Family.of(toy_search(), {"params": 30_011}).candidates(99)
    by_label = {one.label: np.log(one.scaling.widths) for one in found}
    one, middle, other = (
        by_label[name] for name in (UNIFORM, "0.5_to_neuralscale", "neuralscale")
    )
    # To a filter, and to the factor that makes the mean meet the budget.
    shift = middle - (one + other) / 2
    np.testing.assert_allclose(shift, shift.mean(), atol=0.1)


def test_fewer_are_the_first_ones():
    family = Family.of(toy_search(), {"macs": 901_003})
    assert family.candidates(3) == family.candidates(99)[:3]


def test_a_budget_without_a_price_has_candidates_too(monkeypatch):
    monkeypatch.setattr(BUDGETS, "_members", dict(BUDGETS._members))

    @ns_tf.budget("filters", unit="filters", help="Filters, at most.")
    def filters(structure):
        return lambda widths: np.asarray(widths).sum(axis=-1)

    family = Family.of(toy_search(), {"filters": 411}, builder=toy_architecture())
    labels = [one.label for one in family.candidates(99)]
    assert labels[:2] == [UNIFORM, "neuralscale"]
    assert not any("priced" in label for label in labels)


@pytest.mark.parametrize(
    "targets, text",
    [({}, "Give a budget"), ({"size": 3}, "size"), ({"params": 3}, "cannot be met")],
)
def test_budgets_that_cannot_be_are_refused(targets, text):
    with pytest.raises(InputError, match=text):
        Family.of(toy_search(), targets).candidates(3)
