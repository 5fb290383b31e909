"""Scores of filters, by sets of layers."""

import numpy as np
import pytest

from ns_tf.scores import FilterScores


def test_scores_are_cut_into_sets_and_put_together_again(rng):
    flat = rng.random(5 + 7)
    scores = FilterScores.of(np.array([0, 1, 0, 1]), flat, (5, 7, 5, 7))
    assert [len(own) for own in scores.scores] == [5, 7]
    assert scores.widths.tolist() == [5, 7, 5, 7]
    np.testing.assert_array_equal(scores.flat, flat)
    assert scores.law is None and scores.tau_range is None
    with pytest.raises(ValueError, match="11 scores of 12 filters"):
        FilterScores.of(scores.sets, flat[1:], (5, 7, 5, 7))
