"""MorphNet's regulariser for networks without norms."""

import keras
import numpy as np
import pytest

from ns_tf.prune import gatings
from ns_tf.prune.gatings.group_lasso import GroupLasso


class Mixed(GroupLasso):
    l1_fraction = 0.5


@pytest.mark.parametrize(
    "formulas, expected",
    [(GroupLasso(), [3.535534, 0.707107]), (Mixed(), [3.517767, 0.603553])],
)
def test_the_example_by_hand(formulas, expected):
    kernel = np.array([[3.0, 0.0], [4.0, 1.0]])
    size = keras.ops.convert_to_numpy(formulas.size(kernel))
    np.testing.assert_allclose(size, expected, atol=1e-6)


@pytest.mark.parametrize("formulas", [GroupLasso(), Mixed()])
def test_the_pull_is_the_slope_of_the_size(formulas, rng):
    kernel, price = rng.normal(size=(13, 5)), rng.uniform(1, 2, 5)
    pull = keras.ops.convert_to_numpy(formulas.pull(kernel, price))
    step = 1e-4
    for entry in [(0, 0), (7, 2), (12, 4)]:
        moved = []
        for sign in (1, -1):
            other = kernel.copy()
            other[entry] += sign * step
            moved.append(keras.ops.convert_to_numpy(formulas.size(other)) @ price)
        slope = (moved[0] - moved[1]) / (2 * step)
        assert pull[entry] == pytest.approx(slope, rel=1e-2)


def test_it_is_priced_as_morphnet_is():
    member = gatings.get("group_lasso")
    assert member.formulas.priced and member.scope == "global" and member.units
