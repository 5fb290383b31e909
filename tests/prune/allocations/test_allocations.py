"""What every allocation does: curves that meet budgets, none wider than the network."""

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.prune import allocations
from ns_tf.prune.allocations import ALLOCATIONS

PLAIN = [name for name in ALLOCATIONS.names() if name != "law"]


def test_an_unknown_allocation_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'uniform'"):
        allocations.get("uniformly")


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("network", ["residual", "flatten"])
def test_no_budget_is_exceeded_and_no_layer_could_have_one_filter_more(
    name, network, handmade, randomise, rng
):
    model, dataset = randomise(handmade[network]()), noise_images(rng)
    several = {"macs": 0.7, "params": 0.5, "weight_bytes": 0.6}
    for asked in ({"macs": 0.5}, {"params": 0.3}, several):
        made = pruner(model, dataset, method="magnitude", allocation=name, **asked)
        found = made.solve(made.score())
        costs = made.budgets.exact
        for budget, target in made.budgets.targets.items():
            assert found.costs[budget] <= target
        widths, own = np.array(found.widths), np.array(made.widths)
        assert (widths <= own).all() and (widths >= 1).all()
        for grown in widths + np.eye(len(widths), dtype=int):
            over = any(costs[b](grown) > t for b, t in made.budgets.targets.items())
            assert over or (grown > own).any()
