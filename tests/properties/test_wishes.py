"""Wishes for widths hold in every plan, and no plan with wishes is over its budgets."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ns_tf.base import Cost, InputError, PriceLaw, ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.bounds import bounds_of
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.curves import power_law
from ns_tf.scaling.grid import grid_of
from ns_tf.scaling.priced import at_price
from ns_tf.scaling.solve import at_cost


@st.composite
def wished(draw):
    """(layers, wishes, what they say in plain Python): a wish of each kind at most."""
    layers = draw(st.integers(2, 7))
    places = st.integers(0, layers - 1)
    keep = draw(st.sets(places, max_size=1))
    tie = draw(st.sets(places, min_size=2, max_size=3) | st.just(set()))
    between = draw(
        st.dictionaries(
            places, st.tuples(st.integers(1, 9), st.integers(9, 50)), max_size=2
        )
    )
    multiples = draw(st.dictionaries(places, st.sampled_from([2, 3, 8]), max_size=2))
    wishes = Wishes(
        keep=tuple(f"l{i}" for i in keep),
        tie=[tuple(f"l{i}" for i in tie)] if tie else (),
        widths_between={f"l{i}": ends for i, ends in between.items()},
        multiple_of={f"l{i}": step for i, step in multiples.items()},
    )
    return layers, wishes, (keep, tie, between, multiples)


def cost_of(rng, layers):
    """A chain with projections where two neighbours differ."""
    big = rng.integers(1, 900, (2, layers))
    terms = [(int(c), i, min(i + 1, layers), ALWAYS) for i, c in enumerate(big[0])]
    terms += [(int(c), i, i + 1, (i, i + 1)) for i, c in enumerate(big[1, :-1])]
    return CostPolynomial.collect("entries", terms)


def check_wishes(widths, own, told):
    keep, tie, between, multiples = told
    assert all(widths[i] == own[i] for i in keep)
    assert len({widths[i] for i in tie}) <= 1
    assert all(low <= widths[i] <= high for i, (low, high) in between.items())
    assert all(widths[i] % n == 0 for i, n in multiples.items() if i not in keep)


def may_grow(widths, told, fits):
    """The sets of layers that could grow by a step under wishes and budgets."""
    keep, tie, between, multiples = told
    for number in [tie, *({i} for i in range(len(widths)) if i not in tie)]:
        if not number or number & keep:
            continue
        step = math.lcm(*(multiples.get(i, 1) for i in number))
        more = widths + step * np.isin(np.arange(len(widths)), list(number))
        if fits(more) and all(more[i] <= between.get(i, (0, 2**16))[1] for i in number):
            yield number


@settings(max_examples=80)
@given(wished(), st.integers(0, 2**20), st.sampled_from(["curve", "price"]))
def test_wishes_hold_no_budget_is_broken_and_nothing_can_grow(case, seed, way):
    layers, wishes, told = case
    rng = np.random.default_rng(seed)
    own = tuple(int(w) for w in rng.integers(2, 40, layers))
    bounds = bounds_of(wishes, [(f"l{i}",) for i in range(layers)], own)
    try:
        grid = grid_of(bounds=bounds)
    except InputError as error:
        assert any(wish in str(error) for wish in wishes.asked)
        assume(False)
    law = ScalingLaw(rng.uniform(0.5, 2, layers), rng.uniform(0.2, 0.8, layers))
    costs = {name: cost_of(rng, layers) for name in "ab"}
    some = grid.nearest(rng.integers(2, 60, layers))
    ends = [np.broadcast_to(end, layers) for end in (grid.low, grid.high)]
    goals = {}
    for name, cost in costs.items():  # A projection makes costs non-monotone.
        low, high = (int(cost(end)) for end in ends)
        goals[name] = min(max(int(cost(some)), low), high)
    known = {name: Cost(cost) for name, cost in costs.items()}
    if way == "curve":
        found = at_cost(power_law(law), known, goals, bounds=bounds)
    else:
        found = at_price(PriceLaw(law, 1.5), known, goals, bounds=bounds)
    widths = np.array(found.widths)
    check_wishes(widths, own, told)

    def fits(widths):
        return all(int(cost(widths)) <= goals[name] for name, cost in costs.items())

    assert fits(widths)
    assert not list(may_grow(widths, told, fits))


@pytest.mark.parametrize("way", ["curve", "price"])
@pytest.mark.parametrize(
    "wishes, target, blamed",
    [
        (Wishes(keep="a"), 80, "--keep=a"),
        (Wishes(keep="a", multiple_of={"b": 2}), 80, "--keep=a"),
        (Wishes(widths_between={"*": (64, None)}), 80, "--widths_between=*:64:"),
        (Wishes(keep="a", widths_between={"b": (99, None)}), 120, "--keep=a"),
        (Wishes(keep=("a", "b")), 20, "--keep=a, --keep=b"),
    ],
)
def test_a_budget_out_of_reach_names_the_wish(wishes, target, blamed, way):
    """Of several the first without which it could be met, or all together."""
    law = ScalingLaw(np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    bounds = bounds_of(wishes, [("a",), ("b",)], (90, 90))
    cost = CostPolynomial.collect("MACs", [(1, 0, 2, ALWAYS), (1, 1, 2, ALWAYS)])
    solve = at_cost if way == "curve" else at_price
    along = power_law(law) if way == "curve" else PriceLaw(law, 1.5)
    with pytest.raises(InputError, match="cannot be met") as refused:
        solve(along, {"macs": Cost(cost)}, {"macs": target}, bounds=bounds)
    assert f"or change {blamed}, which makes it so." in str(refused.value)
