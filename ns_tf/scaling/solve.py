"""From a curve tau -> widths and budgets to whole widths (algorithm 3).

Everything here happens in x = ln tau, over which the cost of a network grows evenly.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ns_tf.base import Cost, Curve, InputError, Scaling, Widths
from ns_tf.networks.arena import PeakMemory
from ns_tf.registry import unknown
from ns_tf.run.checks import is_positive
from ns_tf.scaling.bounds import Bounds
from ns_tf.scaling.estimated import solve_by_estimates
from ns_tf.scaling.grid import Grid, check_reach, grid_of, text
from ns_tf.scaling.growth import (
    HALVINGS,
    REACH,
    STRIDE,
    ScalingInTurns,
    Search,
    in_turns,
    top_up,
)

MEASUREMENTS = 8  # The most networks that are measured for one plan.


def at_cost(
    curve: Curve,
    costs: Mapping[str, Cost | Callable],
    targets: Mapping[str, float],
    *,
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | Sequence[int] | None = None,
    bounds: Bounds | None = None,
) -> Scaling:
    """The widths of the largest tau that meet every budget, then grown while any fits.

    The largest tau on the curve is found whose nearest whole widths meet every exact
    budget. Then single layers grow by `round_to` until none can grow without breaking a
    budget. Under measured budgets nothing is grown: one filter more is less than the
    noise of a measurement. No target is ever exceeded.

    Departure: the paper descends on the squared difference and truncates (eq. 9-11),
    which ends up to 6.4 % under the budget or 0.9 % over it.

    >>> from ns_tf.scaling.curves import uniform_curve
    >>> def cost(widths):  # Multiply-adds of two 1x1 convolutions.
    ...     return 3 * widths[..., 0] + widths[..., 0] * widths[..., 1]
    >>> scaling = at_cost(uniform_curve([10, 20]), {"macs": cost}, {"macs": 900})
    >>> scaling.widths, scaling.costs, round(scaling.tau, 2)
    ((20, 42), {'macs': 900}, 4.2)

    Args:
        curve: tau -> widths [layers]; a plain function is a curve that starts at tau 1.
        costs: By budget: whole widths [..., layers] -> costs [...]; at least one for
            every target. Polynomials and plain functions are exact costs. A cost with
            an estimate is solved on the estimate, measured, and the target corrected
            (`ns_tf.scaling.estimated`).
        targets: By budget: the largest cost allowed; all hold.
        round_to: Every width is a multiple of it.
        min_width: The least width.
        max_width: The largest width, or that of each layer; 65,536 if None.
        bounds: What a user wishes for single layers; it holds as well.

    Returns:
        The widths, their costs under every target, and the position on the curve
        before the widths were made whole.

    Raises:
        InputError: options or targets that make no sense, a target below what any
            widths cost, all targets above it, or a curve that never comes to the
            target, as one of negative betas may do.
        RunError: a measurement is no positive number.
    """
    grid = grid_of(round_to, min_width, max_width, bounds)
    targets = _checked(targets, costs)
    curve = curve if isinstance(curve, Curve) else Curve(curve)
    known = {name: _as_cost(costs[name]) for name in targets}
    if any(cost.estimate for cost in known.values()):
        solve = functools.partial(_solve, curve, grid)
        return solve_by_estimates(solve, known, targets, grid, len(curve(1.0)))
    return _solve(curve, grid, known, targets)


def _as_cost(cost: Cost | Callable) -> Cost:
    """A plain function or a polynomial is an exact cost."""
    return cost if isinstance(cost, Cost) else Cost(cost)


def _solve(
    curve: Curve,
    grid: Grid,
    costs: Mapping[str, Cost],
    targets: Mapping[str, float],
) -> Scaling:
    """As `at_cost`, where every cost is exact or measured without an estimate."""
    exact = {n: (costs[n], t) for n, t in targets.items() if not costs[n].measured}
    measured = {n: (costs[n], t) for n, t in targets.items() if costs[n].measured}
    search = Search(curve, grid, exact, measured)
    x = math.log(curve.start)
    widths, kind = None, Scaling
    if exact:
        check_reach(exact, grid, len(curve(1.0)), others=bool(measured))
        x = _crossing(search, x)
        widths = search.widths(x)
        if any(isinstance(cost.of, PeakMemory) for cost, _ in exact.values()):
            widths, kind = in_turns(search, x, widths), ScalingInTurns
        else:
            widths = top_up(search, widths, curve(math.exp(x)))
    if measured:
        x, widths, totals = _measured(search, x, widths)
    else:
        totals = search.costs(widths)
    return kind(
        widths=tuple(int(width) for width in widths),
        tau=math.exp(x),
        costs={name: totals[name] for name in targets},
        targets=dict(targets),
    )


def _crossing(search: Search, start: float) -> float:
    """The position x up to which the curve meets the exact budgets.

    It meets them at x and breaks one just above, or x is where every width has become
    the largest of the grid.

    Args:
        search: Curve, grid and exact budgets.
        start: The position where the search begins.

    Raises:
        InputError: if the curve is over a budget everywhere, or under all of them
            everywhere though larger networks exist.
    """

    def fits(x: float) -> bool:
        return bool(search.fits(search.widths(x)))

    # Downwards first. With negative betas, costs may fall upwards, so then upwards.
    low = start
    while low >= -REACH and not fits(low):
        low -= STRIDE
    if low < -REACH:
        low = start
        while low <= REACH and not fits(low):
            low += STRIDE
        if low > REACH:
            raise _unreachable(search, start, "is over at every tau")
    high = low + STRIDE
    while high <= REACH and fits(high):
        low, high = high, high + STRIDE
    if high > REACH:
        if (search.widths(low) == search.grid.high).all():
            return low
        raise _unreachable(search, start, "is under at every tau")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _measured(
    search: Search, x: float, widths: np.ndarray | None
) -> tuple[float, np.ndarray, dict[str, float]]:
    """The largest network measured within every budget, by at most `MEASUREMENTS`.

    Strides along the curve until the budgets are bracketed, then bisects.

    Args:
        search: Curve, grid and budgets.
        x: The position where it begins.
        widths: Whole widths [layers] there, the largest that exact budgets allow; None
            if there are no exact budgets.

    Returns:
        Position, whole widths [layers], and costs by budget.

    Raises:
        InputError: if no network that was measured is within every budget.
    """
    ceiling = math.inf if widths is None else x  # Exact budgets allow nothing larger.
    low, high, best = -math.inf, math.inf, None
    tries: dict[Widths, dict[str, float]] = {}
    for _ in range(HALVINGS):
        widths = search.widths(x) if widths is None else widths
        key = tuple(widths.tolist())
        if key not in tries and len(tries) == MEASUREMENTS:
            break
        excess = math.inf  # The largest ratio of a measurement to its target.
        if search.fits(widths):
            tries[key] = tries.get(key) or search.costs(widths)
            excess = max(tries[key][n] / t for n, (_, t) in search.measured.items())
        if excess <= 1:
            low, best = x, (x, widths, tries[key])
        else:
            high = x
        # Times grow at least with the square root of tau, so a stride of twice
        # ln(excess) goes a little too far, which brackets the answer. No stride is
        # longer than a factor of 16 in tau.
        stride = min(max(2 * abs(math.log(excess)), 0.2), math.log(16))
        if low > -math.inf and high < math.inf:
            x = (low + high) / 2
        else:
            x += stride if excess <= 1 else -stride
        if x > ceiling or abs(x) > REACH:
            break
        widths = None
    if best is None:
        last = list(tries.values())[-1]
        got = ", ".join(f"{name}={text(last[name])}" for name in search.measured)
        raise InputError(
            f"{_budgets(search.measured)} was not met: the smallest of {len(tries)} "
            f"networks measured had {got}. Ask for more, or lower --min_width."
        )
    return best


def _checked(
    targets: Mapping[str, float], costs: Mapping[str, Cost]
) -> dict[str, float]:
    """The targets, if there are any and each is a positive number with a cost.

    Raises:
        InputError: otherwise.
    """
    if not targets:
        raise InputError(f"Give at least one budget of: {', '.join(costs)}.")
    for name, target in targets.items():
        if name not in costs:
            raise unknown("budget", name, costs)
        if not is_positive(target):
            raise InputError(
                f"The budget {name} is a positive, finite number; got {target!r}."
            )
    return dict(targets)


def _unreachable(search: Search, x: float, how: str) -> InputError:
    """The error for a curve that stays on one side of the budgets; says why it does."""
    ends = (-REACH, 1 - REACH, REACH)
    least, next_, largest = (search.curve(math.exp(end)) for end in ends)
    if (least == next_).all() and (least < largest).all():  # As multiples of 8.
        widths = search.widths(-REACH)
        costs = {name: (cost, cost(widths)) for name, (cost, _) in search.exact.items()}
        return InputError(
            f"{_budgets(search.exact)} cannot be met: the smallest network of this "
            f"method ({','.join(map(str, widths))}) has {_budgets(costs)}. Ask for "
            "more, or take a method whose widths may be smaller: --method=uniform."
        )
    ahead, behind = search.curve(math.exp(x + 0.5)), search.curve(math.exp(x - 0.5))
    beta = np.log(np.asarray(ahead, float)) - np.log(np.asarray(behind, float))
    flat = np.argsort(beta, kind="stable")[:3]
    betas = ", ".join(f"{beta[layer]:.3g} in layer {layer + 1}" for layer in flat)
    return InputError(
        f"No tau meets {_budgets(search.exact)}: the law {how}; its beta is {betas}. "
        "Widths follow a budget where beta is clearly positive; search longer."
    )


def _budgets(budgets: Mapping[str, tuple[Cost, float]]) -> str:
    """Targets by budget, as "params=5,000, macs=7,000"."""
    return ", ".join(f"{name}={text(target)}" for name, (_, target) in budgets.items())
