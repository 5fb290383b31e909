"""The first-order Taylor expansion of the loss: the formula, and what it finds."""

import numpy as np
from small import batches, made_by, planted, prunable

from ns_tf.prune import criteria
from ns_tf.prune.removal import Prunable, choose


def test_taylor_fo_of_the_linear_head_is_the_one_by_hand():
    """o = sum w g h, L = mean (o - t)^2 / 2, at g = 1."""
    h = np.array([[1, 2, 0], [3, -1, 4.0]])
    w, t = np.array([1, 0.5, -0.25]), np.array([0, 1.0])
    gradient = ((h @ w - t)[:, None] * w * h).mean(axis=0)
    np.testing.assert_allclose(gradient, [1.75, 0.875, -0.25])
    score = criteria.get("taylor_fo").formula(gradient)
    np.testing.assert_allclose(score, [3.0625, 0.765625, 0.0625])


def test_taylor_fo_squares_before_the_mean_over_minibatches():
    formula = criteria.get("taylor_fo").formula
    minibatches = np.array([[1, 2], [-1, 2.0]])
    np.testing.assert_array_equal(formula(minibatches).mean(axis=0), [1, 4])


def test_taylor_fo_finds_the_planted_channels(rng):
    pruned = prunable(planted(rng))
    for images, labels in batches(rng, 3):
        pruned.train(images, labels, 0.0)
    a = made_by(pruned.graph, "a")
    scores = pruned.score_sums()
    assert (scores[a[:2]] == 0).all()
    assert (scores[a[2:]] > 0).all()
    b = made_by(pruned.graph, "b")
    assert (scores[b] > 0).all()
    chosen = choose(scores, pruned.alive, Prunable((a, b), ()), count=2)
    assert set(chosen) == set(a[:2])
