"""What a network may cost: one file a budget, `get(name)` finds it.

A budget is a function that makes a cost of a `Structure`, which knows the sizes of all
weights as functions of the widths. A cost maps whole widths [..., layers] to costs
[...]. A user's file adds one with nothing but `ns_tf`::

    import ns_tf

    @ns_tf.budget("kernels", unit="entries", help="Entries of all kernels, at most.")
    def kernels(structure):
        "Entries of convolutions and dense kernels."
        sizes = [weight for weight in structure.weights if weight.name == "kernel"]
        terms = ((*term, size.differ) for size in sizes for term in size.terms)
        return ns_tf.CostPolynomial.collect("entries", terms)

Then `search.plan(kernels=200_000)` takes it. A file in this folder is found without
being imported by anybody, and its budget becomes a flag of the commands, `--kernels`.

The solver asks an exact cost hundreds of times, so it is a `CostPolynomial`, which is
fast and which a run folder can keep. A cost that needs the network itself is measured.
It is asked for one network [layers] at a time, at most eight times::

    @ns_tf.budget("saved_bytes", unit="bytes", help="Size on disk.", measured=True)
    def saved_bytes(structure, measure):
        "Bytes of the saved network."
        def cost(widths):
            model = structure.build([int(width) for width in widths])
            model.save("/tmp/measured.keras")
            return os.path.getsize("/tmp/measured.keras")
        return ns_tf.Cost(cost, measured=True)

A measured budget may name an exact one as its `estimate`, if the two differ by little
more than a constant and a measurement repeats itself: the size of a file and that of
its weights. Then fewer measurements find a larger network (`ns_tf.scaling.estimated`).
"""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ns_tf.base import InputError
from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.networks.arena import ExactCost
    from ns_tf.networks.structure import Structure

BUDGETS = Registry("budget", __name__)
CostMaker = TypeVar("CostMaker", bound=Callable)


@dataclasses.dataclass(frozen=True)
class Measure:
    """How measured budgets are measured; the defaults are the paper's (section 4.2)."""

    batch: int = 100  # Images a batch.
    warmup: int = 20  # Batches before the clock runs.
    repeats: int = 80  # Batches that the median is taken of.
    # A device file (`ns_tf.devices.device`), or its path, that says milliseconds in
    # place of a measurement.
    device: Any = None
    # Whether the networks of plans by a device file are measured, by its runtime.
    here: bool = False


@dataclasses.dataclass(frozen=True)
class Budget:
    """A kind of cost that a network can be held to."""

    name: str  # By which `plan` takes it; also the flag.
    unit: str  # "parameters", "bytes", "ms".
    help: str  # A sentence; the help of the flag.
    measured: bool  # Whether the network has to be built.
    # (structure) -> cost of an exact budget; (structure, measure) -> of a measured one.
    cost: Callable[..., Any]
    # Of a measured budget: the exact one that approximates it up to a constant.
    estimate: str | None = None
    # Whether plans for it are at a price where nobody names a method. The paper's curve
    # takes filters for equally dear; in this budget they differ much.
    priced: bool = False
    # Whether it refuses some networks, whose other costs are counted all the same.
    refuses: bool = False


def budget(
    name: str,
    *,
    unit: str,
    help: str,
    measured: bool = False,
    estimate: str | None = None,
    priced: bool = False,
    refuses: bool = False,
) -> Callable[[CostMaker], CostMaker]:
    """A decorator that registers what makes the cost of a budget.

    It returns the function unchanged. See the head of this module for examples.

    Args:
        name: A Python name; `plan(name=target)` and the flag `--name` take the budget.
        unit: What costs are counted in.
        help: A sentence that says what is counted, and that it is the most allowed.
        measured: Whether the function takes (structure, measure) in place of
            (structure), and its cost is a measured `ns_tf.Cost`.
        estimate: Of a measured budget: name of the exact budget that approximates it up
            to a constant. Needs a measurement that repeats itself.
        priced: Whether plans for it are at a price where nobody names a method.
        refuses: Whether the function raises an `InputError` on networks that it cannot
            count; plans for other budgets of these then go on without it.

    Raises:
        ValueError: if the name is taken.
    """

    def add(cost: CostMaker) -> CostMaker:
        member = Budget(name, unit, help, measured, cost, estimate, priced, refuses)
        BUDGETS.register(name)(member)
        return cost

    return add


def get(name: str) -> Budget:
    """The budget of that name.

    >>> get("params").unit, get("latency_ms").measured
    ('parameters', True)

    Raises:
        InputError: if there is none; suggests the nearest name.
    """
    return BUDGETS.get(name)


def exact_costs(structure: "Structure") -> "dict[str, ExactCost]":
    """By budget: the cost of networks of this structure, of all exact budgets.

    A budget that refuses such networks is left out.

    Args:
        structure: Of the architecture, at its image size and number of classes.
    """
    costs = {}
    for name in BUDGETS.names():
        member = get(name)
        if not member.measured:
            refused = (InputError,) if member.refuses else ()
            with contextlib.suppress(*refused):
                costs[name] = member.cost(structure)
    return costs
