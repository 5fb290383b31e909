"""Whole widths of most value: the program of a price law, rounded and filled up."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from ns_tf.base import InputError, PriceLaw, ScalingLaw
from ns_tf.devices.cost import PER_MS, TableCost
from ns_tf.networks.costs import CostPolynomial
from ns_tf.scaling.grid import Grid
from ns_tf.scaling.prices import Optimum, optimum
from ns_tf.scaling.worth import Value, value_of

Price = CostPolynomial | TableCost
_LARGEST = 700.0  # ln of a number that is finite in every program.
_AIMS = 4  # How often a goal in milliseconds is translated for the polynomial.


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """The geometric program of the free numbers of a grid; tied widths are one."""

    value: Value
    prices: Mapping[str, Price]  # By budget.
    grid: Grid

    @classmethod
    def of(cls, price: PriceLaw, prices: Mapping[str, Price], grid: Grid) -> "Program":
        """The program of a price law; tied layers follow the mean of their laws.

        Args:
            price: The law, and what filters are worth, by layer.
            prices: By budget, of all layers.
            grid: Of all layers.

        Raises:
            InputError: a law in which no width grows.
        """
        if not grid.tied:
            return cls(value_of(price.law, price.exponent), prices, grid)
        layers = len(price.law.alpha)
        numbers = grid.numbers(layers)
        count = np.bincount(numbers)

        def mean(values: np.ndarray) -> np.ndarray:
            return np.bincount(numbers, values) / count

        alpha, beta = np.exp(mean(np.log(price.law.alpha))), mean(price.law.beta)
        law = ScalingLaw(alpha, beta, tau_range=price.law.tau_range)
        value = value_of(law, price.exponent)
        # A number is worth what its layers are worth together.
        value = dataclasses.replace(value, log_c=value.log_c + np.log(count))
        joined = {name: cost.joined(numbers) for name, cost in prices.items()}
        return cls(value, joined, grid.free(layers))

    def solve(self, goals: Mapping[str, float]) -> tuple[np.ndarray, Optimum, float]:
        """Whole numbers within the budgets, the optimum, and how far they are from it.

        Args:
            goals: By budget: the largest cost allowed.
        """
        value, grid = self.value, self.grid
        best = self._optimum(goals)
        widths = _filled(value, self.prices, goals, grid, best)
        more = min(float(value.log_loss(widths) - self._least(goals, best)), _LARGEST)
        return widths, best, float(np.expm1(more))

    @functools.cached_property
    def polynomials(self) -> dict[str, CostPolynomial]:
        """By budget: its price as a polynomial; of a table the nearest one."""
        return {
            name: cost.price if isinstance(cost, TableCost) else cost
            for name, cost in self.prices.items()
        }

    @property
    def tables(self) -> dict[str, TableCost]:
        """By budget: the costs that are tables."""
        return {n: c for n, c in self.prices.items() if isinstance(c, TableCost)}

    def _optimum(self, goals: Mapping[str, float]) -> Optimum:
        """The optimum by the polynomials.

        The goal of a table is multiplied by what its polynomial and the table differ by
        at the optimum, until that stays the same.
        """
        aims = {n: g * (PER_MS if n in self.tables else 1) for n, g in goals.items()}
        best = _best(self.value, self.polynomials, aims, self.grid)
        for _ in range(_AIMS if self.tables else 0):
            widths = self.grid.nearest(best.widths)
            for name, table in self.tables.items():
                ratio = float(self.polynomials[name](widths)) / float(table(widths))
                # Not below the smallest network, which the program would refuse.
                least = float(self.polynomials[name](self._smallest))
                aims[name] = max(goals[name] * ratio, least)
            best = _best(self.value, self.polynomials, aims, self.grid)
        return best

    @property
    def _smallest(self) -> np.ndarray:
        """The least numbers of the grid."""
        return np.broadcast_to(self.grid.low, len(self.value.q))

    def _least(self, goals: Mapping[str, float], best: Optimum) -> float:
        """ln of a loss that no widths on the grid come below.

        Projections that exist where two widths differ are left out: they may all be
        gone. No network is below `slack` of its polynomial in a table.
        """
        switched = any((p.differ >= 0).any() for p in self.polynomials.values())
        if not switched and not self.tables:
            return best.log_loss
        bare = {n: cost.without_switched() for n, cost in self.polynomials.items()}
        goals = dict(goals)
        for name, table in self.tables.items():
            goals[name] *= PER_MS / max(table.slack, 1e-6)
        ends = {"low": self.grid.low, "high": self.grid.high}
        return optimum(self.value, bare, goals, **ends).log_loss


def _best(
    value: Value,
    prices: Mapping[str, CostPolynomial],
    goals: Mapping[str, float],
    grid: Grid,
) -> Optimum:
    """The optimum as if all projections existed, or none where all are too dear."""
    bounds = {"low": grid.low, "high": grid.high}
    try:
        return optimum(value, prices, goals, **bounds)
    except InputError:  # The smallest widths have none: they are equal.
        bare = {name: cost.without_switched() for name, cost in prices.items()}
        return optimum(value, bare, goals, **bounds)


def _filled(
    value: Value,
    prices: Mapping[str, Price],
    goals: Mapping[str, float],
    grid: Grid,
    best: Optimum,
) -> np.ndarray:
    """The optimum rounded down to the grid [layers], then grown while any step fits."""

    def down(share: float) -> np.ndarray:
        # An optimum at a whole number must not lose a filter to rounding.
        steps = np.floor(share * best.widths / grid.step * (1 + 1e-12))
        return np.clip(steps * grid.step, grid.low, grid.high).astype(np.int64)

    widths, share = down(1.0), 1.0
    # The optimum is over a budget by rounding where widths are held at the grid's low
    # end, or where the solver found the optimum of fewer budgets alone.
    while any(cost(widths) > goals[name] for name, cost in prices.items()):
        share *= 0.98
        widths = down(share)
    layers, step = len(widths), np.broadcast_to(grid.step, len(widths))
    steps = {name: cost.increments(layers) for name, cost in prices.items()}

    def room(name: str) -> float:
        return goals[name] - np.asarray(prices[name](widths)).item()

    while True:
        more = {name: increments(widths, step) for name, increments in steps.items()}
        able = widths + step <= grid.high
        price = np.zeros(layers)
        for name, of in more.items():
            able &= of <= room(name)
            price += best.shares[name] * of / goals[name]
        if not able.any():
            return widths
        gain = value.log_of_more(widths, step) - np.log(np.maximum(price, 1e-300))
        layer = np.argmax(np.where(able, gain, -np.inf))
        widths[layer] += step[layer]
