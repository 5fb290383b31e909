"""Noise by seed and event."""

import types

import numpy as np
import pytest

from ns_tf.prune import signals
from ns_tf.prune.signals import Reading

NETWORK = types.SimpleNamespace(alive=np.ones(1009, bool))


def noise(seed, event):
    reading = Reading(NETWORK, seed, event)
    return signals.get("noise").scores(lambda values: values, reading)


def test_noise_is_uniform_and_the_same_for_the_same_seed_and_event():
    scores = noise(3, 5)
    assert scores.shape == (1009,)
    assert 0 <= scores.min() and scores.max() < 1
    np.testing.assert_allclose(np.quantile(scores, [0.25, 0.5]), [0.25, 0.5], atol=0.05)
    np.testing.assert_array_equal(noise(3, 5), scores)


@pytest.mark.parametrize(("seed", "event"), [(3, 6), (4, 5), (5, 3)])
def test_another_seed_or_event_draws_other_noise(seed, event):
    correlation = np.corrcoef(noise(3, 5), noise(seed, event))[0, 1]
    assert abs(correlation) < 0.15


def test_the_formula_makes_scores_of_it():
    reading = Reading(NETWORK, 3, 5)
    scores = signals.get("noise").scores(lambda values: 1 - values, reading)
    np.testing.assert_array_equal(scores, 1 - noise(3, 5))
