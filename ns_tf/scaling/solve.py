"""From a curve tau -> widths and budgets to whole widths (algorithm 3)."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from ns_tf.base import Cost, Curve, InputError, RunError, Scaling, Widths
from ns_tf.registry import unknown
from ns_tf.scaling.curves import is_positive
from ns_tf.scaling.estimated import solve_by_estimates
from ns_tf.scaling.grid import Grid, grid_of

MEASUREMENTS = 8  # Networks that are measured, at most, for one plan.
_REACH = 690.0  # |ln tau| of the search: near the ends of float64.
_STRIDE = 0.5  # In ln tau: the bracket, before it is bisected.
_HALVINGS = 40  # Of the bracket: ln tau to 5e-13.


def at_cost(
    curve: Curve,
    costs: Mapping[str, Cost | Callable],
    targets: Mapping[str, float],
    *,
    round_to: int = 1,
    min_width: int = 1,
    max_width: int | None = None,
) -> Scaling:
    """The widths of largest tau that meet every budget, then grown as far as they can.

    Never over any target. Under exact budgets no single width can grow by `round_to`
    without breaking one. Under measured budgets nothing is grown: one filter more is
    less than the noise of a measurement.

    Departure: the paper descends on the squared difference and truncates (eq. 9-11),
    which ends up to 6.4 % under the budget or 0.9 % over it.

    Args:
        curve: tau -> widths [layers].
        costs: By budget: what whole widths cost; one for every target. Polynomials and
            plain functions are exact costs. A cost with an estimate is solved on the
            estimate, measured, and the target corrected (`scaling.estimated`).
        targets: By budget: the most it may be.
        round_to: Widths are multiples of it.
        min_width: The smallest width.
        max_width: The largest width; none if None.

    Raises:
        InputError: options or targets that make no sense, targets outside what any
            widths reach, or a curve that never gets there, as where betas are negative.
    """
    grid = grid_of(round_to, min_width, max_width)
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
    """`at_cost` where every cost is exact or measured outright."""
    exact = {n: (costs[n], t) for n, t in targets.items() if not costs[n].measured}
    measured = {n: (costs[n], t) for n, t in targets.items() if costs[n].measured}
    search = _Search(curve, grid, exact, measured)
    x = math.log(curve.start)
    widths = None
    if exact:
        _check_reach(search, layers=len(curve(1.0)))
        x = _crossing(search, x)
        widths = _top_up(search, search.widths(x), curve(math.exp(x)))
    if measured:
        x, widths, found = _measured(search, x, widths)
    else:
        found = search.costs(widths)
    return Scaling(
        widths=tuple(int(width) for width in widths),
        tau=math.exp(x),
        costs={name: found[name] for name in targets},
        targets=dict(targets),
    )


@dataclasses.dataclass(frozen=True)
class _Search:
    """What is searched: positions x = ln tau on a curve, under budgets."""

    curve: Curve
    grid: Grid
    exact: Mapping[str, tuple[Cost, float]]  # Cost and target by budget.
    measured: Mapping[str, tuple[Cost, float]]

    def widths(self, x: float) -> np.ndarray:
        """Whole widths [layers] at tau = exp(x)."""
        return self.grid.nearest(self.curve(math.exp(x)))

    def fits(self, widths: np.ndarray) -> np.ndarray:
        """Which networks [...] of widths [..., layers] meet every exact budget."""
        fits = np.ones(widths.shape[:-1], bool)
        for cost, target in self.exact.values():
            fits &= np.asarray(cost(widths)) <= target
        return fits

    def costs(self, widths: np.ndarray) -> dict[str, float]:
        """Costs by budget of widths [layers]; takes the measurements.

        Raises:
            RunError: if a measurement is no positive number.
        """
        budgets = {**self.exact, **self.measured}
        found = {n: np.asarray(cost(widths)).item() for n, (cost, _) in budgets.items()}
        for name in self.measured:
            if not is_positive(found[name]):
                raise RunError(f"{name} was measured as {found[name]}; measure again.")
        return found


def _crossing(search: _Search, start: float) -> float:
    """The position where the curve grows past a budget: it fits here, not just above.

    Raises:
        InputError: if the curve is nowhere under the budgets, or nowhere over them
            though larger networks exist.
    """

    def fits(x: float) -> bool:
        return bool(search.fits(search.widths(x)))

    # A curve with negative betas may rise on both sides, so down first, then up.
    low = start
    while low >= -_REACH and not fits(low):
        low -= _STRIDE
    if low < -_REACH:
        low = start
        while low <= _REACH and not fits(low):
            low += _STRIDE
        if low > _REACH:
            raise _unreachable(search, start, "is over at every tau")
    high = low + _STRIDE
    while high <= _REACH and fits(high):
        low, high = high, high + _STRIDE
    if high > _REACH:
        if (search.widths(low) == search.grid.high).all():
            return low
        raise _unreachable(search, start, "is under at every tau")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _top_up(search: _Search, widths: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Widths [layers] grown by one step of the grid at a time until none can grow.

    Of those that may grow, the layer grows that stays the furthest below `wanted`
    [layers], by ratio. That can make another one cheaper (a projection vanishes where
    two widths meet), so every layer is tried again after every step.
    """
    grid = search.grid
    steps = grid.step * np.eye(len(widths), dtype=np.int64)
    while True:
        grown = widths + steps  # [layers, layers]: a row for each layer that grows.
        able = search.fits(grown) & (widths + grid.step <= grid.high)
        if not able.any():
            return widths
        gain = np.where(able, wanted / (widths + grid.step), -np.inf)
        widths = grown[np.argmax(gain)]


def _measured(
    search: _Search, x: float, widths: np.ndarray | None
) -> tuple[float, np.ndarray, dict[str, float]]:
    """The largest network that measured within every budget, after few measurements.

    Begins at x with `widths` [layers], which is as far as exact budgets allow; with no
    widths, where there are none. Returns position, widths and costs by budget.
    """
    ceiling = math.inf if widths is None else x  # Exact budgets allow nothing larger.
    low, high, best = -math.inf, math.inf, None
    tries: dict[Widths, dict[str, float]] = {}
    for _ in range(_HALVINGS):
        widths = search.widths(x) if widths is None else widths
        key = tuple(widths.tolist())
        if key not in tries and len(tries) == MEASUREMENTS:
            break
        excess = math.inf  # Measured / target, of the budget exceeded most.
        if search.fits(widths):
            tries[key] = tries.get(key) or search.costs(widths)
            excess = max(tries[key][n] / t for n, (_, t) in search.measured.items())
        if excess <= 1:
            low, best = x, (x, widths, tries[key])
        else:
            high = x
        # Times grow with the square root of tau or faster, so twice the logarithm goes
        # a little too far, which brackets the answer. At most 16 times tau at once.
        stride = min(max(2 * abs(math.log(excess)), 0.2), math.log(16))
        if low > -math.inf and high < math.inf:
            x = (low + high) / 2
        else:
            x += stride if excess <= 1 else -stride
        if x > ceiling or abs(x) > _REACH:
            break
        widths = None
    if best is None:
        least = list(tries.values())[-1]
        got = ", ".join(f"{name}={_text(least[name])}" for name in search.measured)
        raise InputError(
            f"{_budgets(search.measured)} was not met: the smallest of {len(tries)} "
            f"networks measured had {got}. Ask for more, or lower --min_width."
        )
    return best


def _checked(
    targets: Mapping[str, float], costs: Mapping[str, Cost]
) -> dict[str, float]:
    """The targets, if there are any and each is a positive number with a cost."""
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


def _check_reach(search: _Search, layers: int) -> None:
    """Raises InputError if no network on the grid is as small, or as large, as that."""
    low, high = search.grid.low, search.grid.high
    ends = np.repeat([[low], [high]], layers, axis=1)
    for name, (cost, target) in search.exact.items():
        smallest, largest = np.asarray(cost(ends)).tolist()
        if not smallest <= target <= largest:
            raise InputError(
                f"{name}={_text(target)} cannot be met: the smallest network (every "
                f"width {low}) costs {_text(smallest)}, the largest (every width "
                f"{high}) {_text(largest)}. Ask for something between, or change "
                "--min_width or --max_width."
            )


def _unreachable(search: _Search, x: float, how: str) -> InputError:
    """The error for a curve that stays on one side of the budgets; names the betas."""
    ahead, behind = search.curve(math.exp(x + 0.5)), search.curve(math.exp(x - 0.5))
    beta = np.log(np.asarray(ahead, float)) - np.log(np.asarray(behind, float))
    flat = np.argsort(beta, kind="stable")[:3]
    betas = ", ".join(f"{beta[layer]:.3g} in layer {layer + 1}" for layer in flat)
    return InputError(
        f"No tau meets {_budgets(search.exact)}: the law {how}; its beta is {betas}. "
        "Widths follow a budget where beta is clearly positive; search longer."
    )


def _budgets(budgets: Mapping[str, tuple[Cost, float]]) -> str:
    return ", ".join(f"{name}={_text(target)}" for name, (_, target) in budgets.items())


def _text(value: float) -> str:
    exact = float(value).is_integer() and value < 1e15
    return f"{value:,.0f}" if exact else f"{value:,.4g}"
