"""Costs with posynomials near them: what holds of every kind."""

import numpy as np
import pytest
from laws import noisy_device
from memories import toy_memory
from toys import toy_search

SEARCH = toy_search()
KINDS = {
    "polynomial": lambda rng: (SEARCH.costs["params"], 3),
    "tables": lambda rng: (noisy_device(SEARCH, rng, 0.3).cost, 3),
    "memory": lambda rng: (toy_memory(), 2),
    "projection": lambda rng: (toy_memory(projection=True), 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_floors_are_never_above_a_cost_and_near_ones_are_near(kind, rng):
    cost, layers = KINDS[kind](rng)
    widths = rng.integers(1, 61, (97, layers))
    widths[::7] = widths[::7, :1]  # Where projections vanish.
    told = cost(widths) * cost.per_unit
    floors = np.max([floor(widths) for floor in cost.floors], axis=0)
    near = np.max([posynomial(widths) for posynomial in cost.near], axis=0)
    assert (floors <= told * (1 + 1e-9)).all()
    assert (np.abs(np.log(near / told)) < 1).all()
    assert all((floor.differ < 0).all() for floor in cost.floors)
