"""Budgets of a plan: which costs they are, and the widths that meet them.

Exact costs are polynomials in the record of a search, so most plans need no network.
A measured budget, or one that the record lacks, is counted on the architecture.
"""

import dataclasses
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf import budgets
from ns_tf.base import (
    Along,
    Architecture,
    Cost,
    Curve,
    InputError,
    PriceLaw,
    Scaling,
)
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.descend.record import SearchRecord
from ns_tf.devices.device import BUDGET, Device, read_device
from ns_tf.networks.ratio import floor_ratio
from ns_tf.plan.measured import Measurements, once
from ns_tf.run.checks import is_positive
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.corrected import solve_by_measuring
from ns_tf.scaling.grid import grid_of
from ns_tf.scaling.ranks import ranked_curve
from ns_tf.scaling.solve import at_cost
from ns_tf.scores import FilterScores

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure
    from ns_tf.plan.config import SolverConfig


def solve(
    search: SearchRecord,
    along: Along,
    targets: Mapping[str, float],
    *,
    measure: Measure | None = None,
    builder: Architecture | None = None,
    wishes: Wishes | None = None,
    measurements: Measurements | None = None,
    **options: Any,
) -> Scaling:
    """The widths on a curve, or of most value, that meet these budgets.

    Args:
        search: Whose network's costs are counted.
        along: A curve tau -> widths, or what filters are worth, more or single ones.
        targets: Budgets by name; all hold.
        measure: How measured budgets are measured.
        builder: The architecture, if no registered name finds it.
        wishes: What widths may be; the search's own if there are none.
        measurements: What was measured before, which is not measured again; grows.
        **options: Of `scaling.solve.at_cost`: round_to, min_width, max_width.

    Returns:
        Whole widths [layers] with their tau, costs and targets.

    Raises:
        InputError: unknown or impossible budget.
    """
    costs = {name: _cost(search, name, measure, builder) for name in targets}
    kept = {} if measurements is None else measurements
    for name, cost in costs.items():
        if cost.measured and cost.estimate is None:
            of = once(cost.of, kept.setdefault(name, {}))
            costs[name] = dataclasses.replace(cost, of=of)
    options["bounds"] = search.bounds(wishes)
    _check_largest(search, options.get("max_width"))
    by_table = _by_table(measure, targets)
    if by_table:  # Nobody knows what wider layers take.
        device = device_for(search, measure.device)
        grid_of(**options)  # Refuses what no widths can be, whatever the tables reach.
        options["max_width"] = device.limits(options.get("max_width"))

    def solved(goals: Mapping[str, float]) -> Scaling:
        if isinstance(along, PriceLaw):
            return _at_price(search, along, costs, goals, options)
        if isinstance(along, FilterScores):
            prices = dict(costs)
            if by_table and (along.widths > options["max_width"]).any():
                # No table reaches the network that filters go from.
                prices[BUDGET] = dataclasses.replace(costs[BUDGET], measured=True)
            curve = ranked_curve(along, prices, goals, search.costs)
            return at_cost(curve, costs, goals, **options)
        return at_cost(along, costs, goals, **options)

    if by_table and measure.here:
        from ns_tf.measure.whole import begin, clock  # Late: it needs TensorFlow.

        begin(device)
        run = clock(_structure(search, builder), device)
        run = once(run, kept.setdefault(BUDGET, {}))
        return solve_by_measuring(solved, BUDGET, run, targets)
    return solved(targets)


def _check_largest(search: SearchRecord, largest: Any) -> None:
    """Passes the largest width, or that of each layer, which `grid_of` believes.

    Raises:
        InputError: a layer has none, or what is no width.
    """
    if largest is None or not np.ndim(largest):
        return
    widths = np.asarray(largest)
    sound = widths.dtype.kind in "iu" and widths.shape == (len(search.names),)
    if not sound or widths.min() < 1:
        raise InputError(
            f"max_width is a whole number from 1, or one for each of the "
            f"{len(search.names)} layers; got {reprlib.repr(largest)}."
        )


def solve_joined(
    search: SearchRecord,
    along: Curve,
    targets: Mapping[str, float],
    solver: "SolverConfig",
    *,
    max_width: int | Sequence[int] | None = None,
) -> Scaling:
    """`solve` for a network that was made of a model, in which additions join channels.

    Layers that are kept have no width there.

    Args:
        search: Of that network.
        along: A curve tau -> widths.
        targets: Exact budgets by name; all hold.
        solver: What widths may be.
        max_width: The largest width, or that of each layer; the solver's if None.
    """
    return solve(
        search,
        along,
        targets,
        round_to=solver.round_to,
        min_width=solver.min_width,
        max_width=max_width or solver.max_width,
        wishes=dataclasses.replace(solver.wishes, keep=()),
    )


def _at_price(
    search: SearchRecord,
    price: PriceLaw,
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    options: Mapping[str, Any],
) -> Scaling:
    """The widths of most value that meet these budgets.

    p is that of the record near the parameters of the plan, which follow from p. They
    are taken from the plan with the p that the law came with.

    Args:
        search: Its costs count parameters.
        price: What filters are worth.
        costs: By budget.
        targets: By budget; all hold.
        options: Of `scaling.solve.at_cost`.
    """
    from ns_tf.scaling.fall import fall_near  # Late: other plans start sooner.
    from ns_tf.scaling.priced import at_price

    scaling = at_price(price, costs, targets, **options)
    if price.worth is None:
        return scaling
    size = float(search.costs["params"](np.array(scaling.widths)))
    try:
        fall = fall_near(price.worth, price.sizes, size)
    except InputError:  # Too few events for a slope.
        return scaling
    price = dataclasses.replace(price, exponent=fall.exponent)
    return at_price(price, costs, targets, fall=fall, **options)


def _by_table(measure: Measure | None, targets: Iterable[str]) -> bool:
    """Whether a device file says milliseconds of a plan for these budgets."""
    return bool(measure and measure.device) and BUDGET in targets


def device_for(search: SearchRecord, device: "Device | str | Path") -> Device:
    """The device of a file, if it is of the network of a search.

    Raises:
        InputError: the file is missing, damaged, or of another network.
    """
    found = read_device(device)
    macs = search.costs.get("macs")
    found.check(search.names, search.input_shape, search.classes, macs)
    return found


def device_text(
    measure: Measure | None, targets: Iterable[str], widths: Sequence[int]
) -> str | None:
    """The device that says milliseconds of a plan, in words; None if none does.

    A warning goes with it where the runtime takes longer at such widths than the tables
    say, and the whole network was not measured.
    """
    if not _by_table(measure, targets):
        return None
    device = read_device(measure.device)
    warning = None if measure.here else device.warning_at(widths)
    return f"{device.about}. Warning: {warning}" if warning else device.about


def with_ratio(
    search: SearchRecord, targets: Mapping[str, float], ratio: float | None
) -> dict[str, float]:
    """The budgets with the paper's r as the number of parameters that it means.

    r stands for params(int(r · default widths)); of r and a budget of parameters the
    smaller number holds.

    >>> from types import SimpleNamespace
    >>> search = SimpleNamespace(
    ...     default_widths=(8, 16), costs={"params": lambda w: 27 * w[0] + w[0] * w[1]}
    ... )
    >>> with_ratio(search, {"macs": 5e6}, 0.5)  # 27 · 4 + 4 · 8
    {'macs': 5000000.0, 'params': 140.0}

    Args:
        search: Whose default widths r multiplies.
        targets: Budgets by name.
        ratio: The paper's r; None if it is no budget.

    Returns:
        Budgets by name, without r.

    Raises:
        InputError: there is no budget at all, or r or a budget is no positive number.
    """
    targets = {name: _number(name, value) for name, value in targets.items()}
    if ratio is not None:
        widths = floor_ratio(search.default_widths, ratio)
        params = float(search.costs["params"](np.array(widths)))
        targets["params"] = min(params, targets.get("params", params))
    if not targets:
        raise InputError(f"Give a budget: {', '.join(BUDGETS.names())} or ratio.")
    return targets


def _number(name: str, value: Any) -> float:
    """A budget as a number of Python's: plans are written as JSON.

    Raises:
        InputError: it is none, or not positive.
    """
    if isinstance(value, (np.generic, np.ndarray)) and not value.ndim:
        value = value.item()
    if not is_positive(value):
        raise InputError(
            f"The budget {name} is a positive, finite number; got {value!r}."
        )
    return value


def default_method(targets: Iterable[str], measure: Measure | None = None) -> str:
    """The method for these budgets where nobody names one.

    `priced` where a budget says so (multiply-adds, milliseconds by a device file) and
    all have a price; else `neuralscale`. What a search has for prices decides further
    (`ns_tf.plan.plan.make_plan`).

    >>> [default_method(some) for some in (["params"], ["params", "macs"])]
    ['neuralscale', 'priced']

    Args:
        targets: Names of the budgets.
        measure: How measured budgets are measured; it may name a device file.
    """
    members = [budgets.get(name) for name in targets]
    known = {BUDGET} if measure and measure.device else set()
    without = any(
        member.measured and not member.estimate and member.name not in known
        for member in members
    )
    wanted = any(member.priced for member in members)
    return "priced" if wanted and not without else "neuralscale"


def _cost(
    search: SearchRecord,
    name: str,
    measure: Measure | None,
    builder: Architecture | None,
) -> Cost:
    """What networks of the search cost in a budget.

    Raises:
        InputError: there is no such budget, or no such architecture.
    """
    budget = budgets.get(name)
    if name in search.costs:
        return Cost(search.costs[name])
    if _by_table(measure, [name]):
        return Cost(device_for(search, measure.device).cost)
    structure = _structure(search, builder)
    if not budget.measured:
        return Cost(budget.cost(structure))
    cost = budget.cost(structure, measure or Measure())
    if budget.estimate is None:
        return cost
    estimate = _cost(search, budget.estimate, measure, builder)
    return dataclasses.replace(cost, estimate=estimate)


def _structure(search: SearchRecord, builder: Architecture | None) -> "Structure":
    """The structure of the search's network.

    Raises:
        InputError: there is no such architecture.
    """
    from ns_tf.networks import architectures  # Late: they need Keras.
    from ns_tf.networks.structure import analyse

    architecture = builder or architectures.get(search.architecture)
    return analyse(architecture, search.input_shape, search.classes)
