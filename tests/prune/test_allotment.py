"""An allocation under budgets: what stands for a measured one, and part of the way."""

import dataclasses

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import Cost
from ns_tf.prune.allotment import Allotment
from ns_tf.prune.targets import Budgets


def timed(made, most):
    """The allotment with a budget of seconds, 1e-6 a multiply-add, and no other."""
    own = made.allotment
    macs = own.budgets.exact["macs"]
    costs = {
        **own.budgets.costs,
        "latency_ms": Cost(lambda w: 1e-6 * float(macs(w)) + 1e-3, measured=True),
    }
    budgets = Budgets({"latency_ms": most}, costs, {})
    return dataclasses.replace(own, budgets=budgets)


@pytest.mark.parametrize(
    "name", ["greedy(images=16)", "amc(random=1, episodes=1, images=16)", "morphnet"]
)
def test_a_measured_budget_is_met_by_what_runs_the_network(
    name, handmade, randomise, rng
):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", allocation=name, macs=0.5)
    own = float(made.budgets.exact["macs"](np.array(made.widths)))
    allotment = timed(made, 1e-3 + 0.5e-6 * own)
    assert isinstance(allotment, Allotment)
    assert set(allotment.limits) == {"macs"} and allotment.limits["macs"] <= own / 2
    found = allotment.solve(made.score())
    assert found.costs["latency_ms"] <= found.targets["latency_ms"]
    assert (np.array(found.widths) <= made.widths).all()


def test_costs_fall_by_the_same_factor_on_the_way(handmade, randomise, rng):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", macs=0.25, params=0.4)
    scores = made.score()
    for share in (0.0, 0.5, 1.0):
        kept = np.array(made.prunable.count(made.allotment.part_way(scores, share)))
        for name, own in made.budgets.own.items():
            limit = own ** (1 - share) * made.budgets.targets[name] ** share
            assert made.budgets.exact[name](kept) <= limit * (1 + 1e-9)
    np.testing.assert_array_equal(
        made.allotment.part_way(scores, 1.0),
        made.chosen(scores, made.solve(scores).widths),
    )


def test_nothing_goes_on_the_way_to_the_whole_network(handmade, randomise, rng):
    """A root of its cost times another one may be above the cost, by rounding."""
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", params=1.0)
    scores = made.score()
    for share in np.linspace(0, 1, 21):
        assert made.allotment.part_way(scores, float(share)).all()


def test_no_layer_is_wider_than_the_tables_of_a_device(handmade, randomise, rng):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", macs=0.9)
    narrow = tuple(width // 2 for width in made.widths)
    budgets = dataclasses.replace(made.budgets, largest=narrow)
    own = dataclasses.replace(made.allotment, budgets=budgets)
    assert (np.array(made.solve(made.score()).widths) > narrow).any()
    assert own.solve(made.score()).widths == narrow  # All that the tables reach.
