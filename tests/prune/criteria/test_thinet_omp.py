"""ThiNet's pursuit: the numbers by hand."""

import numpy as np

from ns_tf.prune import criteria

FORMULA = criteria.get("thinet_omp").formula


def test_the_first_pick_by_hand():
    """Residuals at the best scale of each alone: .162, 6.625, 6.1504."""
    x = np.array([[1, 1.8, -2], [2, -1, 1.5]])
    y, gram = x.sum(axis=1), x.T @ x
    residuals = (y**2).sum() - gram.sum(axis=0) ** 2 / np.diag(gram)
    np.testing.assert_allclose(residuals, [0.162, 6.625, 6.1504], atol=1e-3)
    assert np.argmax(FORMULA(gram)) == 0


def test_channels_that_contribute_nothing_are_picked_last(rng):
    x = rng.normal(size=(11, 5))
    x[:, 2] = 0
    scores = FORMULA(x.T @ x)
    assert scores[2] == 0 and sorted(scores) == [0, 2, 3, 4, 5]


def test_orthogonal_channels_are_picked_by_their_energy():
    assert np.argsort(-FORMULA(np.diag([2.0, 5, 3, 1]))).tolist() == [1, 2, 0, 3]
