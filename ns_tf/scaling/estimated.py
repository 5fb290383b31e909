"""Budgets whose cost is nearly known: solved on an estimate, measured, corrected."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf.base import Cost, InputError, Scaling, Widths
from ns_tf.scaling.grid import Grid

CORRECTIONS = 5  # Networks that are measured, at most.


def solve_by_estimates(
    solve: Callable[[Mapping[str, Cost], Mapping[str, float]], Scaling],
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
    grid: Grid,
    layers: int,
) -> Scaling:
    """The widths that meet every budget, where some costs have an estimate.

    A file's size is the size of its weights plus a part that hardly depends on the
    widths. So widths are found for the estimate, the file is made, and the target is
    corrected by the difference, until the widths stay the same.

    Args:
        solve: (costs, targets) -> the widths that meet exact budgets.
        costs: By budget: what whole widths cost.
        targets: By budget: the most it may be.
        grid: The widths that are allowed.
        layers: Number of widths.

    Raises:
        InputError: as `solve`, or none of the networks that were tried fits.
    """
    estimates = {name: cost.estimate for name, cost in costs.items() if cost.estimate}
    low, high = (
        {name: float(cost(np.full(layers, end))) for name, cost in estimates.items()}
        for end in (grid.low, grid.high)
    )
    excess = dict.fromkeys(estimates, 0.0)  # By how much each exceeds its estimate.
    best: Scaling | None = None
    tried: dict[Widths, dict[str, float]] = {}
    for _ in range(CORRECTIONS):
        # Kept within the estimate's range, so that `solve` does not refuse a target
        # that only the measured cost can judge.
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
    """The error for targets that no network met; names the smallest that was tried."""
    least = min(tried.values(), key=lambda sizes: sum(sizes.values()))
    sizes = ", ".join(f"{name}={value:,.0f}" for name, value in least.items())
    asked = ", ".join(f"{name}={value:,.0f}" for name, value in targets.items())
    return InputError(
        f"{asked} was not met: the smallest network tried has {sizes}. Ask for more, "
        "or lower --min_width."
    )
