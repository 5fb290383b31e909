"""How many channels stay in each layer: one file an allocation.

An allocation makes a curve tau -> widths of what is known of a trained network. The
solver then finds the largest widths on it that meet every budget::

    @allocation("uniform", help="Every layer loses the same share.")
    def uniform(case):
        return uniform_curve(case.widths)
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf.base import Curve, ScalingLaw, Widths
from ns_tf.networks.structure import Structure
from ns_tf.prune.criteria import Criterion
from ns_tf.prune.removal import Prunable
from ns_tf.registry import Registry

ALLOCATIONS = Registry("allocation", __name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """What an allocation may know.

    Args:
        structure: Of the trained network.
        widths: Of the trained network, [layers].
        prunable: Which channels the widths count.
        scores: [n], by the criterion.
        criterion: The criterion.
        costs: By budget: exact costs of whole widths [..., layers].
        targets: By budget: the largest cost allowed; of measured budgets too.
        min_width: Filters that every layer keeps.
        weigh: By which power of its price a score is divided; None leaves it to the
            budgets.
        law: Of a search of the same network, if one was given.
    """

    structure: Structure
    widths: Widths
    prunable: Prunable
    scores: np.ndarray
    criterion: Criterion
    costs: Mapping[str, Callable]
    targets: Mapping[str, float]
    min_width: int = 1
    weigh: float | None = None
    law: ScalingLaw | None = None


@dataclasses.dataclass(frozen=True)
class Allocation:
    """A registered allocation."""

    name: str
    help: str  # A sentence.
    curve: Callable[[Case], Curve]


def allocation(name: str, *, help: str) -> Callable[[Callable], Callable]:
    """Decorator: registers an allocation under `name`, as `--allocation` takes it.

    Args:
        name: Of the allocation.
        help: A sentence that says which layers lose how much.

    Returns:
        A decorator of functions of a `Case` to a `Curve`, which it returns as they are.

    Raises:
        ValueError: the name is taken.
    """

    def add(curve):
        ALLOCATIONS.register(name)(Allocation(name, help, curve))
        return curve

    return add


def get(name: str) -> Allocation:
    """The allocation of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return ALLOCATIONS.get(name)
