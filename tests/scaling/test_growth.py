"""Growing whole widths: in turns where layers stop one after another."""

import math

import numpy as np

from ns_tf.base import Cost, Curve
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.grid import Grid
from ns_tf.scaling.growth import Search, in_turns, top_up


def largest_of(widths):
    """A cost that is the largest of three: each layer has a limit of its own."""
    return (np.asarray(widths) * [7, 3, 1]).max(axis=-1)


def search(cost, high=997):
    grid = Grid(1, 1, high)
    return Search(uniform_curve([2, 3, 5]), grid, {"most": (Cost(cost), 700)}, {})


def test_layers_that_stop_leave_the_others_to_go_on():
    start = np.array([2, 3, 5])
    assert in_turns(search(largest_of), 0.0, start).tolist() == [100, 233, 700]
    assert in_turns(search(largest_of, 200), 0.0, start).tolist() == [100, 200, 200]


def test_layers_that_share_a_limit_grow_along_the_curve():
    def sums(widths):
        w = np.asarray(widths)
        return np.maximum(w[..., 0] + w[..., 1], w[..., 2])

    found = in_turns(search(sums), 0.0, np.array([2, 3, 5]))
    assert found[0] + found[1] == 700 and found[2] == 700
    assert abs(found[0] - 280) <= 1  # 2 to 3.


def test_layers_of_beta_0_grow_as_far_as_fits_in_few_steps():
    asked = []

    def cost(widths):
        asked.append(1)
        return largest_of(widths)

    grid = Grid(1, 1, 65_536)
    flat = Curve(lambda tau: np.array([2.0, 3.0, 5.0 * tau]), 1.0)
    most = {"most": (Cost(cost), 350_000)}
    found = in_turns(Search(flat, grid, most, {}), 0.0, np.array([2, 3, 5]))
    # The last one is on the curve, and ends at the grid; the others go together first.
    assert found.tolist() == [50_000, 65_536, 65_536]
    assert len(asked) < 1_000


def test_one_limit_for_all_is_met_step_by_step():
    found = top_up(
        search(lambda w: np.sum(w, axis=-1)), np.array([2, 3, 5]), np.array([2.0, 3, 5])
    )
    assert found.sum() == 700
    assert np.abs(found - np.array([140, 210, 350])).max() <= 1


def test_widths_of_a_position_are_on_the_grid():
    assert search(largest_of).widths(math.log(4.0)).tolist() == [4, 6, 10]
