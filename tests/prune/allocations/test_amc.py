"""An agent's widths: never over a budget, better than chance, the same after kills."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from small import Ended, KilledAt, kept_at
from trained import learned, pruner

from ns_tf.prune.allocations.amc import LEAST, Layers, Search, features
from ns_tf.scaling.grid import Grid, grid_of

WIDTHS = (20, 30, 40)


def cost(widths):
    """Multiply-adds of three 1x1 convolutions."""
    a, b, c = np.moveaxis(np.asarray(widths), -1, 0)
    return 3 * a + a * b + b * c


def layers_of(share, **options):
    """The layers of that network at a share of its cost."""
    grid = grid_of(max_width=WIDTHS, **options)
    limit = share * float(cost(WIDTHS))
    return Layers(grid, WIDTHS, {"macs": (cost, limit)}, np.zeros((3, 7)))


def test_the_share_of_a_layer_is_capped_as_by_hand():
    """(60 - 20) / 80 = 0.5: the budget less all others at least, by this layer's."""
    budgets = {"macs": (lambda w: 8 * w[..., 0] + 20 * w[..., 1], 60)}
    layers = Layers(Grid(1, 1, np.array([10, 1])), (10, 1), budgets, np.zeros((2, 7)))
    assert layers.width(0, 1.0, np.array([2, 1])) / 10 == 0.5


@hypothesis.given(
    st.floats(0.02, 1), st.sampled_from([1, 4]), st.integers(0, 2**32 - 1)
)
def test_no_episode_costs_more_than_the_budget(share, step, seed):
    layers = layers_of(share, round_to=step)
    hypothesis.assume(layers.fits(layers.floor()[None])[0])
    search = Search(layers, lambda widths: 0.0, random=3, episodes=1, seed=seed)
    rng = np.random.default_rng(seed)
    widths, states, shares, most = search._play(seed % 3, rng)
    assert cost(widths) <= layers.budgets["macs"][1]
    assert (widths <= WIDTHS).all() and (widths % step == 0).all()
    assert np.isfinite(states).all() and states.shape == (3, 10)
    np.testing.assert_allclose(shares, widths / WIDTHS)
    assert (shares <= most).all() and (most <= 1).all()


def test_layers_keep_a_fifth_unless_the_budget_is_smaller():
    assert layers_of(0.5).floor().tolist() == [LEAST * width for width in WIDTHS]
    assert layers_of(0.01).floor().tolist() == [1, 1, 1]


def worth(widths):
    """The narrowest layer decides, so that first layers must leave something over."""
    gone = 1 - np.array(widths) / WIDTHS
    return float(0.1 + 0.8 * np.prod(1 - np.array([0.9, 0.5, 1.0]) * gone**2))


@pytest.mark.slow
def test_the_agent_learns_to_do_better_than_chance():
    search = Search(layers_of(0.4), worth, random=20, episodes=40, seed=7)
    for (number,) in search.batches():
        search.step(number)
    chance, learned_last = search.rewards[:20], search.rewards[-10:]
    assert learned_last.mean() > chance.mean() + 0.02
    assert search.best == tuple(search.rows[search.rewards.argmax()])
    assert search.finished and search.shown()["best"] == search.rewards.max()


def test_an_agent_goes_on_to_the_same_bits():
    def fresh():
        return Search(layers_of(0.4), worth, random=2, episodes=3, seed=7)

    whole, half, rest = fresh(), fresh(), fresh()
    for search, numbers in ((whole, range(5)), (half, range(3))):
        for number in numbers:
            search.step(number)
    arrays, facts = half.state()
    rest.restore({name: array.copy() for name, array in arrays.items()}, facts)
    for (number,) in rest.batches():
        rest.step(number)
    np.testing.assert_array_equal(rest.rows, whole.rows)
    for one, other in zip(
        *(s.agent.state().values() for s in (rest, whole)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_what_the_agent_sees_of_layers_lies_between_0_and_1():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", macs=0.5)
    found = features(model, made.graph, made.prunable.widths)
    assert found.shape == (3, 7) and found.min() == 0 and found.max() == 1
    assert found[:, 0].tolist() == [0, 0.5, 1] and found[:, 3].tolist() == [0, 1, 1]


@pytest.mark.slow
def test_on_a_network_it_is_killed_and_goes_on_to_the_same_widths(tmp_path):
    model, problem = learned()
    asked = {"method": "magnitude", "macs": 0.5, "proxy_images": 64}
    made = pruner(
        model, problem.dataset, allocation="amc(random=2, episodes=3)", **asked
    )
    scores = made.score()
    with pytest.raises(Ended):
        made.solve(scores, kept_at(tmp_path, progress=KilledAt(4)))
    found = made.solve(scores, kept_at(tmp_path))
    assert found == made.solve(scores)
    assert found.costs["macs"] <= found.targets["macs"]
