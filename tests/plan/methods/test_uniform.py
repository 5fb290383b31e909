"""Uniform scaling: every width times one number."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toys import DEFAULT, params, toy_search

from ns_tf.plan import methods

RECORD = toy_search(0)


@given(st.floats(0.01, 100))
def test_widths_stay_in_the_proportions_of_the_default_ones(factor):
    curve = methods.curve(RECORD, "uniform")
    widths = curve(factor**2 * params(DEFAULT))
    np.testing.assert_allclose(widths, factor * np.array(DEFAULT), rtol=1e-9)


def test_uniform_scaling_needs_no_iteration_and_was_recorded_nowhere():
    curve = methods.curve(RECORD, "uniform")
    assert curve.tau_range is None and curve.start == params(DEFAULT)
    assert not methods.get("uniform").needs_search


def test_seed_widths_of_a_search_do_not_matter():
    other = toy_search(0, seed_widths=(29, 31, 37))
    curve = methods.curve(other, "uniform")
    np.testing.assert_allclose(curve(params(DEFAULT)), DEFAULT)
