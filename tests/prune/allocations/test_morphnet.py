"""The widths of half of the filters, times one number."""

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.prune.ranking import Ranking
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.ranks import prices
from ns_tf.scaling.solve import at_cost


def test_half_of_a_network_grows_to_its_budget_as_by_hand():
    """3x3 kernels from 3 inputs: [2, 2] at the cost of [4, 2], 180, is [3, 3], 162."""

    def cost(widths):
        return 9 * (3 * widths[..., 0] + widths[..., 0] * widths[..., 1])

    found = at_cost(uniform_curve([2, 2]), {"macs": cost}, {"macs": 180})
    assert found.widths == (3, 3) and found.costs == {"macs": 162}


def test_widths_are_those_of_half_the_ranking_times_one_number(
    handmade, randomise, rng
):
    model = randomise(handmade["flatten"]())
    asked = {"method": "taylor_fg", "allocation": "morphnet", "macs": 0.3}
    made = pruner(model, noise_images(rng), **asked)
    scores = made.score()
    found = made.solve(scores)
    price = prices(made.budgets.exact, made.budgets.targets, made.widths)
    rows = Ranking.of(scores, made.prunable, prices=price).widths
    half = next(row for row in rows if 2 * row.sum() <= sum(made.widths))
    factor = np.sqrt(found.tau / made.problem.structure.params(half))
    on_curve = np.clip(np.floor(factor * half + 0.5), 1, made.widths)
    assert (on_curve <= found.widths).all() and (on_curve == found.widths).any()
    assert found.costs["macs"] <= found.targets["macs"]


def test_a_network_that_cannot_come_down_to_half_is_refused(handmade, randomise, rng):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    asked = {"method": "random", "allocation": "morphnet", "params": 0.9}
    with pytest.raises(InputError, match="half of its filters; --min_width=99 leaves"):
        pruner(model, dataset, {"min_width": 99}, **asked).solve(np.arange(99.0))
