"""The order in which channels go: nested, a curve, and never over a budget."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from small import chain, problem, residual

from ns_tf.base import InputError
from ns_tf.budgets import exact_costs
from ns_tf.prune.ranking import Ranking
from ns_tf.prune.removal import Prunable, down_to
from ns_tf.scaling.solve import at_cost

STRUCTURE = problem(chain, (13, 17)).structure


def layered(sizes):
    """A `Prunable` of layers of these sizes, channels numbered in order."""
    ends = np.cumsum(sizes)
    numbers = [np.arange(e - s, e) for e, s in zip(ends, sizes, strict=True)]
    return Prunable(tuple(numbers), ())


@st.composite
def rankings(draw):
    """(scores, prunable, least width): scores with ties."""
    sizes = draw(st.lists(st.integers(1, 13), min_size=1, max_size=5))
    least = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, 7, sum(sizes)) / 7, layered(sizes), least


@hypothesis.given(rankings())
def test_channels_go_by_score_and_none_below_its_layers_least_width(made):
    """Against a loop that removes one channel at a time."""
    scores, prunable, least = made
    ranking = Ranking.of(scores, prunable, min_width=least)
    alive = np.ones(len(scores), bool)
    owner = np.repeat(range(len(prunable.widths)), [len(w) for w in prunable.widths])
    rows = [prunable.count(alive)]
    for channel in ranking.order:
        free = [
            c
            for c in np.flatnonzero(alive)
            if alive[prunable.widths[owner[c]]].sum() > least
        ]
        assert channel == min(free, key=lambda c: (scores[c], c))
        alive[channel] = False
        rows.append(prunable.count(alive))
    np.testing.assert_array_equal(ranking.widths, rows)
    sizes = np.array([len(w) for w in prunable.widths])
    np.testing.assert_array_equal(rows[-1], np.minimum(sizes, least))


@hypothesis.given(rankings())
def test_what_a_smaller_network_keeps_a_larger_one_keeps_too(made):
    scores, prunable, least = made
    ranking = Ranking.of(scores, prunable, min_width=least)
    kept = [down_to(scores, prunable, tuple(row)) for row in ranking.widths]
    for larger, smaller, gone in zip(kept[:-1], kept[1:], ranking.order, strict=True):
        assert not (smaller & ~larger).any()
        assert np.flatnonzero(larger & ~smaller).tolist() == [gone]


@pytest.mark.parametrize("builder, widths", [(chain, (13, 17)), (residual, (7, 5, 7))])
@pytest.mark.parametrize("share", [0.1, 0.31, 0.5, 0.77, 0.999])
def test_on_a_ranking_no_budget_is_ever_exceeded_and_nothing_fits_any_more(
    rng, builder, widths, share
):
    work = problem(builder, widths)
    structure, own = work.structure, np.array(widths)
    prunable = Prunable.of(structure, structure.graph(structure.build()))
    scores = rng.random(1 + max(c.max() for c in prunable.widths))
    costs = exact_costs(structure)
    for names in (["macs"], ["params"], ["macs", "params", "weight_bytes"]):
        targets = {name: share * float(costs[name](own)) for name in names}
        curve = Ranking.of(scores, prunable).curve(structure)
        found = at_cost(curve, costs, targets, max_width=widths)
        assert all(found.costs[name] <= targets[name] for name in names)
        left = np.array(found.widths)
        assert (left <= own).all()
        for grown in left + np.eye(len(own), dtype=int):
            over = any(costs[n](grown) > targets[n] for n in names)
            assert over or (grown > own).any()


@pytest.mark.parametrize("step", [1, 4, 8])
def test_the_whole_network_meets_its_own_cost(step):
    """Up to the last multiple of every layer."""
    costs = exact_costs(STRUCTURE)
    own = np.array([13, 17])
    ranking = Ranking.of(np.arange(40.0), layered([13, 17]))
    targets = {"macs": float(costs["macs"](own // step * step))}
    found = at_cost(
        ranking.curve(STRUCTURE), costs, targets, round_to=step, max_width=own
    )
    assert found.widths == tuple(own // step * step)


def test_the_curve_is_the_largest_network_of_at_most_tau_parameters():
    scores = np.random.default_rng(7).random(30)
    ranking = Ranking.of(scores, layered([13, 17]))
    curve, sizes = ranking.curve(STRUCTURE), STRUCTURE.params(ranking.widths)
    for row, size in zip(ranking.widths, sizes, strict=True):
        np.testing.assert_array_equal(curve(float(size)), row)
    np.testing.assert_array_equal(curve(sizes[0] - 0.5), ranking.widths[1])
    np.testing.assert_array_equal(curve(1e12), [13, 17])
    np.testing.assert_array_equal(curve(0.1), [1, 1])
    assert curve.start == sizes[0]


def test_no_layer_falls_below_its_share_before_all_have_come_down_to_it():
    scores = np.concatenate([np.zeros(10), np.ones(10)])
    ranking = Ranking.of(scores, layered([10, 10]), least_share=0.3)
    both = [row.tolist() for row in ranking.widths]
    assert both[:8] == [[10 - i, 10] for i in range(8)]
    assert both[7:15] == [[3, 10 - i] for i in range(8)]
    assert both[15:17] == [[2, 3], [1, 3]] and both[-1] == [1, 1]


def test_channels_that_follow_count_with_the_filter_that_they_go_with(rng):
    """Against the sum of what each removal closes, of a layer with two followers."""
    sizes = (5, 7, 15, 10)  # The last two follow the first: 3 and 2 channels a filter.
    own = layered(sizes).widths
    prunable = Prunable(own[:2], ((own[2], 0, 3), (own[3], 0, 2)))
    scores = rng.uniform(size=sum(sizes))
    ranking = Ranking.of(scores, prunable, prices=(3.0, 1.0))
    kept = [down_to(scores, prunable, tuple(row)) for row in ranking.widths]
    gone = [scores[before & ~after].sum() for before, after in itertools.pairwise(kept)]
    first = [channel in own[0] for channel in ranking.order]
    assert np.sum(first) == 4 and sum(kept[-1]) == 1 + 1 + 3 + 2
    assert (np.diff(gone / np.where(first, 3.0, 1.0)) >= 0).all()
    scores[own[3][4]] = np.nan
    with pytest.raises(InputError, match="layer 1 is not a number"):
        Ranking.of(scores, prunable)


def test_a_score_that_is_no_number_is_refused_with_its_layer():
    scores = np.ones(5)
    scores[3] = np.nan
    with pytest.raises(InputError, match="layer 2 is not a number"):
        Ranking.of(scores, layered([2, 3]))
