"""From a trained network to a smaller one: the same bits for one seed."""

import numpy as np
import pytest
from trained import TUNING, learned, pruner

from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.prune.pruned import Clock, prune_trained
from ns_tf.prune.pruner import STAGES


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


@pytest.mark.slow
def test_one_seed_gives_one_result_and_the_trained_network_stays_as_it_was():
    """Of one run in a folder and one in memory it is in `test_work`."""
    model, problem = learned()
    before = weights.values(model)
    found = [
        prune_trained(
            pruner(model, problem.dataset, macs=0.4, proxy_images=64), TUNING, Runtime()
        )
        for _ in range(2)
    ]
    one, other = found
    for a, b in zip(one.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.accuracies == other.accuracies and one.test_score == other.test_score
    assert tuple(one.accuracies) == STAGES
    assert one.accuracies["tuned"] > one.accuracies["cut"]
    assert set(one.seconds) == {"score", "solve", "cut", "tune"}
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key])


def test_seconds_are_counted_by_step(clock):
    watch = Clock()
    with watch.of("score"):
        clock.now += 3
    with watch.of("cut"):
        clock.now += 5
    assert watch.seconds == {"score": 3, "cut": 5}
