"""Taylor scores by their absolute value: the numbers by hand."""

import numpy as np
from trained import noise_images, pruner

from ns_tf.prune import criteria
from ns_tf.prune.criteria import by_norm


def test_the_absolute_value_is_inside_the_mean_and_the_norm_outside():
    gradients = np.array([[2, 2, 0], [1.5, -0.25, -0.5]])
    scores = criteria.get("taylor_2016").formula(gradients)
    np.testing.assert_allclose(scores, [1.75, 1.125, 0.25])
    np.testing.assert_allclose(by_norm(scores), [0.83517, 0.53689, 0.11931], atol=1e-5)


def test_the_scores_of_every_layer_have_norm_one(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    made = pruner(model, noise_images(rng), method="taylor_2016", macs=0.5)
    scores = made.score()
    for channels in made.prunable.widths:
        np.testing.assert_allclose(np.linalg.norm(scores[channels]), 1, rtol=1e-6)


def test_a_layer_of_zeros_stays_zero():
    np.testing.assert_array_equal(by_norm(np.zeros(3)), [0, 0, 0])
