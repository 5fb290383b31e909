"""The LASSO: the numbers by hand, its optimum, and the order on its path."""

import numpy as np
import scipy.optimize

from ns_tf.prune import criteria
from ns_tf.prune.criteria.lasso import coefficients

FORMULA = criteria.get("lasso").formula


def test_the_coefficients_by_hand():
    z = np.array([[2, 0.5], [2, -0.5]])
    gram = z.T @ z / 2
    found = coefficients(gram, gram.sum(axis=0), 0.5, np.zeros(2))
    np.testing.assert_allclose(found, [0.875, 0])


def test_above_the_largest_moment_all_are_out(rng):
    x = rng.normal(size=(23, 5))
    gram = x.T @ x
    moment = gram.sum(axis=0)
    found = coefficients(gram, moment, np.abs(moment).max(), np.zeros(5))
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_the_objective_is_that_of_a_bounded_solver(rng):
    """beta = p - q with p, q >= 0."""
    x = rng.normal(size=(23, 5))
    gram = x.T @ x / 23
    moment, alpha = gram.sum(axis=0), 0.3

    def objective(beta):
        return beta @ gram @ beta / 2 - moment @ beta + alpha * np.abs(beta).sum()

    def split(both):
        p, q = both[:5], both[5:]
        beta = p - q
        return beta @ gram @ beta / 2 - moment @ beta + alpha * both.sum()

    best = scipy.optimize.minimize(
        split, np.ones(10), bounds=[(0, None)] * 10, tol=1e-14
    )
    found = objective(coefficients(gram, moment, alpha, np.zeros(5)))
    assert found <= best.fun + 1e-8


def test_channels_come_in_by_what_they_explain():
    scores = FORMULA(np.diag([2.0, 5, 3, 0]))
    assert np.argsort(-scores).tolist() == [1, 2, 0, 3] and scores[3] == 0
