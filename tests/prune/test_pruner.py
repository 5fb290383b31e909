"""Pruning a trained network: any criterion, once or in rounds, under budgets."""

import dataclasses

import numpy as np
import pytest
from trained import learned, noise_images, pruner

import ns_tf
from ns_tf.base import InputError
from ns_tf.problem.weighted import Weighted
from ns_tf.prune import allocations, criteria
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.criteria import CRITERIA


def solved(name):
    """(the pruner of a criterion, what it would keep); the budget is kept."""
    model, problem = learned()
    member = criteria.get(name)
    asked = {"method": name, "repair": "statistics", "macs": 0.5}
    asked["rounds"] = min(2, member.rounds)
    if allocations.get(member.allocation).evaluates:
        asked["allocation"] = "uniform"
    made = pruner(model, problem.dataset, **asked)
    scores = made.score()
    assert scores.shape == made.graph.owner.shape and np.isfinite(scores).all()
    scaling = made.solve(scores)
    assert 0.45 < scaling.costs["macs"] / made.budgets.own["macs"] <= 0.5
    keep = made.chosen(scores, scaling.widths)
    assert made.prunable.count(keep) == scaling.widths
    return made, keep


# What is cut depends on the scores alone, so these cut for all.
CUT = ("magnitude", "taylor_fg", "thinet")
ALIKE = sorted(set(CRITERIA.names()) - set(CUT))


@pytest.mark.parametrize("name", ALIKE)
def test_criteria_have_finite_scores_that_keep_the_budget(name):
    solved(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ())
        for name in CRITERIA.names()
    ],
)
def test_every_criterion_prunes_a_network_that_has_learned(name):
    """Finite scores, the budget kept, better than chance before training."""
    made, keep = solved(name)
    small, accuracies = made.cut_and_repair(keep)
    assert small.count_params() < made.model.count_params()
    assert accuracies["trained"] > 0.5 and accuracies["repaired"] > 0.12


@pytest.mark.parametrize(
    "name",
    [
        "random",  # Of gdp, `criteria/test_gdp.py` has rounds.
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("apoz", "curl_kl", "taylor_fg", "thinet")
        ),
    ],
)
def test_any_criterion_scores_in_rounds(name, handmade, randomise, rng):
    """Closed channels too, and one round is what no rounds are, bit for bit."""
    model, dataset = randomise(handmade["chain"]()), noise_images(rng)
    asked = {"method": name, "macs": 0.5}
    plain = pruner(model, dataset, **asked).score()
    one = pruner(model, dataset, rounds=1, **asked).score()
    np.testing.assert_array_equal(one, plain)
    for closed in ("stay", "reopen"):
        made = pruner(model, dataset, rounds=2, closed=closed, **asked)
        scores = made.score()
        assert np.isfinite(scores).all() and (scores != plain).any()
        found = made.solve(scores)
        assert found.costs["macs"] <= found.targets["macs"]


@pytest.mark.parametrize("allocation", ["uniform", "ranking"])
def test_a_score_that_is_not_a_number_is_refused_with_its_layer(
    allocation, handmade, randomise, rng
):
    model = randomise(handmade["chain"]())
    model.get_layer("b").kernel.assign(np.nan * model.get_layer("b").kernel)
    made = pruner(
        model, noise_images(rng), method="magnitude", macs=0.5, allocation=allocation
    )
    with pytest.raises(InputError, match="A score of 'b' by magnitude is not a number"):
        made.score()


def test_a_methods_own_recipe_gives_way_where_it_does_not_fit_the_task():
    """And one that is asked for is refused."""
    model, problem = learned()
    made = pruner(model, problem.dataset, method="curl_kl", macs=0.5)

    def names(recipe=None):
        return [one.name for one in made.recipes(FinetuneConfig(recipe=recipe))]

    assert names() == ["distil"]
    made.problem = dataclasses.replace(problem, task=Weighted(problem.task))
    assert names() == ["plain"]
    with pytest.raises(InputError, match="learns one class an example"):
        names("distil")


def test_recipes_go_with_the_data():
    model, problem = learned()
    size = len(problem.dataset.train)
    rows = ns_tf.from_arrays((np.zeros((size, 4), np.float32), np.arange(size) % 10))
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5)
    assert len(made.recipes(FinetuneConfig(recipe="distil+refine"))) == 2
    made.problem = dataclasses.replace(problem, dataset=rows)
    with pytest.raises(InputError, match="Varied copies are made of one image"):
        made.recipes(FinetuneConfig(recipe="distil+refine"))
    with pytest.raises(InputError, match="--augmentation=flip is of images"):
        made.recipes(FinetuneConfig(augmentation="flip"))
    assert made.recipes(FinetuneConfig(recipe="refine", finetune_epochs=0))
