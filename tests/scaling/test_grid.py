"""The grid of whole widths: the nearest of them, and grids that have none."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.grid import LARGEST_WIDTH, Grid, check_reach, grid_of


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


def wished(own, **wishes):
    """Bounds of layers l0, l1, ... of these sizes."""
    layers = [(f"l{i}",) for i in range(len(own))]
    return bounds_of(Wishes(**wishes), layers, own)


def test_all_wishes_hold_beside_the_other_limits():
    own = (13, 40, 20, 20)
    bounds = wished(
        own,
        keep="l0",
        tie=[("l2", "l3")],
        widths_between={"l1": (10, 30), "l3": (None, 25)},
        multiple_of={"l1": 3, "l*": 2},
    )
    grid = grid_of(round_to=4, min_width=7, bounds=bounds)
    assert grid.step.tolist() == [1, 12, 4, 4]
    assert grid.low.tolist() == [13, 12, 8, 8]
    assert grid.high.tolist() == [13, 24, 24, 24]
    assert grid.nearest(np.array([99, 99, 4.0, 81.0])).tolist() == [13, 24, 12, 12]
    assert grid.nearest(np.array([0, 0, 0, np.inf])).tolist() == [13, 12, 12, 12]


@pytest.mark.parametrize(
    "wishes, told",
    [
        ({"keep": "l0", "widths_between": {"l0": (None, 7)}}, ["'l0', of 8", "keep"]),
        ({"widths_between": {"l1": (9, 11)}, "multiple_of": {"l1": 8}}, ["l1:9:11"]),
        ({"tie": ["l0:l1"], "keep": "*"}, ["--tie=l0:l1", "--keep=*"]),
        ({"widths_between": {"l1": (24, 99)}}, ["'l1', of 20 now"]),
    ],
)
def test_wishes_without_a_width_are_refused_with_their_names(wishes, told):
    with pytest.raises(InputError, match="No number of filters") as refused:
        grid_of(max_width=(8, 20), bounds=wished((8, 20), **wishes))
    assert all(words in str(refused.value) for words in told)


def test_tied_layers_are_one_number():
    grid = grid_of(bounds=wished((8, 9, 8, 9), tie=["l0:l2"], multiple_of={"l2": 3}))
    assert grid.numbers(4).tolist() == [0, 1, 0, 2]
    assert grid.steps(4).tolist() == [[3, 0, 3, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert grid.free(4).step.tolist() == [3, 1, 1]


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


def test_the_multiple_that_is_asked_for_is_named_where_nothing_is_in_reach():
    def cost(widths):
        return widths.sum(axis=-1)

    for step, named in (
        (64, "--round_to, --min_width or"),
        (1, "change --min_width or"),
    ):
        grid = grid_of(round_to=step, min_width=64)
        with pytest.raises(InputError, match=named):
            check_reach({"params": (cost, 100.0)}, grid, layers=2)


def test_largest_widths_by_layer_without_steps_are_reached():
    own = [3, 8, 20]
    grid = grid_of(max_width=own)
    assert grid.nearest(np.full(3, np.inf)).tolist() == own
    assert grid.nearest(np.zeros(3)).tolist() == [1, 1, 1]


def test_a_largest_network_that_cannot_be_counted_is_beyond_any_target():
    cost = CostPolynomial.collect("MACs", [(2**30, 0, 0, 0, ALWAYS)])
    check_reach({"macs": (cost, 2.0**40)}, Grid(1, 1, 2**16), layers=1)
    with pytest.raises(InputError, match="costs 1,073,741,824, the largest"):
        check_reach({"macs": (cost, 5.0)}, Grid(1, 1, 2**16), layers=1)


def test_a_loose_budget_is_met_where_another_one_binds():
    grid = Grid(1, 1, 64)

    def budgets(**targets):  # The largest network costs 128 of each.
        return {name: (lambda w: w.sum(axis=-1), t) for name, t in targets.items()}

    check_reach(budgets(macs=128, params=10**6), grid, layers=2)
    check_reach(budgets(params=10**6), grid, 2, others=True)
    with pytest.raises(InputError, match="params=1,000,000 cannot be met.* 128"):
        check_reach(budgets(params=10**6, macs=129), grid, layers=2)
    for others in (False, True):
        with pytest.raises(InputError, match="macs=1 cannot be met: the smallest"):
            check_reach(budgets(params=10**6, macs=1), grid, 2, others=others)
