"""Pruning a trained network: masked is thin, budgets hold, one seed, one result."""

import keras
import numpy as np
import pytest
from trained import TUNING, learned, noise_images, pruner

from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.prune.criteria import CRITERIA
from ns_tf.prune.pruner import STAGES, Clock, prune_trained
from ns_tf.prune.scoring import ScoredNetwork


@pytest.mark.parametrize(
    "name", ["chain", "no_norm", "residual", "depthwise", "excite"]
)
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
    made = pruner(model, problem.dataset, method=name, proxy_images=64, macs=0.5)
    scores = made.score()
    assert scores.shape == made.graph.owner.shape and np.isfinite(scores).all()
    scaling = made.solve(scores)
    assert 0.45 < scaling.costs["macs"] / made.budgets.own["macs"] <= 0.5
    keep = made.channels(scores, scaling.widths)
    assert made.prunable.count(keep) == scaling.widths
    small, accuracies = made.cut_and_repair(keep)
    assert small.count_params() < model.count_params()
    assert accuracies["trained"] > 0.5 and accuracies["repaired"] > 0.12
    np.testing.assert_array_equal(made.score(), scores)


def test_at_its_own_cost_the_network_comes_back_bit_for_bit():
    model, problem = learned()
    before = weights.values(model)
    made = pruner(model, problem.dataset, macs=1.0)
    found = prune_trained(made, TUNING, Runtime())
    assert found.model is not model and found.keep.all() and found.tuned is None
    for one, other in zip(found.model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(set(found.accuracies.values())) == 1
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key])


def test_one_seed_gives_one_result_and_the_trained_network_stays_as_it_was():
    model, problem = learned()
    before = weights.values(model)
    found = [
        prune_trained(
            pruner(model, problem.dataset, macs=0.4, proxy_images=64), TUNING, Runtime()
        )
        for _ in range(2)
    ]
    for one, other in zip(*(f.model.weights for f in found), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = found
    assert one.accuracies == other.accuracies and one.test_score == other.test_score
    assert tuple(one.accuracies) == STAGES
    assert one.accuracies["tuned"] > one.accuracies["cut"]
    assert set(one.seconds) == {"score", "solve", "cut", "tune"}
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key])


def test_widths_are_multiples_and_at_least_the_least():
    model, problem = learned()
    grid = {"round_to": 4, "min_width": 5}
    made = pruner(model, problem.dataset, grid, method="magnitude", params=0.6)
    widths = made.solve(made.score()).widths
    assert all(width % 4 == 0 and width >= 8 for width in widths)
    made = pruner(model, problem.dataset, {"max_width": 9}, method="gamma", params=1.0)
    assert made.solve(made.score()).widths == (9, 9, 9)


def test_seconds_are_counted_by_step(clock):
    watch = Clock()
    with watch.of("score"):
        clock.now += 3
    with watch.of("cut"):
        clock.now += 5
    assert watch.seconds == {"score": 3, "cut": 5}
