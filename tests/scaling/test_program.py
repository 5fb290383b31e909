"""Plans at a price by tables: never over, nothing can grow, the bound is one."""

import dataclasses
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import toy_device
from toys import toy_search

from ns_tf.base import Cost, PriceLaw
from ns_tf.devices.tables import monotone, posynomial
from ns_tf.scaling.bounds import Bound, Bounds
from ns_tf.scaling.priced import at_price
from ns_tf.scaling.worth import value_of

SEARCH = toy_search()
LAW = SEARCH.states[-1].law


def device(rng, noise):
    """The toy's device with steps in its tables."""
    toy = toy_device(SEARCH)
    tables = []
    for table in toy.tables:
        ms = monotone(table.ms * rng.uniform(1 - noise, 1 + noise, table.ms.shape))
        price = posynomial(table.reads, table.makes, ms)
        tables.append(dataclasses.replace(table, ms=ms, price=price))
    return dataclasses.replace(toy, tables=tuple(tables))


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.floats(0.5, 4), st.sampled_from([1, 4]), st.booleans())
def test_no_table_is_broken_and_no_width_can_grow(seed, p, step, tie):
    rng = np.random.default_rng(seed)
    cost = device(rng, 0.3).cost
    goal = float(cost(rng.integers(8, 50, 3)))
    ties = (Bound("--tie=a:c", (0, 2), ties=True),) if tie else ()
    bounds = Bounds(SEARCH.names, (9, 9, 9), ties)
    plan = at_price(
        PriceLaw(LAW, p),
        {"latency_ms": Cost(cost)},
        {"latency_ms": goal},
        round_to=step,
        max_width=[64, 64, 64],
        bounds=bounds,
    )
    widths = np.array(plan.widths)
    assert plan.costs["latency_ms"] == float(cost(widths)) <= goal
    assert (widths % step == 0).all() and (not tie or widths[0] == widths[2])
    rows = ([1, 0, 1], [0, 1, 0]) if tie else np.eye(3, dtype=int)
    for row in rows:
        more = widths + step * np.array(row)
        assert more.max() > 64 or float(cost(more)) > goal * (1 - 1e-9)
    assert plan.pricing.gap >= -1e-9


def test_nothing_is_worth_more_than_the_bound_says(rng):
    cost = device(rng, 0.2).cost
    goal = float(cost(np.array([9, 11, 7])))
    plan = at_price(
        PriceLaw(LAW, 2.0), {"t": Cost(cost)}, {"t": goal}, max_width=[24, 24, 24]
    )
    every = np.array(list(itertools.product(range(1, 25), repeat=3)))
    value = value_of(LAW, 2.0)
    losses = np.exp([float(value.log_loss(w)) for w in every[cost(every) <= goal]])
    loss = np.exp(float(value.log_loss(np.array(plan.widths))))
    assert loss / losses.min() - 1 <= plan.pricing.gap + 1e-9
    assert loss / losses.min() < 1.1


def test_a_table_and_a_polynomial_both_hold():
    cost = toy_device(SEARCH).cost
    goals = {"latency_ms": 5.0, "params": 4001}
    costs = {"latency_ms": Cost(cost), "params": Cost(SEARCH.costs["params"])}
    plan = at_price(PriceLaw(LAW, 1.5), costs, goals, max_width=[64] * 3)
    assert all(plan.costs[name] <= goal for name, goal in goals.items())
    assert isinstance(plan.costs["params"], int)
