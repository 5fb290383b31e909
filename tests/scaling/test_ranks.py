"""Widths by scores of single filters: what they cost, and who goes with whom."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from small import chain, problem
from toys import macs, params

from ns_tf.base import Cost
from ns_tf.budgets import exact_costs
from ns_tf.scaling.ranks import LEAST_SHARE, along, prices, ranked_curve, rows_of
from ns_tf.scores import FilterScores

STRUCTURE = problem(chain, (13, 17)).structure


def counted(cost):
    """A cost of plain Python, of any number of networks."""
    return lambda widths: np.apply_along_axis(cost, -1, np.asarray(widths))


COSTS = {"macs": counted(macs), "params": counted(params)}


def test_prices_are_the_share_of_the_budgets_that_a_filter_takes(rng):
    costs = exact_costs(STRUCTURE)
    targets = {"macs": 1e4, "params": 321.0}
    found = prices(costs, targets, (13, 17))
    slow = [
        sum(
            (int(costs[n](np.array([13, 17]))) - int(costs[n](np.array(less)))) / t
            for n, t in targets.items()
        )
        for less in ([12, 17], [13, 16])
    ]
    np.testing.assert_allclose(found / found[0], np.array(slow) / slow[0])
    np.testing.assert_allclose((found * [13, 17]).sum(), 30)


def test_filters_cost_alike_where_no_layer_saves_anything_alone(rng):
    """As of a peak at two instants: the other one stays where one becomes less."""

    def peak(widths):
        left, right = widths[..., 0] + widths[..., 1], widths[..., 2] + widths[..., 3]
        return np.maximum(left, right)

    found = prices({"peak_ram": peak}, {"peak_ram": 9.0}, (8, 8, 8, 8))
    assert found.tolist() == [1, 1, 1, 1]
    both = prices(
        {"a": peak, "b": lambda w: w[..., 0] * 3}, {"a": 9.0, "b": 7.0}, [8] * 4
    )
    assert both[0] > 3.9 and (both[1:] > 0).all()


@st.composite
def filter_scores(draw):
    """Of a network of three layers, of which the outer two may be one set."""
    widths = draw(st.tuples(*[st.integers(1, 11)] * 3))
    sets = draw(st.sampled_from([(0, 1, 2), (0, 1, 0)]))
    sizes = widths if sets == (0, 1, 2) else widths[:2]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    each = tuple(np.sort(rng.random(size))[::-1] for size in sizes)
    return FilterScores(np.array(sets), each)


@hypothesis.given(filter_scores(), st.sampled_from(["macs", "params"]))
def test_what_is_worth_least_for_its_price_goes_first(scores, budget):
    """Against a loop that takes one filter of one set at a time."""
    left = [own.tolist() for own in scores.scores]
    whole = [len(own) for own in left]
    least = np.ceil(LEAST_SHARE * np.array(whole))
    count = {"macs": macs, "params": params}[budget]

    def cost(sizes):
        return count([sizes[n] for n in scores.sets])

    price = np.ones(len(whole))
    if budget == "macs":
        less = whole - np.eye(len(whole), dtype=int)
        price = np.array([cost(whole) - cost(one) for one in less])
    expected = [[len(left[n]) for n in scores.sets]]
    while any(len(own) > 1 for own in left):
        late = all(len(own) <= low for own, low in zip(left, least, strict=True))
        free = [
            n
            for n, own in enumerate(left)
            if len(own) > 1 and (late or len(own) > least[n])
        ]
        gone = min(free, key=lambda n: left[n][-1] / price[n])
        left[gone].pop()
        expected.append([len(left[n]) for n in scores.sets])
    assert rows_of(scores, COSTS, {budget: 5003}).tolist() == expected


@pytest.mark.parametrize("name", ["litert_bytes", "flash", "file", "latency_ms"])
def test_sizes_have_no_price_and_an_estimate_stands_for_what_is_measured(name, rng):
    each = tuple(np.sort(rng.random(width))[::-1] for width in (5, 7, 11))
    scores = FilterScores(np.arange(3), each)
    costs = {**COSTS, "file": counted(lambda widths: 99 * widths[0] + sum(widths))}
    estimate = None if name == "latency_ms" else Cost(costs["file"])
    by = {"file": "file", "latency_ms": "macs"}.get(name, "params")
    cost = Cost(costs["macs"], measured=True, estimate=estimate)
    curve = ranked_curve(scores, {name: cost}, {name: 5003}, costs)
    rows = {one: rows_of(scores, costs, {one: 5003}).tolist() for one in costs}
    assert rows["params"] != rows["macs"] != rows["file"] != rows["params"]
    for row in rows[by]:
        assert curve(float(params(row))).tolist() == row


def test_the_way_goes_on_evenly_to_larger_networks():
    rows = np.array([[6, 8, 4], [6, 7, 4], [5, 7, 4]])
    path = along(rows, COSTS["params"], grows=True)
    whole = float(params(rows[0]))
    assert path.start == whole
    np.testing.assert_allclose(path(4 * whole), [12, 16, 8])
    for tau, row in zip([whole, whole - 1, params(rows[2])], rows, strict=True):
        np.testing.assert_array_equal(path(float(tau)), row)
    np.testing.assert_array_equal(along(rows, COSTS["params"])(4 * whole), rows[0])
