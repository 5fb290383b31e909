"""Budgets of a network that is trained already: shares of its own costs, or numbers."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from ns_tf import budgets
from ns_tf.base import Cost, InputError, Widths
from ns_tf.budgets import BUDGETS, Measure, exact_costs
from ns_tf.devices.device import BUDGET, read_device
from ns_tf.networks.ratio import floor_ratio
from ns_tf.networks.structure import Structure
from ns_tf.registry import unknown
from ns_tf.run.checks import is_positive
from ns_tf.scaling.grid import text

RATIO = "ratio"  # The paper's r, which stands for a number of parameters.


@dataclasses.dataclass(frozen=True, eq=False)
class Budgets:
    """What a pruned network may cost.

    Args:
        targets: By budget: the largest cost allowed, in the budget's own unit.
        costs: By budget: what networks of whole widths [..., layers] cost. All exact
            budgets, and the measured ones among the targets.
        own: By budget of the targets: the cost of the trained network. Measured only
            where it was needed.
        measure: How measured budgets are measured.
        largest: [layers] the widths up to which the tables of a device reach, where
            they are a budget.
    """

    targets: Mapping[str, float]
    costs: Mapping[str, Cost]
    own: Mapping[str, float]
    measure: Measure | None = None
    largest: Widths | None = None

    @property
    def exact(self) -> dict[str, Cost]:
        """The costs that need no measurement."""
        return {n: cost for n, cost in self.costs.items() if not cost.measured}


def budgets_of(
    asked: Mapping[str, float],
    structure: Structure,
    widths: Widths,
    measure: Measure | None = None,
    *,
    whole: Structure | None = None,
) -> Budgets:
    """The budgets that are asked for, in their own units.

    A number above 0 and below 1 is a share of the network's own cost, and 1 is that
    cost; larger numbers are costs. Milliseconds are always milliseconds.

    Args:
        asked: By budget, and `ratio`: the parameters of the network with every width
            times r, rounded down.
        structure: Of the trained network.
        widths: Of the trained network, [layers].
        measure: How measured budgets are measured.
        whole: Of the network without layers that are kept, which a device file is of;
            `structure` if None.

    Raises:
        InputError: no budget, an unknown one, no positive number, or more than the
            network costs.
    """
    asked = dict(asked)
    own = np.array(widths, np.int64)
    for name, value in asked.items():
        if name != RATIO and name not in BUDGETS.names():
            raise unknown("budget", name, [*BUDGETS.names(), RATIO])
        if not is_positive(value):
            raise InputError(
                f"The budget {name} is a positive, finite number; got {value!r}."
            )
    costs = {name: Cost(cost) for name, cost in exact_costs(structure).items()}
    ratio = asked.pop(RATIO, None)
    if ratio is not None:
        if ratio > 1:
            raise InputError(f"--ratio={ratio:g} is more than the whole network.")
        cost = float(costs["params"](np.array(floor_ratio(widths, ratio))))
        asked["params"] = min(cost, asked.get("params", cost))
    if not asked:
        raise InputError(
            f"Give a budget, as --macs=0.5: {', '.join([*BUDGETS.names(), RATIO])}."
        )
    largest = None
    if BUDGET in asked and measure and measure.device:
        costs[BUDGET], largest = _by_tables(structure, whole or structure, measure)
    targets, now = {}, {}
    for name, value in asked.items():
        costs[name] = costs.get(name) or _other(name, structure, measure, costs)
        if has_shares(name, costs[name]):
            now[name] = float(costs[name](own))
        targets[name] = target_of(name, value, now.get(name))
    return Budgets(targets, costs, now, measure, largest)


def has_shares(name: str, cost: Cost | budgets.Budget) -> bool:
    """Whether a number of at most 1 is a share of what the network costs itself.

    Milliseconds are none, by a device file either: 0.5 is half a millisecond.

    Args:
        name: Of the budget.
        cost: By that budget, or the budget itself.
    """
    return name != BUDGET and (not cost.measured or cost.estimate is not None)


def target_of(name: str, value: float, own: float | None) -> float:
    """A budget in its own unit.

    >>> target_of("macs", 0.5, 3000.0), target_of("macs", 700, 3000.0)
    (1500.0, 700)

    Args:
        name: Of the budget.
        value: A share of the network's own cost, if it is known and the value is at
            most 1.
        own: What the network costs itself; None if that is not known.

    Raises:
        InputError: it is more than the network costs.
    """
    if own is None:
        return value
    target = value * own if value <= 1 else value
    if target > own:
        raise InputError(
            f"{name}={text(target)} is more than the trained network has: "
            f"{text(own)}. Pruning makes networks smaller; give a share, as "
            f"{name}=0.5, or at most that number."
        )
    return target


def costs_of(
    names: Iterable[str], structure: Structure, measure: Measure | None = None
) -> dict[str, Cost]:
    """All exact costs of networks of a structure, and the measured ones of some names.

    Args:
        names: Of budgets.
        structure: Of the networks.
        measure: As of `budgets_of`.

    Raises:
        InputError: a measured budget that cannot be measured so.
    """
    costs = {name: Cost(cost) for name, cost in exact_costs(structure).items()}
    for name in set(names) - set(costs):
        costs[name] = _other(name, structure, measure, costs)
    return costs


def _other(
    name: str, structure: Structure, measure: Measure | None, exact: Mapping[str, Cost]
) -> Cost:
    """The cost of a budget that is not among the exact ones of a structure.

    Of a measured one with its estimate.

    Raises:
        InputError: the budget cannot be counted on such networks, or not measured so.
    """
    budget = budgets.get(name)
    if not budget.measured:
        return Cost(budget.cost(structure))  # Raises: it refuses this structure.
    cost = budget.cost(structure, measure or Measure())
    if budget.estimate is None:
        return cost
    return dataclasses.replace(cost, estimate=exact[budget.estimate])


def _by_tables(
    structure: Structure, whole: Structure, measure: Measure
) -> tuple[Cost, Widths]:
    """Milliseconds by a device file, and the widths [layers] that its tables reach.

    Args:
        structure: Whose widths are counted.
        whole: Of the same network, of all widths: also of layers that are kept.
        measure: Names the file.

    Raises:
        InputError: the file is of another network or of a narrower one, or plans alone
            can be met so.
    """
    if measure.here:
        raise InputError(
            "--device_here corrects plans; a pruning meets the tables of --device. "
            "Leave it out."
        )
    if not set(structure.names) <= set(whole.names):
        whole = structure
    device, macs = read_device(measure.device), exact_costs(whole)["macs"]
    device.check(whole.names, whole.input_shape, whole.classes, macs)
    places = [whole.names.index(name) for name in structure.names]
    own = np.array(whole.architecture.widths)
    ends = np.array(device.limits())
    for place in set(np.flatnonzero(own > ends)) - set(places):
        raise InputError(
            f"{whole.names[place]!r} is kept at {own[place]} filters, and the tables "
            f"of --device end at {ends[place]}. Measure with a larger --up_to."
        )

    def cost(widths: np.ndarray) -> np.ndarray:
        every = np.broadcast_to(own, (*np.shape(widths)[:-1], len(own))).copy()
        every[..., places] = widths
        return device.cost(every)

    exact = Cost(device.cost if structure is whole else cost)
    return exact, tuple(ends[places].tolist())
