"""Plans at a price by tables and by peak RAM: never over, nothing can grow."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import noisy_device, toy_device
from memories import toy_memory
from toys import toy_search

from ns_tf.base import Cost, PriceLaw, ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.bounds import Bound, Bounds
from ns_tf.scaling.grid import Grid
from ns_tf.scaling.priced import at_price
from ns_tf.scaling.program import Program
from ns_tf.scaling.worth import value_of

SEARCH = toy_search()
LAW = SEARCH.states[-1].law


TWO = PriceLaw(ScalingLaw(np.array([1.0, 1.3]), np.array([0.5, 0.4])), 1.1)


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.floats(0.5, 4), st.sampled_from([1, 4]), st.booleans())
def test_no_table_is_broken_and_no_width_can_grow(seed, p, step, tie):
    rng = np.random.default_rng(seed)
    cost = noisy_device(SEARCH, rng, 0.3).cost
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
        assert more.max() > 64 or float(cost(more)) > goal
    assert plan.pricing.gap >= -1e-9


def test_nothing_is_worth_more_than_the_bound_says(rng):
    cost = noisy_device(SEARCH, rng, 0.2).cost
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


@settings(max_examples=25)
@given(st.integers(0, 2**20), st.integers(2, 6), st.floats(1, 4), st.booleans())
def test_numbers_grow_as_if_every_step_were_counted_anew(seed, layers, p, projections):
    rng = np.random.default_rng(seed)
    law = ScalingLaw(rng.uniform(0.5, 2, layers), rng.uniform(0.2, 0.8, layers))
    costs = {}
    for name, high in (("macs", 9000), ("params", 90)):  # Large early, small late.
        chain = [high >> i | 1 for i in range(layers)]
        terms = [(c, i, min(i + 1, layers), ALWAYS) for i, c in enumerate(chain)]
        if projections:
            terms += [(c, i, i + 1, (i, i + 1)) for i, c in enumerate(chain[:-1])]
        costs[name] = CostPolynomial.collect(name, terms)
    near = rng.integers(5, 30, layers)
    goals = {name: float(cost(near)) + 0.3 for name, cost in costs.items()}
    program = Program.of(PriceLaw(law, p), costs, Grid(1, 1, 2**16))
    found = program._found("near", goals)[0]
    start = program._within(goals, found)

    def step_of(widths):
        gains = {}
        for number, more in enumerate(widths + np.eye(layers, dtype=int)):
            if any(cost(more) > goals[name] for name, cost in costs.items()):
                continue
            price = sum(
                found.best.shares[name, 0]
                / goals[name]
                * int(cost(more) - cost(widths))
                for name, cost in costs.items()
            )
            worth = program.value.log_of_more(widths)[number]
            gains[number] = worth - np.log(max(price, 1e-300))
        return max(gains, key=gains.get, default=None)

    widths = start.copy()
    while (number := step_of(widths)) is not None:
        widths[number] += 1
    assert program._grown(start, goals, found).tolist() == widths.tolist()


def test_a_cost_much_steeper_than_its_posynomial_is_met_well():
    toy = toy_device(SEARCH)
    flat = np.array([1.0, 1e-3, 1e-3, 0])  # Says that widths hardly matter.
    tables = [dataclasses.replace(one, price=flat) for one in toy.tables]
    cost = dataclasses.replace(toy, tables=tuple(tables)).cost
    goal = float(cost(np.array([9, 11, 7])))
    plan = at_price(
        PriceLaw(LAW, 2.0), {"t": Cost(cost)}, {"t": goal}, max_width=[24, 24, 24]
    )
    every = np.array(list(itertools.product(range(1, 25), repeat=3)))
    value = value_of(LAW, 2.0)
    least = min(float(value.log_loss(w)) for w in every[cost(every) <= goal])
    assert float(value.log_loss(np.array(plan.widths))) < least + np.log(1.2)


def test_a_table_and_a_polynomial_both_hold():
    cost = toy_device(SEARCH).cost
    goals = {"latency_ms": 5.0, "params": 4001}
    costs = {"latency_ms": Cost(cost), "params": Cost(SEARCH.costs["params"])}
    plan = at_price(PriceLaw(LAW, 1.5), costs, goals, max_width=[64] * 3)
    assert all(plan.costs[name] <= goal for name, goal in goals.items())
    assert isinstance(plan.costs["params"], int)


@pytest.mark.parametrize("projection", [False, True])
def test_numbers_are_within_the_cost_itself_and_cannot_grow(projection):
    cost = toy_memory(projection=projection)
    program = Program.of(TWO, {"ram": cost}, Grid(1, 1, 4_001))
    widths, shares, gap = program.solve({"ram": 20_011})
    assert int(cost(widths)) <= 20_011
    for grown in widths + np.eye(2, dtype=int):
        assert int(cost(grown)) > 20_011 or grown.max() > 4_001
    assert shares == {"ram": pytest.approx(1.0)}
    assert gap >= 0


def test_tied_numbers_are_one():
    cost = toy_memory()
    one = np.ones(2, int)
    grid = Grid(one, one, np.full(2, 4_001), tied=((0, 1),))
    widths, _, _ = Program.of(TWO, {"ram": cost}, grid).solve({"ram": 20_011})
    both = np.repeat(widths, 2)
    assert int(cost(both)) <= 20_011 < int(cost(both + 1))


def test_a_polynomial_is_the_cost_and_others_are_asked():
    macs = CostPolynomial.collect("MACs", [(3, 0, 1, ALWAYS), (1, 0, 2, (0, 1))])
    ram = toy_memory(projection=True)
    program = Program.of(TWO, {"macs": macs, "ram": ram}, Grid(1, 1, 99))
    exact, asked = program.budgets["macs"], program.budgets["ram"]
    assert exact.exact and not asked.exact
    assert exact.floors[0].coefficient.tolist() == [3]
    assert len(asked.near) == len(ram.near) > 1
