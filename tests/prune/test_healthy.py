"""Widths of a builder on the way down from a trained network, score by score."""

import keras
import numpy as np
import pytest
from small import chain, problem, residual

from ns_tf.budgets import exact_costs
from ns_tf.engine.runtime import Runtime
from ns_tf.prune.channel_pruner import ChannelPruner
from ns_tf.prune.config import CutConfig
from ns_tf.prune.healthy import way_down
from ns_tf.prune.targets import budgets_of


def network(made, widths):
    keras.utils.set_random_seed(3)
    return made.build(widths)


@pytest.mark.parametrize(
    "name", ["macs", pytest.param("params", marks=pytest.mark.slow)]
)
def test_without_identities_it_is_the_way_of_a_pruning(name):
    """Widths of every budget are those that the allocation "ranking" leaves."""
    made = problem(chain, (7, 11, 13))
    model, structure = network(made, (7, 11, 13)), made.structure
    rows = way_down(model, made, {name: 5003}, Runtime(seed=2))
    assert rows[0].tolist() == [7, 11, 13] and rows[-1].tolist() == [1, 1, 1]
    assert (np.diff(rows, axis=0).sum(axis=1) == -1).all()
    whole = float(exact_costs(structure)[name](rows[0]))
    scores = None
    for share in (0.3, 0.5, 0.8):
        budgets = budgets_of({name: share}, structure, (7, 11, 13))
        pruner = ChannelPruner(model, made, CutConfig(), budgets, seed=2)
        scores = pruner.score() if scores is None else scores
        widths = pruner.solve(scores).widths
        costs = exact_costs(structure)[name](rows)
        first = rows[np.flatnonzero(costs <= share * whole)[0]]
        assert (np.array(widths) >= first).all()  # The solver adds what still fits.
        assert np.sum(np.array(widths) - first) <= 2


def test_layers_that_an_identity_joins_come_down_together():
    made = problem(residual, (11, 7, 11))
    model = network(made, (11, 7, 11))
    rows = way_down(model, made, {"macs": 5003})
    np.testing.assert_array_equal(rows[:, 0], rows[:, 2])
    lost = -np.diff(rows, axis=0)
    assert {tuple(row) for row in lost.tolist()} == {(1, 0, 1), (0, 1, 0)}
    # The first three of four filters of any layer go before the last quarter of any.
    late = [(row <= np.ceil(0.25 * rows[0])).all() for row in rows]
    floor = np.ceil(0.25 * rows[0])
    assert all((row >= floor).all() for row in rows[: late.index(True) + 1])


def test_layers_of_other_widths_are_apart():
    made = problem(residual, (11, 7, 5))
    model = network(made, (11, 7, 5))
    assert way_down(model, made, {"macs": 5003}).shape == (11 + 7 + 5 - 3 + 1, 3)
