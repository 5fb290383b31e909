"""The slope of scores over size: recovers a power law, near a size, with its error."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

from ns_tf.base import InputError
from ns_tf.scaling.fall import MIN_EVENTS, fall_near, falls


@hypothesis.given(
    p=st.floats(0.05, 7),
    sigma=st.floats(1e-9, 1e9),
    events=st.integers(MIN_EVENTS, 61),
    place=st.floats(-1, 2),
)
def test_the_exponent_of_a_power_law_is_found_anywhere(p, sigma, events, place):
    tau = np.geomspace(1e6, 1e4, events)
    fall = fall_near(sigma * tau**-p, tau, 1e6 * 1e-2**place)
    assert fall.exponent == pytest.approx(p, rel=1e-6)
    assert fall.error == pytest.approx(0, abs=1e-6)
    assert fall.events >= MIN_EVENTS


def test_only_events_near_the_size_count():
    """Two slopes, 4 above 1e5 and 0.3 below."""
    tau = np.geomspace(1e6, 1e4, 211)
    scores = np.where(tau > 1e5, (tau / 1e5) ** -4, (tau / 1e5) ** -0.3)
    assert fall_near(scores, tau, 4e5).exponent == pytest.approx(4)
    assert fall_near(scores, tau, 3e4).exponent == pytest.approx(0.3)
    fall = fall_near(scores, tau, 4e5, factor=1.5)
    low, high = fall.tau_range
    assert 4e5 / 1.5 <= low < high <= 4e5 * 1.5


def test_the_error_is_that_of_a_line(rng):
    tau = np.geomspace(1e5, 8e4, 31)
    scores = tau**-1.1 * np.exp(rng.normal(0, 0.2, 31))
    line = scipy.stats.linregress(np.log(tau), np.log(scores))
    fall = fall_near(scores, tau, 9e4)
    assert fall.events == 31
    assert (fall.exponent, fall.error) == pytest.approx((-line.slope, line.stderr))


def test_scores_without_a_logarithm_are_left_out():
    tau = np.geomspace(1e5, 1e4, 11)
    scores = tau**-2.0
    scores[[1, 3, 5]] = [0.0, -1.0, np.nan]
    assert fall_near(scores, tau, 3e4).exponent == pytest.approx(2)


@pytest.mark.parametrize("scores", [np.zeros(11), np.full(5, 0.1), np.zeros(0)])
def test_too_few_scores_are_refused(scores):
    tau = np.geomspace(1e5, 1e4, len(scores))
    with pytest.raises(InputError, match="at least 6 events"):
        fall_near(scores, tau, 3e4)


def test_events_of_one_size_are_refused():
    with pytest.raises(InputError, match="different size"):
        fall_near(np.full(7, 0.1), np.full(7, 1e5), 1e5)


def test_slopes_over_the_whole_range_begin_at_the_smallest_size():
    tau = np.geomspace(1e6, 1e4, 41)
    slopes = falls(tau**-1.5, tau, points=5)
    np.testing.assert_allclose([size for size, _ in slopes], np.geomspace(1e4, 1e6, 5))
    assert [fall.exponent for _, fall in slopes] == pytest.approx([1.5] * 5)
    assert falls(np.zeros(41), tau) == [] == falls(np.zeros(0), np.zeros(0))
