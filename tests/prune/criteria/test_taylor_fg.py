"""Taylor scores image by image: the numbers by hand, and what they do not depend on."""

import numpy as np
from trained import noise_images, scored

from ns_tf.prune import criteria, signals


def test_it_is_the_mean_of_squares_by_hand():
    """h = [[1, 2, 0], [3, -1, 4]], head [1, .5, -.25], loss (o - t)^2 / 2."""
    h = np.array([[1, 2, 0], [3, -1, 4.0]])
    w, t = np.array([1, 0.5, -0.25]), np.array([0, 1.0])
    gradients = (h @ w - t)[:, None] * w * h
    np.testing.assert_allclose(gradients, [[2, 2, 0], [1.5, -0.25, -0.5]])
    scores = criteria.get("taylor_fg").formula(gradients)
    np.testing.assert_allclose(scores, [3.125, 2.03125, 0.125])


def test_how_images_are_cut_into_minibatches_does_not_matter(
    handmade, randomise, rng, float64
):
    """For taylor_fo it does: its square is outside of the mean of a minibatch."""
    model, dataset = randomise(handmade["chain"]()), noise_images(rng)

    def scores(name, batch):
        member = criteria.get(name)
        reading = signals.Reading(
            scored(model, dataset, batch=batch, images=23), seed=0
        )
        return signals.get(member.reads).scores(member.formula, reading)

    whole, parts = scores("taylor_fg", 23), scores("taylor_fg", 9)
    np.testing.assert_allclose(whole, parts, rtol=1e-9)
    whole, parts = scores("taylor_fo", 23), scores("taylor_fo", 9)
    assert not np.allclose(whole, parts, rtol=0.1)
