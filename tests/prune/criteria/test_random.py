"""The control: it ranks by noise alone."""

import numpy as np

from ns_tf.prune import criteria


def test_random_is_the_noise(rng):
    noise = rng.random(13)
    np.testing.assert_array_equal(criteria.get("random").formula(noise), noise)
