"""Epitomes by least squares: beside plain NumPy, of every sampling."""

import numpy as np
import pytest
from keras import ops

from ns_tf.condense.fitting import fitted
from ns_tf.networks.layers.sampling import sampling_of

CASES = {
    "wrapped": sampling_of("wrapped", (3, 7, 11), epitome=(3, 5, 4)),
    "fixed": sampling_of("fixed", (3, 6, 5), stride=2, repeat=2),
    "flat": sampling_of("fixed", (6, 5), stride=1, repeat=3),
    "learned": sampling_of("learned", (2, 5, 5), epitome=(3, 3, 4)),
    "dense": sampling_of("learned", (7, 5), epitome=(3, 4)),
}


def starts_of(how, rng):
    """Anywhere between whole numbers."""
    if not how.starts:
        return None
    return rng.uniform(0, 1, how.starts) * np.array(how.ranges)


def made(how, epitome, starts):
    return ops.convert_to_numpy(how.made(epitome, starts))


@pytest.mark.parametrize("name", CASES)
def test_no_epitome_makes_a_nearer_kernel(name, rng):
    """The matrix of the sampling, an entry of the epitome at a time."""
    how = CASES[name]
    starts, kernel = starts_of(how, rng), rng.normal(size=how.kernel)
    size = int(np.prod(how.epitome))
    columns = [
        made(how, row.reshape(how.epitome), starts).ravel() for row in np.eye(size)
    ]
    matrix = np.stack(columns, axis=1).astype(float)
    expected, *_ = np.linalg.lstsq(matrix, kernel.ravel(), rcond=None)
    found = fitted(how, kernel, starts)
    assert found.shape == how.epitome
    np.testing.assert_allclose(
        matrix @ found.ravel(), matrix @ expected, atol=1e-5, err_msg=name
    )


@pytest.mark.parametrize("name", ["wrapped", "learned"])
def test_a_kernel_of_an_epitome_is_made_again(name, rng):
    how = CASES[name]
    starts, epitome = starts_of(how, rng), rng.normal(size=how.epitome)
    kernel = made(how, epitome, starts)
    again = made(how, fitted(how, kernel, starts), starts)
    np.testing.assert_allclose(again, kernel, atol=1e-5)
