"""The conditions of the best widths under budgets, and their derivatives.

With x = ln w, what filters are worth v_l(w) and budgets C_k(w) <= B_k (see
`ns_tf.scaling.prices`), the best widths have

    ln(v_l w_l) = ln sum_k lambda_k dC_k / dx_l.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ns_tf.networks.costs import CostPolynomial
from ns_tf.scaling.worth import Value

Bounds = tuple[np.ndarray, np.ndarray]  # ln of the least and the largest, [layers].


@dataclasses.dataclass(frozen=True)
class Posynomial:
    """A cost over its budget, of x = ln w: sum_t exp(a_t + x_i + x_j + x_k)."""

    logs: np.ndarray  # [terms]: a
    widths: np.ndarray  # [3, terms]: i, j and k; `layers` for none.
    layers: int

    @classmethod
    def of(cls, cost: CostPolynomial, budget: float, layers: int) -> "Posynomial":
        """The cost over the budget."""
        logs = np.log(np.asarray(cost.coefficient, float)) - np.log(budget)
        third = np.where(cost.third < 0, layers, cost.third)
        return cls(logs, np.stack([cost.left, cost.right, third]), layers)

    def _terms(self, x: np.ndarray) -> np.ndarray:
        """ln of every term at x [layers]."""
        return self.logs + np.append(x, 0.0)[self.widths].sum(axis=0)

    def __call__(self, x: np.ndarray) -> float:
        """ln of the cost over its budget at x."""
        terms = self._terms(x)
        top = terms.max()
        return float(top + np.log(np.exp(terms - top).sum()))

    def derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient [layers] and Hessian [layers, layers] of cost / budget, in x."""
        size = self.layers + 1
        terms = np.exp(self._terms(x))
        gradient = np.bincount(self.widths.ravel(), np.tile(terms, 3), size)[:-1]
        places = (self.widths[:, None] * size + self.widths).ravel()
        hessian = np.bincount(places, np.tile(terms, 9), size * size)
        return gradient, hessian.reshape(size, size)[:-1, :-1]


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
        prices: Sequence[Posynomial],
        x: np.ndarray,
        logs: np.ndarray,
    ) -> "System":
        """The conditions at x [layers] and ln of the multipliers [budgets]."""
        gradients, hessians = zip(*(p.derivatives(x) for p in prices), strict=True)
        gradients, weights = np.stack(gradients), np.exp(logs)
        pull = weights @ gradients
        over = np.array([price(x) for price in prices])
        curve = np.tensordot(weights, np.stack(hessians), 1)
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
