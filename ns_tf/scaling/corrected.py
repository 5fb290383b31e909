"""Plans by tables, corrected by measuring whole networks."""

import dataclasses
import math
from collections.abc import Callable, Mapping

from ns_tf.base import InputError, Scaling, Widths

WITHIN = 0.03  # Of the target: how far below it a measurement may stay.
_AIM = 0.985  # Of the target: the middle of what is accepted.
_TRIES = 8  # The most networks that are measured.


def solve_by_measuring(
    solve: Callable[[Mapping[str, float]], Scaling],
    budget: str,
    measured: Callable[[Widths], float],
    targets: Mapping[str, float],
) -> Scaling:
    """The largest network that is measured within a target, at most 3 % below it.

    A goal for the tables is multiplied by what target and measurement differ by, and
    bisected once it is bracketed.

    >>> def solve(goals):  # By a table that says 5 of every channel.
    ...     width = int(goals["ms"] / 5)
    ...     return Scaling((width,), 1.0, {"ms": 5 * width}, goals)
    >>> plan = solve_by_measuring(solve, "ms", lambda w: 7 * w[0], {"ms": 7000})
    >>> plan.widths, plan.costs, plan.targets
    ((985,), {'ms': 6895}, {'ms': 7000})

    Args:
        solve: Targets by budget -> the widths that meet them, by tables.
        budget: Whose target is corrected.
        measured: Widths -> their cost in that budget, measured.
        targets: By budget: the largest cost allowed.

    Returns:
        The widths with what was measured as their cost.

    Raises:
        InputError: as of `solve`, or no network that was measured fits.
    """
    goal = target = targets[budget]
    low, high, best = 0.0, math.inf, None
    tried: dict[Widths, float] = {}
    for _ in range(_TRIES):
        try:
            scaling = solve({**targets, budget: goal})
        except InputError:
            if not tried:
                raise
            if best is not None:
                break
            # The correction went too far; a larger goal may still be met.
            low, goal = goal, math.sqrt(goal * high)
            continue
        if scaling.widths in tried and best is not None:
            break
        if scaling.widths not in tried:
            tried[scaling.widths] = measured(scaling.widths)
        cost = tried[scaling.widths]
        if cost <= target:
            low = goal
            if best is None or cost > best.costs[budget]:
                costs = {**scaling.costs, budget: cost}
                best = dataclasses.replace(scaling, costs=costs, targets=dict(targets))
            if cost >= (1 - WITHIN) * target:
                break
        else:
            high = goal
        goal *= _AIM * target / cost
        if not low < goal < high:
            goal = math.sqrt(low * high)
    if best is None:
        raise InputError(
            f"{budget}={target:g} was not met: of {len(tried)} networks measured the "
            f"quickest took {min(tried.values()):.4g}. Ask for more, or lower "
            "--min_width."
        )
    return best
