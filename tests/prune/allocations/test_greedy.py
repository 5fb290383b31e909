"""Greedy slimming: the path by hand, the best of all paths, and kills."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from small import Ended, KilledAt, Recorder, kept_at
from trained import learned, pruner

from ns_tf.prune.allocations.greedy import Slimming


def run(path):
    """The path, to its end."""
    for _ in path.batches():
        if path.finished:
            return path
        path.step()


def product(widths):
    """c0 · c1."""
    return widths[..., 0] * widths[..., 1]


def test_the_path_is_the_one_by_hand():
    """err = 8 / c0 + 1 / c1 from [8, 8] by steps of 2, until c0 · c1 <= 24."""

    def error(widths):
        return 8 / widths[0] + 1 / widths[1]

    budgets = {"macs": (product, 24)}
    path = run(Slimming(error, (8, 8), (2, 2), (2, 2), budgets))
    assert path.rows == [(8, 8), (8, 6), (8, 4), (8, 2)] and path.most == 6
    np.testing.assert_allclose(path.losses, [1 + 1 / 6, 1 + 1 / 4, 1 + 1 / 2])


def test_with_a_price_the_rise_is_by_what_is_saved():
    """The first layer costs more a filter, so it goes first though it is worth more."""

    def error(widths):
        return -2 * widths[0] - widths[1]

    def cost(widths):
        return 5 * widths[..., 0] + widths[..., 1]

    rows = {
        weigh: run(
            Slimming(error, (4, 4), (1, 1), (1, 1), {"a": (cost, 19)}, weigh=weigh)
        ).rows
        for weigh in (0.0, 1.0)
    }
    assert rows[0.0][1] == (4, 3) and rows[1.0] == [(4, 4), (3, 4)]


def test_layers_stop_at_their_least_and_the_path_where_nothing_can_go():
    budgets = {"macs": (product, 1)}
    path = run(Slimming(lambda widths: np.nan, (7, 5), (3, 5), (2, 2), budgets))
    assert path.rows == [(7, 5), (5, 5), (3, 5)] and path.finished


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_of_a_separable_convex_error_it_finds_the_best_of_all_paths(seed, removals):
    """Against all widths of three layers with as many filters gone."""
    rng = np.random.default_rng(seed)
    falls = np.sort(rng.random((3, 5)), axis=1)[:, ::-1]  # Of each further filter.
    errors = -np.concatenate([np.zeros((3, 1)), np.cumsum(falls, axis=1)], axis=1)

    def error(widths):
        return sum(errors[layer, width] for layer, width in enumerate(widths))

    budgets = {"filters": (lambda widths: widths.sum(axis=-1), 15 - removals)}
    path = run(Slimming(error, (5, 5, 5), (1, 1, 1), (1, 1, 1), budgets))
    every = itertools.product(range(1, 6), repeat=3)
    best = min(error(w) for w in every if sum(w) == 15 - removals)
    np.testing.assert_allclose(error(path.rows[-1]), best)


ASKED = {"method": "taylor_fg", "allocation": "greedy(step=4)", "macs": 0.5}


@pytest.fixture(scope="module")
def made():
    model, problem = learned()
    return pruner(model, problem.dataset, proxy_images=64, **ASKED)


@pytest.mark.slow
def test_on_a_network_its_loss_is_at_most_that_of_uniform_widths(made):
    scores = made.score()
    recorder = Recorder()
    found = made.solve(scores, kept_at(None, progress=recorder))
    model, problem = learned()
    asked = {**ASKED, "allocation": "uniform"}
    uniform = pruner(model, problem.dataset, proxy_images=64, **asked).solve(scores)
    worth = made.allotment._worth(scores, 64)
    assert worth(found.widths).loss <= worth(uniform.widths).loss
    assert recorder.bars[0]["label"] == "allocate" and recorder.updates[-1]["cost"] <= 1


def test_a_path_that_is_killed_goes_on_to_the_same_widths(made, tmp_path):
    scores = made.score()
    with pytest.raises(Ended):
        made.solve(scores, kept_at(tmp_path, progress=KilledAt(2)))
    assert (tmp_path / "allocating.npz").exists()
    assert made.solve(scores, kept_at(tmp_path)) == made.solve(scores)
