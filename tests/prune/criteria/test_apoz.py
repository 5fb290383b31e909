"""The share of zeros, by hand."""

import numpy as np

from ns_tf.prune import criteria


def test_apoz_of_two_images_by_hand():
    hidden = np.array([[1, 2, 0], [3, -1, 4.0]])
    scores = criteria.get("apoz").formula((np.maximum(hidden, 0) > 0).mean(axis=0))
    np.testing.assert_array_equal(1 - scores, [0, 0.5, 0.5])
