"""The conditions of the best widths under budgets, and their derivatives.

With x = ln w, what filters are worth v_l(w) and budgets C_k(w) <= B_k (see
`ns_tf.scaling.prices`), the best widths have

    ln(v_l w_l) = ln sum_k lambda_k dC_k / dx_l.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from ns_tf.networks.costs import CostPolynomial
from ns_tf.scaling.worth import Value

_NOTHING = 1e-300  # In place of 0 for a width that no budget depends on: it grows.
Bounds = tuple[np.ndarray, np.ndarray]  # ln of the least and the largest, [layers].


@dataclasses.dataclass(frozen=True)
class Posynomials:
    """Costs over their budgets, of x = ln w: sums over t of exp(a_t + x_i + x_j + x_k).

    Peak RAM is dozens of them, so they are computed together.
    """

    logs: np.ndarray  # [terms]: a
    widths: np.ndarray  # [3, terms]: i, j and k; `layers` for none.
    owner: np.ndarray  # [terms]: the budget of each, in order; each has one or more.
    layers: int

    @classmethod
    def of(
        cls, costs: Sequence[CostPolynomial], budgets: Sequence[float], layers: int
    ) -> "Posynomials":
        """The costs over the budgets."""
        parts = [
            np.log(np.asarray(cost.coefficient, float)) - np.log(budget)
            for cost, budget in zip(costs, budgets, strict=True)
        ]
        widths = [
            (cost.left, cost.right, np.where(cost.third < 0, layers, cost.third))
            for cost in costs
        ]
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return cls(np.concatenate(parts), np.hstack(widths), owner, layers)

    def __len__(self) -> int:
        """How many budgets there are."""
        return int(self.owner[-1]) + 1

    def only(self, budgets: Sequence[int]) -> "Posynomials":
        """Some of the budgets, in their order."""
        own = np.isin(self.owner, budgets)
        owner = np.searchsorted(budgets, self.owner[own])
        return Posynomials(self.logs[own], self.widths[:, own], owner, self.layers)

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        """[budgets]: the first term of each."""
        return np.searchsorted(self.owner, np.arange(len(self)))

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where terms add to: [3 terms] of gradients, [9 terms] of a Hessian; flat."""
        size = self.layers + 1
        pairs = self.widths[:, None] * size + self.widths
        return (self.owner * size + self.widths).ravel(), pairs.ravel()

    def _terms(self, x: np.ndarray) -> np.ndarray:
        """ln of every term at x [layers]."""
        return self.logs + np.append(x, 0.0)[self.widths].sum(axis=0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[budgets]: ln of the costs over their budgets at x [layers]."""
        terms = self._terms(x)
        top = np.maximum.reduceat(terms, self._starts)
        return top + np.log(
            np.add.reduceat(np.exp(terms - top[self.owner]), self._starts)
        )

    def gradients(self, x: np.ndarray) -> np.ndarray:
        """[budgets, layers]: derivatives of the costs over their budgets, in x."""
        size = self.layers + 1
        terms = np.exp(self._terms(x))
        found = np.bincount(self._places[0], np.tile(terms, 3), len(self) * size)
        return found.reshape(len(self), size)[:, :-1]

    def hessian(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """[layers, layers]: second derivatives of a sum of them, in x.

        Args:
            x: [layers]
            weights: [budgets] factors.
        """
        size = self.layers + 1
        terms = np.exp(self._terms(x)) * weights[self.owner]
        found = np.bincount(self._places[1], np.tile(terms, 9), size * size)
        return found.reshape(size, size)[:-1, :-1]


@dataclasses.dataclass(frozen=True)
class System:
    """The conditions at a point, and their derivatives."""

    f: np.ndarray  # [layers]: ln of what filters are worth over what they cost.
    over: np.ndarray  # [budgets]: ln of the costs over their budgets.
    inner: np.ndarray  # [layers, layers]: df / dx
    outer: np.ndarray  # [budgets, layers]: -df / d ln lambda
    slopes: np.ndarray  # [budgets, layers]: d over / dx

    @classmethod
    def at(
        cls,
        value: Value,
        prices: Posynomials,
        x: np.ndarray,
        logs: np.ndarray,
    ) -> "System":
        """The conditions at x [layers] and ln of the multipliers [budgets]."""
        gradients, weights = prices.gradients(x), np.exp(logs)
        pull = np.maximum(weights @ gradients, _NOTHING)
        over = prices(x)
        curve = prices.hessian(x, weights)
        return cls(
            f=value.log_c + np.log(value.q) - value.q * x - np.log(pull),
            over=over,
            inner=-np.diag(value.q) - curve / pull[:, None],
            outer=weights[:, None] * gradients / pull,
            slopes=gradients / np.exp(over)[:, None],
        )

    def miss(self, free: np.ndarray) -> float:
        """How far ln of the free widths and of the costs are from their conditions."""
        widths = self.f / np.diag(self.inner)
        return max(np.abs(widths[free]).max(initial=0.0), np.abs(self.over).max())

    def step(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Newton's step of x [layers] and of ln of the multipliers [budgets]."""
        count, budgets = int(free.sum()), len(self.over)
        matrix = np.zeros((count + budgets,) * 2)
        matrix[:count, :count] = self.inner[np.ix_(free, free)]
        matrix[:count, count:] = -self.outer[:, free].T
        matrix[count:, :count] = self.slopes[:, free]
        step = np.linalg.solve(matrix, -np.append(self.f[free], self.over))
        dx = np.zeros(len(self.f))
        dx[free] = step[:count]
        return dx, step[count:]
