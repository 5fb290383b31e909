"""Scores of all layers in one order, by what a filter costs."""

import dataclasses

import numpy as np
import pytest
from trained import noise_images, pruner

from ns_tf.prune.allocations import Allocation
from ns_tf.prune.allocations.ranking import order
from ns_tf.prune.ranking import Ranking
from ns_tf.scaling.ranks import LEAST_SHARE, prices


def test_scores_are_divided_by_prices_unless_sizes_are_the_budget(
    handmade, randomise, rng
):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    scores = pruner(model, dataset, method="taylor_fg", macs=0.5).score()
    for asked, usual in (({"macs": 0.5}, 1.0), ({"params": 0.5}, 0.0)):
        made = {
            weigh: pruner(model, dataset, method="taylor_fg", weigh=weigh, **asked)
            for weigh in (None, 0.0, 1.0)
        }
        found = {weigh: one.solve(scores).widths for weigh, one in made.items()}
        assert found[None] == found[usual]


def test_the_order_is_that_of_a_score_by_its_price(handmade, randomise, rng):
    model = randomise(handmade["flatten"]())
    made = pruner(model, noise_images(rng), method="taylor_fg", macs=0.6)
    scores = made.score()
    price = prices(made.budgets.exact, made.budgets.targets, made.widths)
    ranked = Ranking.of(scores, made.prunable, least_share=LEAST_SHARE, prices=price)
    assert found_on(ranked.widths, made.solve(scores).widths)


@pytest.mark.parametrize(
    ("asked", "share"), [(None, LEAST_SHARE), (0.0, 0), (0.5, 0.5)]
)
def test_a_narrow_layer_keeps_its_share_however_low_its_scores_are(
    asked, share, handmade, randomise, rng
):
    """As the projections of MobileNetV2, of which one channel was left in 160."""
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, least_share=asked, macs=0.5)
    scores = np.ones(made.size)
    scores[made.prunable.widths[1]] = 1e-9 * rng.random(made.widths[1])
    rows = order(case_of(made, scores)).widths
    before = rows[rows[:, 0] > max(1, np.ceil(share * made.widths[0]))]
    assert before[-1, 1] == max(1, np.ceil(share * made.widths[1]))
    assert rows[-1].tolist() == [1, 1], "a budget below all shares is met, too"


def case_of(made, scores):
    """What the allocation of a pruner is told."""
    cases = []
    spy = Allocation("spy", "Keeps its case.", lambda case: cases.append(case))
    with pytest.raises(TypeError):  # It has no curve.
        dataclasses.replace(made.allotment, allocation=spy).solve(scores)
    return cases[0]


def found_on(rows, widths):
    """Whether the widths are a row, or one with layers grown again."""
    return any((np.array(widths) >= row).all() for row in rows)
