"""What every allocation does: curves that meet budgets, none wider than the network."""

import numpy as np
import pytest
from picked import picked
from trained import learned, noise_images, pruner

from ns_tf.base import InputError
from ns_tf.prune import allocations
from ns_tf.prune.allocations import ALLOCATIONS
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes

QUICK = {"greedy": "greedy(images=16)", "amc": "amc(random=1, episodes=1, images=16)"}
RUN = tuple(QUICK.values())  # They run networks, which takes long.
PLAIN = [QUICK.get(name, name) for name in ALLOCATIONS.names() if name != "law"]


def test_options_are_whole_numbers_that_the_allocation_has():
    assert allocations.get("greedy(step=4)").name == "greedy"
    for text, told in (
        ("uniform(step=4)", "uniform has no 'step'; it has no options"),
        ("greedy(steps=4)", "greedy has no 'steps'; it has step, images"),
        ("amc(episodes=0)", "episodes of the allocation amc is a whole number from 1"),
        ("amc(random=True)", "random of the allocation amc is a whole number"),
        ("amc(refit=1)", "refit of the allocation amc is True or False; got 1"),
    ):
        with pytest.raises(InputError, match=told):
            allocations.get(text)


def test_an_unknown_allocation_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'uniform'"):
        allocations.get("uniformly")


@pytest.mark.parametrize(
    "name, network",
    [
        *((name, "residual") for name in PLAIN),
        *(
            pytest.param(name, "flatten", marks=pytest.mark.slow if name in RUN else ())
            for name in PLAIN
        ),
    ],
)
def test_no_budget_is_exceeded_and_no_layer_could_have_one_filter_more(
    name, network, handmade, randomise, rng
):
    model, dataset = randomise(handmade[network]()), noise_images(rng)
    every = [{"macs": 0.7, "params": 0.5, "weight_bytes": 0.6}]
    if name not in RUN:
        every += [{"macs": 0.5}, {"params": 0.3}]
    for asked in every:
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


@pytest.mark.parametrize("name", picked(lambda name: name not in RUN, PLAIN))
def test_wishes_for_single_layers_hold(name):
    """Of 12, 16 and 16 filters the last two are one number; the first has multiples."""
    model, problem = learned()
    wishes = Wishes(tie=("conv2:conv3",), multiple_of=("conv1:4",))
    structure = problem.structure
    bounds = bounds_of(wishes, structure.layers, problem.architecture.widths)
    grid = {"round_to": 2, "bounds": bounds}
    asked = {"method": "magnitude", "allocation": name, "macs": 0.5}
    made = pruner(model, problem.dataset, grid, **asked)
    found = made.solve(made.score())
    assert found.costs["macs"] <= found.targets["macs"]
    first, second, third = found.widths
    assert first % 4 == 0 and second == third and second % 2 == 0
