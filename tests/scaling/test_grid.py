"""The grid of whole widths: the nearest of them, and grids that have none."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.scaling.grid import LARGEST_WIDTH, Grid, grid_of


@st.composite
def grids(draw):
    """Options of a grid that holds at least one width."""
    step, least = draw(st.integers(1, 17)), draw(st.integers(1, 97))
    most = draw(st.integers(-(-least // step) * step, 400))
    return step, least, most


@hypothesis.given(
    grids(), st.lists(st.floats(0, 500), min_size=1, max_size=7), st.booleans()
)
def test_widths_go_to_the_nearest_allowed_one_and_halves_up(options, widths, halves):
    step, least, most = options
    if halves:  # As far from one multiple as from the next.
        widths = [(width // step + 0.5) * step for width in widths]
    allowed = np.array([w for w in range(least, most + 1) if w % step == 0])
    nearest = grid_of(*options).nearest(np.array(widths))
    assert nearest.dtype == np.int64
    for width, chosen in zip(widths, nearest, strict=True):
        distance = np.abs(allowed - width)
        assert chosen == allowed[distance == distance.min()].max()


def test_infinite_widths_become_the_largest():
    assert Grid(7, 7, 98).nearest(np.array([np.inf, 0.0])).tolist() == [98, 7]


def test_the_ends_are_the_outermost_multiples():
    assert grid_of(8, 3, 47) == Grid(8, 8, 40)
    assert grid_of(7, 7, 49) == Grid(7, 7, 49)
    assert grid_of() == Grid(1, 1, LARGEST_WIDTH)
    assert grid_of(np.int64(3), np.int32(2)) == Grid(3, 3, LARGEST_WIDTH // 3 * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"round_to": 0}, "--round_to"),
        ({"round_to": 2.0}, "--round_to"),
        ({"min_width": -3}, "--min_width"),
        ({"max_width": True}, "--max_width"),
        ({"min_width": 9, "max_width": 8}, "--round_to=1, at least"),
        ({"round_to": 8, "min_width": 9, "max_width": 15}, "--round_to=8, at least"),
        ({"min_width": LARGEST_WIDTH + 1}, "--max_width=65536; change one"),
    ],
)
def test_grids_without_a_width_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        grid_of(**options)


def test_a_layer_without_a_multiple_keeps_its_own_width(rng):
    own = np.array([3, 8, 20, 64])
    grid = grid_of(round_to=8, min_width=16, max_width=own)
    assert grid.low.tolist() == [3, 8, 16, 16]
    assert grid.high.tolist() == [3, 8, 16, 64]
    nearest = grid.nearest(rng.uniform(0, 100, (37, 4)))
    assert (nearest <= own).all() and (nearest[:, :2] == own[:2]).all()


def test_largest_widths_by_layer_without_steps_are_reached():
    own = [3, 8, 20]
    grid = grid_of(max_width=own)
    assert grid.nearest(np.full(3, np.inf)).tolist() == own
    assert grid.nearest(np.zeros(3)).tolist() == [1, 1, 1]
