"""Budgets of a plan: which costs they are, and the widths that meet them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf import budgets
from ns_tf.base import Cost, Curve, InputError, Scaling
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.descend.record import SearchRecord
from ns_tf.scaling.curves import floor_ratio
from ns_tf.scaling.solve import at_cost


def solve(
    search: SearchRecord,
    along: Curve,
    targets: Mapping[str, float],
    *,
    measure: Measure | None = None,
    builder: Any = None,
    **options: Any,
) -> Scaling:
    """The widths on a curve that meet these budgets.

    Args:
        search: Whose network's costs are counted.
        along: tau -> widths.
        targets: Budgets by name; all hold.
        measure: How measured budgets are measured.
        builder: The architecture, if it has no name to find it by.
        **options: Of `scaling.at_cost`.

    Raises:
        InputError: unknown or impossible budget.
    """
    costs = {name: _cost(search, name, measure, builder) for name in targets}
    return at_cost(along, costs, targets, **options)


def with_ratio(
    search: SearchRecord, targets: Mapping[str, float], ratio: float | None
) -> dict[str, float]:
    """The budgets, the paper's r among them as the parameters that it means.

    Raises:
        InputError: none is given.
    """
    targets = dict(targets)
    if ratio is not None:
        widths = floor_ratio(search.default_widths, ratio)
        params = float(search.costs["params"](np.array(widths)))
        targets["params"] = min(params, targets.get("params", params))
    if not targets:
        raise InputError(f"Give a budget: {', '.join(BUDGETS.names())} or ratio.")
    return targets


def _cost(
    search: SearchRecord, name: str, measure: Measure | None, builder: Any
) -> Cost:
    """What networks of the search cost in a budget.

    Raises:
        InputError: there is no such budget.
    """
    budget = budgets.get(name)
    if name in search.costs:
        return Cost(search.costs[name])
    from ns_tf.networks import architectures  # Late: they need Keras.
    from ns_tf.networks.structure import analyse

    structure = analyse(
        builder or architectures.get(search.architecture),
        search.input_shape,
        search.classes,
    )
    if not budget.measured:
        return Cost(budget.cost(structure))
    cost = budget.cost(structure, measure or Measure())
    if budget.estimate is None:
        return cost
    estimate = _cost(search, budget.estimate, measure, builder)
    return dataclasses.replace(cost, estimate=estimate)
