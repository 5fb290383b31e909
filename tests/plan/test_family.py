"""Candidates for a budget: all within it, uniform first, and different."""

import dataclasses

import numpy as np
import pytest
from toys import macs, params, scored, toy_architecture, toy_search, unranked

import ns_tf
from ns_tf.base import InputError
from ns_tf.budgets import BUDGETS
from ns_tf.plan.family import BY_SCORES, UNIFORM, Family
from ns_tf.plan.plan import make_plan
from ns_tf.scaling.curves import uniform_curve

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
    for method in ("uniform", "priced", "neuralscale", "ranking"):
        assert make_plan(record, target, method=method).widths in widths


def test_the_ranking_of_the_search_is_in_it_if_there_is_one():
    target = {"macs": 90_103}  # Below the searched network.
    labels = [one.label for one in Family.of(toy_search(), target).candidates(99)]
    assert labels[1:3] == ["ranking", "0.5_to_ranking"]
    older = Family.of(unranked(toy_search()), target)
    labels = [one.label for one in older.candidates(99)]
    assert len(labels) > 3 and not any("ranking" in label for label in labels)


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


@pytest.mark.parametrize(
    "target, place", [({"macs": 901_003}, 1), ({"params": 2_003}, 6)]
)
def test_widths_by_scores_come_first_where_filters_have_a_price(target, place):
    record = scored(toy_search())
    way_down = uniform_curve([31, 29, 5], params([31, 29, 5]))
    family = Family.of(record, target)
    found = dataclasses.replace(family, way_down=way_down).candidates(99)
    labels = [one.label for one in found]
    assert labels[place : place + 2] == [BY_SCORES, f"0.5_to_{BY_SCORES}"]
    uniform, scores, between = (found[k].scaling.widths for k in (0, place, place + 1))
    assert scores[-1] < between[-1] < uniform[-1]
    assert all(params(one.scaling.widths) <= target.get("params", 1e9) for one in found)
    wanted = [family.wants_scores(count) for count in (2, 7, 8)]
    assert wanted == [place == 1, place == 1, True]


def test_scores_of_the_iteration_that_is_asked_for_count():
    """As of a search by an earlier version, to which an iteration was added."""
    record, target = toy_search(), {"params": 30_011}
    states = unranked(record).states[0], record.states[1]
    mixed = dataclasses.replace(record, states=states)
    wanted = [Family.of(mixed, target, iteration=n).wants_scores(7) for n in (None, 2)]
    assert wanted == [True, False]


def test_a_law_that_comes_to_no_budget_leaves_the_others():
    """Its only widths are those of 900 filters and more."""
    record = scored(toy_search())
    state = record.states[-1]
    law = dataclasses.replace(
        state.law, alpha=np.full(3, 900.0), beta=np.array([0.0, 0.5, 0.5])
    )
    states = (*record.states[:-1], dataclasses.replace(state, law=law))
    family = Family.of(dataclasses.replace(record, states=states), {"params": 30_011})
    with pytest.raises(InputError, match="No tau meets"):
        make_plan(family.search, family.targets, method="neuralscale")
    assert UNIFORM in [one.label for one in family.candidates(99)]
    way_down = uniform_curve([31, 29, 5], params([31, 29, 5]))
    found = dataclasses.replace(family, way_down=way_down).candidates(99)
    labels = [one.label for one in found]
    assert BY_SCORES in labels and "neuralscale" not in labels
    assert all(params(one.scaling.widths) <= 30_011 for one in found)


def test_an_iteration_that_there_is_not_is_refused_at_once():
    with pytest.raises(InputError, match="iterations 1 to 2"):
        Family.of(toy_search(), {"params": 30_011}, iteration=9)


def test_uniform_widths_of_twice_the_budgets_cost_up_to_twice_as_much():
    family = Family.of(toy_search(), {"macs": 901_003, "params": 30_011})
    one, two = family.uniform(), family.uniform(2.0)
    assert one.widths == family.candidates(1)[0].scaling.widths
    assert params(two.widths) <= 60_022 and macs(two.widths) <= 1_802_006
    wider = [(np.array(two.widths) + row).tolist() for row in np.eye(3, dtype=int)]
    over = [params(w) > 60_022 or macs(w) > 1_802_006 for w in wider]
    assert all(over)


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
