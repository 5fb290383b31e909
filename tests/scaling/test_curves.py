"""Curves tau -> widths: along a law, or in proportion."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from polynomials import VGG11

from ns_tf.base import InputError, ScalingLaw
from ns_tf.scaling.curves import power_law, uniform_curve


def test_a_power_law_is_alpha_tau_to_the_beta_layer_by_layer(rng):
    alpha, beta = rng.uniform(0.1, 3, 7), rng.uniform(-0.3, 1.5, 7)
    curve = power_law(ScalingLaw(alpha, beta, tau_range=(11.0, 1300.0)))
    for tau in (1.0, 17.0, 1e6):
        expected = [a * tau**b for a, b in zip(alpha, beta, strict=True)]
        np.testing.assert_allclose(curve(tau), expected, rtol=1e-12)


def test_a_search_along_a_law_begins_at_the_largest_tau_that_was_fitted():
    law = ScalingLaw(np.array([0.5, 2.0]), np.array([0.3, 0.7]))
    assert power_law(law).start == 1.0
    curve = power_law(ScalingLaw(law.alpha, law.beta, tau_range=(11.0, 1300.0)))
    assert curve.start == 1300.0
    assert curve.tau_range == (11.0, 1300.0)


def test_curves_tell_their_terms_as_plain_numbers_for_the_page():
    law = ScalingLaw(np.array([0.5, 2.0]), np.array([0.3, 0.7]))
    assert power_law(law).terms == {
        "kind": "law",
        "alpha": [0.5, 2.0],
        "beta": [0.3, 0.7],
    }
    assert uniform_curve((3, 5)).terms == {"kind": "uniform", "widths": [3.0, 5.0]}


def test_a_law_far_outside_its_range_is_infinite_or_zero_without_a_warning():
    curve = power_law(ScalingLaw(np.array([1.0, 1.0]), np.array([2.0, -2.0])))
    with np.errstate(all="raise"):
        assert curve(1e300).tolist() == [np.inf, 0.0]


@pytest.mark.parametrize(
    "broken", [{"alpha": 0.0}, {"alpha": np.nan}, {"beta": np.inf}]
)
def test_laws_that_are_none_are_refused(broken):
    values = {"alpha": 1.0, "beta": 0.5} | broken
    with pytest.raises(InputError, match="positive alpha and a finite beta"):
        power_law(ScalingLaw(*(np.array([v, 0.5]) for v in values.values())))


@pytest.mark.parametrize("shapes", [((3,), (2,)), ((2, 3), (2, 3)), ((), ())])
def test_laws_of_other_shapes_are_refused(shapes):
    with pytest.raises(InputError, match="for every layer"):
        power_law(ScalingLaw(*(np.ones(shape) for shape in shapes)))


def test_uniform_passes_through_its_widths():
    assert uniform_curve(VGG11, 3.0)(3.0).tolist() == list(VGG11)
    assert uniform_curve(VGG11, 3.0).start == 3.0


@hypothesis.given(factor=st.floats(1e-3, 1e3), tau=st.floats(1e-3, 1e9))
def test_uniform_widths_grow_with_the_square_root_of_tau(factor, tau):
    curve = uniform_curve((3, 5, 7), tau)
    expected = np.array([3, 5, 7]) * factor
    np.testing.assert_allclose(curve(tau * factor**2), expected, rtol=1e-9)
