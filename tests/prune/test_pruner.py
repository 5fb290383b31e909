"""Pruning a trained network: masked is thin, budgets hold, one seed, one result."""

import keras
import numpy as np
import pytest
from trained import learned, noise_images, pruner

from ns_tf.prune import allocations, criteria
from ns_tf.prune.criteria import CRITERIA
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes


@pytest.mark.parametrize("name", ["no_norm", "residual", "depthwise"])
def test_what_is_cut_computes_what_closed_gates_do(
    name, handmade, randomise, rng, float64
):
    """To 1e-10 in float64, through the solver, the builder and `inherit`."""
    model = randomise(handmade[name]())
    made = pruner(model, noise_images(rng), method="random", repair="none", macs=0.5)
    scores = made.score()
    keep = made.channels(scores, made.solve(scores).widths)
    small, _ = made.cut_and_repair(keep)
    images = rng.normal(size=(3, 6, 7, 3))
    network = ScoredNetwork(model, made.graph, None, made.proxy())
    row = network.gated.rows(1, keep)[0]
    closed = np.array(network.outputs(keras.ops.convert_to_tensor(images), row))
    np.testing.assert_allclose(small(images, training=False), closed, atol=1e-10)
    assert not keep.all()


@pytest.mark.parametrize("name", CRITERIA.names())
def test_every_criterion_prunes_a_network_that_has_learned(name):
    """Finite scores, the budget kept, better than chance before training."""
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
    keep = made.channels(scores, scaling.widths)
    assert made.prunable.count(keep) == scaling.widths
    small, accuracies = made.cut_and_repair(keep)
    assert small.count_params() < model.count_params()
    assert accuracies["trained"] > 0.5 and accuracies["repaired"] > 0.12


def test_wishes_hold_in_what_is_left():
    model, problem = learned()
    wishes = Wishes(tie="conv2:conv3", multiple_of={"conv1": 5})
    bounds = bounds_of(wishes, problem.structure.layers, problem.architecture.widths)
    work = pruner(model, problem.dataset, {"bounds": bounds}, method="random", macs=0.6)
    widths = work.solve(work.score()).widths
    assert widths[0] in (5, 10) and widths[1] == widths[2]


def test_widths_are_multiples_and_at_least_the_least():
    model, problem = learned()
    grid = {"round_to": 4, "min_width": 5}
    made = pruner(model, problem.dataset, grid, method="magnitude", params=0.6)
    widths = made.solve(made.score()).widths
    assert all(width % 4 == 0 and width >= 8 for width in widths)
    made = pruner(model, problem.dataset, {"max_width": 9}, method="gamma", params=1.0)
    assert made.solve(made.score()).widths == (9, 9, 9)


@pytest.mark.parametrize("name", ["taylor_fg", "curl_kl", "apoz", "thinet", "random"])
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
