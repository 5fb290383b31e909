"""The geometric program of a plan at a price, and its optimum in whole filters."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.base import InputError, PriceLaw, ScalingLaw
from ns_tf.networks.costs import CostPolynomial
from ns_tf.networks.increments import Increments
from ns_tf.networks.priced_cost import PricedCost
from ns_tf.scaling.grid import Grid
from ns_tf.scaling.prices import Optimum, optimum
from ns_tf.scaling.worth import Value, value_of

_LARGEST = 700.0  # ln of a number that is finite in every program.
_AIMS = 8  # How often a goal is translated for posynomials, at most.
_SAME = 1e-3  # Aims that differ by less are one.
_ALIKE = 0.1  # Optima whose ln of the loss differs by less are one.


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """The geometric program of the free numbers of a grid; tied widths are one."""

    value: Value
    budgets: Mapping[str, "_Budget"]
    grid: Grid

    @classmethod
    def of(
        cls, price: PriceLaw, costs: Mapping[str, PricedCost], grid: Grid
    ) -> "Program":
        """The program of a price law; tied layers follow the mean of their laws.

        Args:
            price: The law, and what filters are worth, by layer.
            costs: By budget, of all layers.
            grid: Of all layers.

        Raises:
            InputError: a law in which no width grows.
        """
        layers = len(price.law.alpha)
        numbers = grid.numbers(layers)
        budgets = {name: _Budget.of(cost, numbers) for name, cost in costs.items()}
        return cls(_joined_value(price, numbers), budgets, grid.free(layers))

    def solve(
        self, goals: Mapping[str, float]
    ) -> tuple[np.ndarray, Mapping[str, float], float]:
        """Whole numbers within the budgets, what each budget takes of the value, and
        how far the numbers are from the optimum.

        Args:
            goals: By budget: the largest cost allowed.
        """
        try:
            tried = self._found("near", goals)
        except InputError:  # The smallest widths have no projections: they are equal.
            tried = self._found("floors", goals)
        starts = self._starts(goals, tried)
        filled = [(self._grown(at, goals, found), found) for at, found in starts]
        losses = [float(self.value.log_loss(widths)) for widths, _ in filled]
        widths, found = filled[int(np.argmin(losses))]
        least = self._log_least(goals, found)
        more = min(min(losses) - least, _LARGEST)
        shares = dict.fromkeys(goals, 0.0)
        for (name, _), share in found.best.shares.items():
            shares[name] += share
        return widths, shares, float(np.expm1(more))

    def _optimum(self, which: str, aims: Mapping[str, float]) -> Optimum:
        """The optimum by "near" or "floors", in units of the budgets."""
        costs = {
            (name, place): posynomial
            for name, budget in self.budgets.items()
            for place, posynomial in enumerate(getattr(budget, which))
        }
        per_unit = {name: of.cost.per_unit for name, of in self.budgets.items()}
        targets = {key: aims[key[0]] * per_unit[key[0]] for key in costs}
        return optimum(
            self.value, costs, targets, low=self.grid.low, high=self.grid.high
        )

    def _found(self, which: str, goals: Mapping[str, float]) -> list["_Found"]:
        """The optimum by "near" or "floors" at which the costs themselves are goals.

        A goal is multiplied by what posynomials and the cost differ by at the optimum,
        until that stays the same. Where it goes up and down, as by a cost that is much
        steeper than its posynomial, every turn halves the steps. All optima are given
        then if it does not end.
        """
        tried = [self._optimum(which, goals)]
        aims, steps = dict(goals), dict.fromkeys(goals, 0.0)
        part = dict.fromkeys(goals, 1.0)
        for _ in range(_AIMS):
            wanted = self._aims(which, self.grid.nearest(tried[-1].widths), goals)
            for name, before in steps.items():
                steps[name] = np.log(wanted[name] / aims[name])
                part[name] /= 2 if steps[name] * before < 0 else 1
            if all(abs(step) <= _SAME for step in steps.values()):
                return [_Found(which, tried[0], tried[-1])]
            aims = {n: aim * np.exp(part[n] * steps[n]) for n, aim in aims.items()}
            tried.append(self._optimum(which, aims))
        return [_Found(which, tried[0], best) for best in tried]

    def _aims(
        self, which: str, widths: np.ndarray, goals: Mapping[str, float]
    ) -> dict[str, float]:
        """By budget: the goal of its posynomials, by what they are at widths."""
        smallest = np.broadcast_to(self.grid.low, len(widths))
        aims = dict(goals)
        for name, budget in self.budgets.items():
            if not budget.exact:
                ratio = budget.largest(which, widths) / float(budget(widths))
                # The program would refuse less than the smallest network.
                least = budget.largest(which, smallest)
                aims[name] = max(goals[name] * ratio, least)
        return aims

    def _log_least(self, goals: Mapping[str, float], found: "_Found") -> float:
        """ln of a loss that no widths on the grid come below."""
        bounds = all(budget.floors == budget.near for budget in self.budgets.values())
        if bounds or found.which == "floors":
            return found.first.log_loss
        return self._optimum("floors", goals).log_loss

    def _fits(self, widths: np.ndarray, goals: Mapping[str, float]) -> bool:
        """Whether numbers meet every budget."""
        return all(of(widths) <= goals[name] for name, of in self.budgets.items())

    def _starts(
        self, goals: Mapping[str, float], tried: Sequence["_Found"]
    ) -> list[tuple[np.ndarray, "_Found"]]:
        """Numbers within the budgets that are to be grown, each with its optimum.

        Of those that are alike there the best alone: to grow takes long where the arena
        of an interpreter is asked at every step.
        """
        within = [(self._within(goals, found), found) for found in tried]
        losses = np.array([self.value.log_loss(widths) for widths, _ in within])
        others = np.flatnonzero(losses > losses.min() + _ALIKE)
        return [within[place] for place in (int(losses.argmin()), *others)]

    def _within(self, goals: Mapping[str, float], found: "_Found") -> np.ndarray:
        """The optimum rounded down to the grid, within the budgets, [numbers]."""
        grid = self.grid

        def down(share: float) -> np.ndarray:
            # An optimum at a whole number must not lose a filter to rounding.
            steps = np.floor(share * found.best.widths / grid.step * (1 + 1e-12))
            return np.clip(steps * grid.step, grid.low, grid.high).astype(np.int64)

        widths, share = down(1.0), 1.0
        # The optimum is over a budget by rounding where widths are held at the grid's
        # low end, or where the solver found the optimum of fewer budgets alone.
        while not self._fits(widths, goals):
            share *= 0.98
            widths = down(share)
        return widths

    def _grown(
        self, widths: np.ndarray, goals: Mapping[str, float], found: "_Found"
    ) -> np.ndarray:
        """Numbers grown by a step at a time while one fits, the best of its price.

        One whose step does not fit stays as it is until no other can grow.
        """
        step = np.broadcast_to(self.grid.step, len(widths))
        fixed, moving = self._more(widths, goals, found, step)
        asked = [name for name, budget in self.budgets.items() if not budget.exact]
        stays, grew = np.zeros(len(widths), bool), False
        worth = self.value.log_of_more(widths, step)
        while True:
            able, price = (widths + step <= self.grid.high) & ~stays, fixed
            for one in moving:
                able &= one.more <= one.room
                price = price + one.factor * one.more
            if able.any():
                gain = worth - np.log(np.maximum(price, 1e-300))
                number = int(np.where(able, gain, -np.inf).argmax())
                grown = widths.copy()
                grown[number] += step[number]
                if all(self.budgets[name](grown) <= goals[name] for name in asked):
                    for one in moving:
                        one.grow(widths, number, step)
                    widths, grew = grown, True
                    here = slice(number, number + 1)
                    worth[here] = self.value.log_of_more(widths[here], step[here], here)
                else:
                    stays[number] = True
            elif stays.any() and grew:
                stays[:], grew = False, False
            else:
                return widths

    def _more(
        self,
        widths: np.ndarray,
        goals: Mapping[str, float],
        found: "_Found",
        step: np.ndarray,
    ) -> tuple[np.ndarray, list["_Moving"]]:
        """What a step of each number takes of the value, by posynomials that count.

        Those of exact budgets all do, as they say which steps fit.

        Returns:
            [numbers], whatever the numbers are, and the rest of it.
        """
        fixed, moving = np.zeros(len(step)), []
        for name, budget in self.budgets.items():
            near = budget.near if budget.exact else getattr(budget, found.which)
            room = goals[name] - int(budget(widths)) if budget.exact else np.inf
            for place, posynomial in enumerate(near):
                share = found.best.shares[name, place]
                factor = share / (goals[name] * budget.cost.per_unit)
                increments = posynomial.increments(len(step))
                if budget.exact or (share and not increments.constant):
                    more = increments(widths, step)
                    moving.append(_Moving(factor, increments, more, room))
                elif share:
                    fixed += factor * increments(np.ones(len(step), int), step)
        return fixed, moving


@dataclasses.dataclass(eq=False)
class _Moving:
    """What a step of each number costs by a posynomial, as the numbers grow."""

    factor: float  # Of the value.
    increments: Increments
    more: np.ndarray  # [numbers], at the numbers as they are.
    room: float  # What is left of the budget, where the posynomial is its cost.

    def grow(self, widths: np.ndarray, number: int, step: np.ndarray) -> None:
        """Follows a step of one number: of whole numbers, so to the last digit.

        Args:
            widths: The numbers, before the step.
            number: That grows.
            step: Of every number.
        """
        self.room -= int(self.more[number])
        self.increments.follow(self.more, widths, step, number)


@dataclasses.dataclass(frozen=True, eq=False)
class _Budget:
    """A cost of the free numbers, some of which are several widths."""

    cost: PricedCost  # Of all layers.
    numbers: np.ndarray  # [layers]: which number each width is.
    near: tuple[CostPolynomial, ...]  # Of the numbers, as those of the cost.
    floors: tuple[CostPolynomial, ...]

    @classmethod
    def of(cls, cost: PricedCost, numbers: np.ndarray) -> "_Budget":
        """The cost as a function of the free numbers."""
        near = tuple(posynomial.joined(numbers) for posynomial in cost.near)
        floors = near
        if cost.floors != cost.near:
            floors = tuple(posynomial.joined(numbers) for posynomial in cost.floors)
        return cls(cost, numbers, near, floors)

    def __call__(self, widths: np.ndarray) -> np.ndarray:
        """The cost [...] of numbers [..., numbers]."""
        return self.cost(widths[..., self.numbers])

    @property
    def exact(self) -> bool:
        """Whether the cost is its posynomial."""
        return self.cost.near == (self.cost,)

    def largest(self, which: str, widths: np.ndarray) -> float:
        """The largest of the posynomials at numbers [numbers], in units of the cost."""
        most = max(int(posynomial(widths)) for posynomial in getattr(self, which))
        return most / self.cost.per_unit


@dataclasses.dataclass(frozen=True)
class _Found:
    """An optimum by posynomials."""

    which: str  # "near" or "floors".
    first: Optimum  # Where the posynomials are the goals.
    best: Optimum  # Where the costs themselves are.


def _joined_value(price: PriceLaw, numbers: np.ndarray) -> Value:
    """What the free numbers are worth: each what its layers are worth together.

    Raises:
        InputError: a law in which no width grows.
    """
    count = np.bincount(numbers)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(numbers, values) / count

    if (count == 1).all():
        return value_of(price.law, price.exponent)
    alpha, beta = np.exp(mean(np.log(price.law.alpha))), mean(price.law.beta)
    law = ScalingLaw(alpha, beta, tau_range=price.law.tau_range)
    value = value_of(law, price.exponent)
    return dataclasses.replace(value, log_c=value.log_c + np.log(count))
