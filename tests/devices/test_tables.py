"""Tables: bilinear between entries, monotone, with a posynomial below."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.devices import tables
from ns_tf.devices.tables import Table, monomials, monotone, posynomial

AXES = np.array([1.0, 8, 16, 40]), np.array([1.0, 8, 24])
grids = st.integers(0, 2**20).map(
    lambda seed: np.random.default_rng(seed).uniform(0, 9, (4, 3))
)


def table(ms):
    ms = monotone(ms)
    return Table("conv", *AXES, ms, posynomial(*AXES, ms))


@given(grids)
def test_nearest_monotone_times_fall_nowhere_and_are_as_near_as_can_be(ms):
    smooth = monotone(ms)
    assert (np.diff(smooth, axis=0) >= 0).all() and (np.diff(smooth, axis=1) >= 0).all()
    # No monotone table is nearer: half of the largest fall has to be given up.
    falls = [
        ms[i, j] - ms[k:, n:].min()
        for i in range(4)
        for j in range(3)
        for k, n in ((i, j),)
    ]
    np.testing.assert_allclose(np.abs(smooth - ms).max(), max(falls) / 2)
    np.testing.assert_array_equal(monotone(smooth), smooth)


@given(grids, st.integers(1, 60), st.integers(1, 40))
def test_times_are_those_of_scipy_between_entries_and_go_on_beyond(ms, reads, makes):
    from scipy.interpolate import RegularGridInterpolator

    made = table(ms)
    expected = RegularGridInterpolator(
        AXES, made.ms, bounds_error=False, fill_value=None
    )
    found = made.at(np.array([reads]), np.array([makes]))
    np.testing.assert_allclose(found, expected([(reads, makes)]), atol=1e-9)


def test_an_axis_of_one_entry_is_constant():
    one = Table("conv", np.array([3.0]), AXES[1], np.array([[1.0, 8, 24]]), np.ones(4))
    assert one.at(np.array([3, 3]), np.array([8, 16])).tolist() == [8, 16]


def test_a_posynomial_is_found_again_and_none_is_negative(rng):
    price = rng.uniform(0.1, 2, 4)
    ms = monomials(*AXES) @ price
    np.testing.assert_allclose(posynomial(*AXES, ms), price, rtol=1e-6)
    assert (posynomial(*AXES, 9 - ms / ms.max()) >= 0).all()
    single = posynomial(np.array([3.0]), AXES[1], monomials([3.0], AXES[1]) @ price)
    assert single[1] == single[3] == 0 and (single[[0, 2]] > 0).all()


def test_times_near_zero_do_not_pull_a_posynomial_down():
    axis = np.array([1.0, 8, 24, 64])
    ms = np.maximum(monomials(axis, axis) @ np.array([0, 0, 0, 2e-3]) - 0.4, 0)
    near = monomials(axis, axis) @ posynomial(axis, axis, ms)
    assert np.abs(near - ms).max() < 0.15 * ms.max()


@given(grids, st.integers(1, 40), st.integers(1, 24))
def test_no_time_is_below_the_slack_of_the_posynomial(ms, reads, makes):
    made = table(ms)
    price = (monomials([reads], [makes]) @ made.price).item()
    found = made.at(np.array([reads]), np.array([makes])).item()
    assert found >= made.slack * price * (1 - 1e-9)


def test_json_gives_the_same_table(rng):
    made = table(rng.uniform(0, 9, (4, 3)))
    data = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in made.to_json().items()
    }
    again = Table.from_json(data)
    for field in dataclasses.fields(Table):
        one, other = getattr(made, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"ms": [[1, None, 3]] * 4}, "have holes"),
        ({"ms": [[1, 2, 3]] * 3}, "have holes"),
        ({"ms": [[-1, 2, 3]] * 4}, "negative"),
        ({"ms": [[1, 3, 2]] * 4}, "fall where it grows"),
        ({"reads": [1, 8, 8, 40]}, "reads of conv do not increase"),
        ({"price": [1, 1, -1, 1]}, "negative"),
    ],
)
def test_a_table_that_cannot_be_is_refused(change, told):
    data = table(np.ones((4, 3))).to_json()
    with pytest.raises(ValueError, match=told):
        Table.from_json({**data, **change})


def test_rounding_is_no_fall():
    assert not tables.falls(np.array([[1.0, 1.0 - 1e-12]]))
    assert tables.falls(np.array([[1.0, 0.9]]))
