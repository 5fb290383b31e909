"""The scale of the norm, by hand."""

import numpy as np

from ns_tf.prune import criteria


def test_gamma_is_the_absolute_scale():
    scores = criteria.get("gamma").formula(np.array([0.5, -0.2, 0]))
    np.testing.assert_array_equal(scores, [0.5, 0.2, 0])
