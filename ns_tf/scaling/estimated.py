"""Budgets whose cost is nearly known: solved on an estimate, measured, corrected.

The size of a file is the size of its weights, which is known exactly, plus a part that
hardly depends on the widths and is known only once the file is written.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf.base import Cost, InputError, Scaling, Widths
from ns_tf.scaling.grid import Grid

CORRECTIONS = 5  # The most networks that are measured.


def solve_by_estimates(
    solve: Callable[[Mapping[str, Cost], Mapping[str, float]], Scaling],
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    grid: Grid,
    layers: int,
) -> Scaling:
    """The widths that meet every budget, where some costs have an estimate.

    Widths are found for the estimates, their network is measured, and every target is
    corrected by the difference between measurement and estimate. That is repeated until
    the widths stay the same. Of the networks that were measured within every budget,
    the largest is the answer.

    >>> from ns_tf.scaling.curves import uniform_curve
    >>> from ns_tf.scaling.solve import at_cost
    >>> weights = Cost(lambda widths: 4 * widths.sum(axis=-1))
    >>> size = Cost(lambda widths: 4 * widths.sum() + 100, True, estimate=weights)
    >>> scaling = at_cost(uniform_curve([2, 3]), {"bytes": size}, {"bytes": 1_100})
    >>> scaling.widths, scaling.costs["bytes"]
    ((100, 150), 1100.0)

    Args:
        solve: (costs, targets) -> the widths that meet exact budgets.
        costs: By budget: what whole widths [layers] cost.
        targets: By budget: the largest cost allowed.
        grid: The whole widths that are allowed.
        layers: Number of widths.

    Raises:
        InputError: as of `solve`, or none of the networks that were measured fits.
    """
    estimates = {name: cost.estimate for name, cost in costs.items() if cost.estimate}
    low, high = (
        {name: float(cost(np.full(layers, end))) for name, cost in estimates.items()}
        for end in (grid.low, grid.high)
    )
    excess = dict.fromkeys(estimates, 0.0)  # By budget: measurement minus estimate.
    best: Scaling | None = None
    tried: dict[Widths, dict[str, float]] = {}
    for _ in range(CORRECTIONS):
        # Clipped to the estimate's range: `solve` would refuse a target outside of it,
        # although the measured cost may reach it.
        corrected = {
            name: min(max(targets[name] - more, low[name]), high[name])
            for name, more in excess.items()
        }
        scaling = solve({**costs, **estimates}, {**targets, **corrected})
        if scaling.widths in tried:
            break
        widths = np.array(scaling.widths)
        measured = {name: float(costs[name](widths)) for name in estimates}
        tried[scaling.widths] = measured
        fits = all(measured[name] <= targets[name] for name in estimates)
        if fits and (best is None or scaling.tau > best.tau):
            best = dataclasses.replace(
                scaling, costs={**scaling.costs, **measured}, targets=dict(targets)
            )
        for name, estimate in estimates.items():
            excess[name] = measured[name] - float(estimate(widths))
    if best is None:
        raise _unmet(tried, {name: targets[name] for name in estimates})
    return best


def _unmet(
    tried: Mapping[Widths, Mapping[str, float]], targets: Mapping[str, float]
) -> InputError:
    """The error for targets that no network met; names the smallest that was tried.

    Args:
        tried: By widths: the measurement of every budget.
        targets: By budget: the largest cost allowed.
    """
    least = min(tried.values(), key=lambda sizes: sum(sizes.values()))
    sizes = ", ".join(f"{name}={value:,.0f}" for name, value in least.items())
    asked = ", ".join(f"{name}={value:,.0f}" for name, value in targets.items())
    return InputError(
        f"{asked} was not met: the smallest network tried has {sizes}. Ask for more, "
        "or lower --min_width."
    )
