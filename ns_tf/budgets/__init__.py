"""What a network may cost: one file a budget, `get(name)` finds it.

A budget is a function that makes a cost of a `Structure`::

    @budget("params", unit="parameters", help="Trainable parameters, at most.")
    def params(structure):
        return structure.params

A cost is called with whole widths `[..., layers]` and returns costs `[...]`; the solver
asks it hundreds of times, so it is a `CostPolynomial`, which a run folder can keep. One
that has to run the network says `measured=True`: it is called with one list of widths
at a time, and takes a `Measure`. If it is nearly an exact budget, as the size of a file
is, `estimate=` names that one: few measurements then find the largest network that
fits. The flag is the budget's name.
"""

import dataclasses
from collections.abc import Callable

from ns_tf.registry import Registry

BUDGETS = Registry("budget", __name__)


@dataclasses.dataclass(frozen=True)
class Measure:
    """How a measured budget is measured."""

    batch: int = 100  # Images a batch.
    warmup: int = 20  # Batches before the clock runs.
    repeats: int = 80  # Batches that the median is taken of.


@dataclasses.dataclass(frozen=True)
class Budget:
    """A kind of cost."""

    name: str
    unit: str
    help: str
    measured: bool
    cost: Callable  # (structure) -> cost; measured: (structure, measure) -> cost.
    estimate: str | None = None  # An exact budget that differs by little more than


def budget(
    name: str,
    *,
    unit: str,
    help: str,
    measured: bool = False,
    estimate: str | None = None,
):
    """Decorator: registers what makes a cost under `name`."""

    def add(cost):
        BUDGETS.register(name)(Budget(name, unit, help, measured, cost, estimate))
        return cost

    return add


def get(name: str) -> Budget:
    """The budget of that name.

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return BUDGETS.get(name)


def exact_costs(structure) -> dict:
    """Cost by budget, of all budgets that need no measuring."""
    members = [get(name) for name in BUDGETS.names()]
    return {b.name: b.cost(structure) for b in members if not b.measured}
