"""Widths times a number."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.networks.ratio import floor_ratio


@hypothesis.given(
    widths=st.lists(st.integers(1, 4096), min_size=1, max_size=5),
    parts=st.integers(1, 400),
)
def test_floor_ratio_is_the_whole_part_and_at_least_one(widths, parts):
    expected = tuple(max(1, width * parts // 100) for width in widths)
    assert floor_ratio(widths, parts / 100) == expected


@pytest.mark.parametrize(("width", "parts"), [(100, 29), (128, 25), (50, 58), (7, 1)])
def test_floor_ratio_does_not_lose_a_filter_to_float_error(width, parts):
    expected = max(1, width * parts // 100)
    assert floor_ratio([width], parts / 100) == (expected,)


@pytest.mark.parametrize("ratio", [0, -1, np.nan, np.inf, "1", None, True])
def test_ratios_that_make_no_sense_are_refused(ratio):
    with pytest.raises(InputError, match="positive number"):
        floor_ratio([5], ratio)
