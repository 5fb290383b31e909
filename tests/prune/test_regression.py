"""Least squares from sums of products: against NumPy on the rows themselves."""

import numpy as np
import pytest

from ns_tf.prune.regression import Normal


def parts(rng, rows=53, inputs=7, outputs=3):
    a, y = rng.normal(size=(rows, inputs)), rng.normal(size=(rows, outputs))
    return a, y, Normal.of([(a[:20], y[:20]), (a[20:], y[20:])])


def test_the_fit_is_that_of_the_rows(rng):
    a, y, normal = parts(rng)
    expected = np.linalg.lstsq(a, y, rcond=None)[0]
    found = normal.fitted(rng.normal(size=(7, 3)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert normal.rows == 53


def test_the_error_is_that_of_the_rows(rng):
    a, y, normal = parts(rng)
    w = rng.normal(size=(7, 3))
    assert normal.error(w) == pytest.approx((((a @ w - y) ** 2).sum()) / 53)


@pytest.mark.parametrize("rows", [3, 11, 200])
@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1e3])
def test_no_fit_is_worse_than_where_it_started(rng, rows, ridge):
    _, _, normal = parts(rng, rows=max(rows, 21), inputs=31)
    start = rng.normal(size=(31, 3))
    found = normal.fitted(start, ridge)
    assert normal.error(found) <= normal.error(start) + 1e-12


def test_what_the_rows_leave_open_stays(rng):
    """Of two inputs that are always zero."""
    a, y = rng.normal(size=(23, 5)), rng.normal(size=(23, 2))
    a[:, [1, 3]] = 0
    start = rng.normal(size=(5, 2))
    found = Normal.of([(a, y)]).fitted(start)
    np.testing.assert_allclose(found[[1, 3]], start[[1, 3]])


def test_the_scale_of_thinet_by_hand():
    """X = [[1, 1.8, -2], [2, -1, 1.5]]; of it channel 0 is left: 1.16, error .162."""
    x = np.array([[1, 1.8, -2], [2, -1, 1.5]])
    normal = Normal.of([(x[:, :1], x.sum(axis=1, keepdims=True))])
    factor = normal.fitted(np.ones((1, 1)))
    np.testing.assert_allclose(factor, 1.16, atol=1e-5)
    assert 2 * normal.error(factor) == pytest.approx(0.162, abs=1e-6)
    assert 2 * normal.error(np.ones((1, 1))) == pytest.approx(0.29)
