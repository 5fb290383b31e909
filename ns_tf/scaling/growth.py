"""Whole widths on a curve, grown until no budget lets any layer grow."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from ns_tf.base import Cost, Curve, RunError, Scaling
from ns_tf.run.checks import is_positive
from ns_tf.scaling.grid import Grid

REACH = 690.0  # The largest |ln tau| tried: exp(±690) are near the ends of float64.
STRIDE = 0.5  # Width of the bracket in ln tau, before it is bisected.
HALVINGS = 40  # Bisections, which give ln tau to 0.5 / 2**40 = 5e-13.


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched: positions x = ln tau on a curve, under budgets.

    Args:
        curve: tau -> widths [layers].
        grid: The whole widths that are allowed.
        exact: By budget: its cost and its target.
        measured: The same of budgets that are measured.
    """

    curve: Curve
    grid: Grid
    exact: Mapping[str, tuple[Cost, float]]
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
        """Costs by budget of whole widths [layers]; measured ones are measured now.

        Raises:
            RunError: if a measurement is no positive number.
        """
        budgets = {**self.exact, **self.measured}
        costs = {n: np.asarray(cost(widths)).item() for n, (cost, _) in budgets.items()}
        for name in self.measured:
            if not is_positive(costs[name]):
                raise RunError(f"{name} was measured as {costs[name]}; measure again.")
        return costs


@dataclasses.dataclass(frozen=True)
class ScalingInTurns(Scaling):
    """Widths that no tau of the curve has: some layers went on while others stayed.

    tau is where the first ones stopped.
    """


def in_turns(search: Search, x: float, widths: np.ndarray) -> np.ndarray:
    """Widths [layers] grown until none can grow, together where several can.

    The largest of several sums limits the layers of one of them alone. So layers that
    can grow together go on along the curve while the others stay, until one of them
    stops.

    Args:
        search: Curve, grid and exact budgets.
        x: The position up to which all layers go.
        widths: Whole widths [layers] there.
    """
    on_curve = search.curve(math.exp(x))
    while True:
        able = _able(search, widths)
        if not able.any():
            return widths
        step = _common_step(search, widths, on_curve, able)
        further = _along(search, x, widths, step > 0)
        # A layer of beta 0 stays where it is along the whole curve.
        still = (further == widths).all()
        widths = _by_steps(search, widths, step) if still else further


def _common_step(
    search: Search, widths: np.ndarray, on_curve: np.ndarray, able: np.ndarray
) -> np.ndarray:
    """[layers]: a step of all numbers that can grow together, 0 of the others.

    Those furthest below the curve are asked first.
    """
    steps = search.grid.steps(len(widths))
    step = np.zeros_like(widths)
    below = (on_curve / widths)[(steps > 0).argmax(axis=1)]
    for number in np.argsort(-below, kind="stable"):
        more = step + steps[number]
        if able[number] and search.fits(widths + more):
            step = more
    return step


def _along(
    search: Search, x: float, widths: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Widths [layers], free ones grown as the curve grows from x on, as far as fits."""
    start = search.curve(math.exp(x))

    def at(more: float) -> np.ndarray:
        grown = widths * search.curve(math.exp(x + more)) / start
        return np.where(free, np.maximum(search.grid.nearest(grown), widths), widths)

    low, high, most = 0.0, STRIDE, REACH - x
    while high < most and search.fits(at(high)):
        if (at(high) >= search.grid.high)[free].all():
            return at(high)
        low, high = high, min(2 * high, most)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if search.fits(at(middle)) else (low, middle)
    return at(low)


def _by_steps(search: Search, widths: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Widths [layers] grown by a step as often as fits; once does."""

    def fits(times: int) -> bool:
        grown = widths + times * step
        return bool((grown <= search.grid.high).all() and search.fits(grown))

    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return widths + low * step


def top_up(search: Search, widths: np.ndarray, on_curve: np.ndarray) -> np.ndarray:
    """Widths [layers] grown by one step of the grid at a time until none can grow.

    Of the layers that can grow, the one grows that stays the furthest below the curve,
    by ratio; with it grow those that are tied to it. A step can make room for another
    layer: a projection vanishes where two widths become equal. So every layer is tried
    again after every step.

    Args:
        search: Grid and exact budgets.
        widths: Whole widths [layers] that meet the budgets.
        on_curve: Widths [layers] of the curve, not whole.
    """
    grid = search.grid
    steps = grid.steps(len(widths))  # A row for each number that grows.
    while True:
        able = _able(search, widths)
        if not able.any():
            return widths
        leader = (steps > 0).argmax(axis=1)  # Of each number the first of its layers.
        below = grid.one(on_curve) / (widths + grid.step)
        widths = widths + steps[np.argmax(np.where(able, below[leader], -np.inf))]


def _able(search: Search, widths: np.ndarray) -> np.ndarray:
    """[numbers] bool: which of the numbers can grow by a step of the grid."""
    grown = widths + search.grid.steps(len(widths))
    return search.fits(grown) & (grown <= search.grid.high).all(axis=1)
