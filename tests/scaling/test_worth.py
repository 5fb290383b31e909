"""What filters are worth: exponents, floors, layers that do not grow."""

import numpy as np
import pytest

from ns_tf.base import InputError, ScalingLaw
from ns_tf.scaling.worth import FLOOR, STEADY, value_of


def test_an_exponent_below_a_beta_is_raised_above_all_of_them():
    law = ScalingLaw(np.array([1.0, 1.0]), np.array([0.5, 0.8]))
    value = value_of(law, 0.3)
    assert value.floored and value.exponent == pytest.approx(FLOOR * 0.8)
    assert (value.q > 0).all()
    assert not value_of(law, 1.0).floored


def test_a_law_without_any_growth_has_no_price():
    law = ScalingLaw(np.array([1.0, 1.0]), np.array([0.0, -0.1]))
    with pytest.raises(InputError, match="the largest beta of this law is 0"):
        value_of(law, 1.0)


def test_a_layer_that_does_not_grow_hardly_grows():
    """It passes through its width in the middle of the record."""
    law = ScalingLaw(np.array([1.0, 13.0]), np.array([0.5, -0.1]), tau_range=(1e3, 1e5))
    value = value_of(law, 1.0)
    assert value.law.beta.tolist() == [0.5, STEADY * 0.5]
    np.testing.assert_allclose(value.law.widths(1e4), law.widths(1e4))
    np.testing.assert_allclose(value.log_taus(law.widths(1e4)), np.log(1e4))
    assert value.steady.tolist() == [False, True]


@pytest.mark.parametrize("step", [1, 8])
def test_what_more_filters_add_is_the_difference_of_two_losses(rng, step):
    law = ScalingLaw(rng.uniform(0.5, 2, 5), rng.uniform(0.2, 0.8, 5))
    value, widths = value_of(law, 1.3), rng.uniform(3, 50, 5)
    less = [np.exp(value.log_loss(widths + step * row)) for row in np.eye(5)]
    more = np.exp(value.log_loss(widths)) - less
    np.testing.assert_allclose(
        np.exp(value.log_of_more(widths, step)), more, rtol=1e-6, atol=1e-15
    )
