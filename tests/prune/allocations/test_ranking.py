"""Scores of all layers in one order, by what a filter costs."""

import numpy as np
from trained import noise_images, pruner

from ns_tf.prune.ranking import Ranking, prices


def widths(made, **changes):
    return made.solve(made.score()).widths


def test_scores_are_divided_by_prices_unless_sizes_are_the_budget(
    handmade, randomise, rng
):
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    for asked, usual in (({"macs": 0.5}, 1.0), ({"params": 0.5}, 0.0)):
        made = {
            weigh: pruner(model, dataset, method="taylor_fg", weigh=weigh, **asked)
            for weigh in (None, 0.0, 1.0)
        }
        found = {weigh: widths(one) for weigh, one in made.items()}
        assert found[None] == found[usual]


def test_the_order_is_that_of_a_score_by_its_price(handmade, randomise, rng):
    model = randomise(handmade["flatten"]())
    made = pruner(model, noise_images(rng), method="taylor_fg", macs=0.6)
    scores = made.score()
    price = prices(made.budgets.exact, made.budgets.targets, made.widths)
    order = Ranking.of(scores, made.prunable, prices=price)
    assert found_on(order.widths, made.solve(scores).widths)


def found_on(rows, widths):
    """Whether the widths are a row, or one with layers grown again."""
    return any((np.array(widths) >= row).all() for row in rows)
