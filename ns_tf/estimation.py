"""Budgets that are nearly known: solved on an estimate, measured, corrected."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ns_tf import scaling
from ns_tf.base import Curve, InputError, Scaling, Widths
from ns_tf.grid import grid_of
from ns_tf.scaling import Cost

CORRECTIONS = 5  # Networks that are measured, at most.


def at_cost(
    curve: Curve,
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    estimates: Mapping[str, Cost],
    **options: Any,
) -> Scaling:
    """`scaling.at_cost` where some costs are slow, and nearly known.

    A file's size is the weights' plus what hardly depends on the widths. So widths are
    found for the estimate, the file is made, and the target is corrected by what it is
    larger or smaller, until the widths stay the same.

    Args:
        curve: tau -> widths [layers].
        costs: By budget: what whole widths cost.
        targets: By budget: the most it may be.
        estimates: By slow budget: an exact cost that differs from it by nearly a
            constant.
        **options: Of `scaling.at_cost`.

    Raises:
        InputError: as `scaling.at_cost`, or no network was found that fits.
    """
    if not estimates:
        return scaling.at_cost(curve, costs, targets, **options)
    grid, layers = grid_of(**options), len(curve(1.0))
    low, high = (
        {name: float(cost(np.full(layers, end))) for name, cost in estimates.items()}
        for end in (grid.low, grid.high)
    )
    over = dict.fromkeys(estimates, 0.0)  # What each is above its estimate.
    best: Scaling | None = None
    tried: dict[Widths, dict[str, float]] = {}
    for _ in range(CORRECTIONS):
        left = {
            # Within what the estimate can be: what it really is, is measured.
            name: min(max(targets[name] - more, low[name]), high[name])
            for name, more in over.items()
        }
        found = scaling.at_cost(
            curve, {**costs, **estimates}, {**targets, **left}, **options
        )
        if found.widths in tried:
            break
        widths = np.array(found.widths)
        measured = {name: float(costs[name](widths)) for name in estimates}
        tried[found.widths] = measured
        fits = all(measured[name] <= targets[name] for name in estimates)
        if fits and (best is None or found.tau > best.tau):
            best = dataclasses.replace(
                found, costs={**found.costs, **measured}, targets=dict(targets)
            )
        for name, estimate in estimates.items():
            over[name] = measured[name] - float(estimate(widths))
    if best is None:
        least = min(tried.values(), key=lambda sizes: sum(sizes.values()))
        told = ", ".join(f"{name}={value:,.0f}" for name, value in least.items())
        asked = ", ".join(f"{name}={targets[name]:,.0f}" for name in estimates)
        raise InputError(
            f"{asked} was not met: the smallest network tried has {told}. Ask for "
            "more, or lower --min_width."
        )
    return best
