"""Widths that are worth most at a price: the geometric program of a law and budgets.

A search leaves a layer with w filters when the lowest score of the network is S. So
one more filter is worth v_l(w) = S(tau), at the tau where the law gives it w filters.
With S = tau^-p that is v_l(w) = (w / alpha_l)^(-p / beta_l), and a network is worth

    U(w) = const - sum_l c_l w_l^(-q_l),   q_l = p / beta_l - 1,
    c_l = alpha_l^(p / beta_l) / q_l.

To maximise U under budgets C_k(w) <= B_k, where C_k is a posynomial, is a geometric
program (Boyd, Kim, Vandenberghe, Hassibi, "A tutorial on geometric programming", 2007):
convex in x = ln w, as long as p > max beta. It has one optimum, where

    v_l w_l = sum_k lambda_k dC_k / dx_l,

with lambda_k = 0 for a budget that does not bind. The paper's curve is p -> infinity.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.linalg

from ns_tf.base import InputError, ScalingLaw
from ns_tf.networks.costs import CostPolynomial

FLOOR = 1.1  # The exponent is at least this times the largest beta.
_GAP = 1e-9  # Slack times multiplier, on average; of the logarithm of the loss.
_RESIDUAL = 1e-7
_STEPS = 100  # Newton steps, at most; some 15 are usual.
_NEGLIGIBLE = 1e-9  # A share of the value that is a multiplier's rounding.


@dataclasses.dataclass(frozen=True)
class Value:
    """What widths are worth: -sum_l c_l w_l^(-q_l), up to a constant.

    c and q are `[layers]`, positive.
    """

    log_c: np.ndarray  # [layers]
    q: np.ndarray  # [layers]
    exponent: float  # p, after the floor.
    floored: bool  # Whether the exponent that was asked for was smaller.

    def loss(self, widths: np.ndarray) -> np.ndarray:
        """sum_l c_l w_l^(-q_l) [...] of widths [..., layers]; the value is minus it."""
        return np.exp(self.log_c - self.q * np.log(widths)).sum(axis=-1)

    def log_of_more(self, widths: np.ndarray, step: float = 1.0) -> np.ndarray:
        """ln of what `step` more filters in each layer add to the value, [layers]."""
        x = np.log(widths)
        shrunk = -self.q * (np.log(np.asarray(widths, float) + step) - x)
        return self.log_c - self.q * x + np.log(-np.expm1(shrunk))


def value_of(law: ScalingLaw, exponent: float) -> Value:
    """The value of widths by a law, where scores fall as tau^-exponent.

    An exponent at or below a layer's beta gives that layer a value that grows without
    end: the optimum would be a corner. So it is floored at `FLOOR` times the largest
    beta.

    Args:
        law: alpha, beta `[layers]`.
        exponent: p, positive.

    Raises:
        InputError: the exponent is no positive number, or no beta is positive.

    >>> law = ScalingLaw(np.array([1.0, 2.0]), np.array([0.5, 0.25]))
    >>> value = value_of(law, 1.0)
    >>> value.q.tolist(), np.exp(value.log_c).round(6).tolist()
    ([1.0, 3.0], [1.0, 5.333333])
    """
    if not np.isfinite(exponent) or exponent <= 0:
        raise InputError(
            f"A price exponent is a positive number; got {exponent!r}. The default is "
            "what measurements chose (--price_exponent)."
        )
    alpha, beta = np.asarray(law.alpha, float), np.asarray(law.beta, float)
    if not (beta > 0).all():
        layer = int(np.argmin(beta)) + 1
        raise InputError(
            f"A plan at a price needs widths that grow with the network; the beta of "
            f"layer {layer} is {beta[layer - 1]:.3g}. Search longer, or use "
            "--method=neuralscale."
        )
    p = max(float(exponent), FLOOR * float(beta.max()))
    q = p / beta - 1
    log_c = p / beta * np.log(alpha) - np.log(q)
    return Value(log_c, q, p, floored=p > exponent)


@dataclasses.dataclass(frozen=True)
class Optimum:
    """The best real-valued widths under budgets, and what the budgets are worth."""

    widths: np.ndarray  # [layers]
    # lambda_k B_k over the sum of all: what each budget takes of the value; 0 for one
    # that does not bind.
    shares: Mapping[str, float]
    loss: float  # No whole widths within the budgets have less.


def optimum(
    value: Value,
    costs: Mapping[str, CostPolynomial],
    budgets: Mapping[str, float],
    *,
    low: float = 1.0,
    high: float = np.inf,
) -> Optimum:
    """The widths of most value that meet every budget.

    A primal-dual interior point method with Mehrotra's predictor and corrector
    (Mehrotra, SIAM J. Optimization, 1992) on ln of the loss and ln of the costs.
    Projections that exist where two widths differ are counted as if they all did.

    Args:
        value: What widths are worth.
        costs: By budget.
        budgets: The most that each cost may be.
        low: The smallest width.
        high: The largest width.

    Raises:
        InputError: the smallest widths are over a budget.
    """
    names = list(budgets)
    program = _Program.of(value, [(costs[name], budgets[name]) for name in names])
    x, multipliers = _InteriorPoint(program, np.log(low), np.log(high)).solve()
    shares = multipliers / max(float(multipliers.sum()), 1e-300)
    shares = np.where(shares > _NEGLIGIBLE, shares, 0.0)
    shares = shares / max(float(shares.sum()), 1e-300)
    widths = np.exp(x)
    return Optimum(
        widths,
        dict(zip(names, shares.tolist(), strict=True)),
        float(value.loss(widths)),
    )


@dataclasses.dataclass(frozen=True)
class _Program:
    """ln of the loss and of every cost over its budget: ln sum_t exp(a_t + E_t x).

    The terms of all of them stand one after the other; the loss is the first. A term
    has at most two widths, so E is kept as two (width, exponent) pairs a term; the
    width `layers` stands for none.
    """

    logs: np.ndarray  # [terms]: a
    widths: np.ndarray  # [2, terms]
    powers: np.ndarray  # [2, terms]
    owner: np.ndarray  # [terms]: the function that a term belongs to.
    layers: int

    @classmethod
    def of(
        cls, value: Value, bounds: Sequence[tuple[CostPolynomial, float]]
    ) -> "_Program":
        """The program of a value and of (cost, budget) pairs."""
        layers = len(value.q)
        none = np.full(layers, layers)
        parts = [(value.log_c, np.arange(layers), none, -value.q)]
        for cost, budget in bounds:
            logs = np.log(np.asarray(cost.coefficient, float)) - np.log(budget)
            parts.append((logs, cost.left, cost.right, np.ones(len(logs))))
        logs, one, other, power = (np.concatenate(p) for p in zip(*parts, strict=True))
        owner = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        second = np.where(owner == 0, 0.0, 1.0)
        return cls(
            logs, np.stack([one, other]), np.stack([power, second]), owner, layers
        )

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(values [functions], gradients [functions, layers], shares [terms]) at x."""
        count = int(self.owner[-1]) + 1
        padded = np.append(x, 0.0)
        logs = self.logs + (self.powers * padded[self.widths]).sum(axis=0)
        top = np.full(count, -np.inf)
        np.maximum.at(top, self.owner, logs)
        shares = np.exp(logs - top[self.owner])
        sums = np.bincount(self.owner, shares, count)
        shares = shares / sums[self.owner]
        places = self.owner * (self.layers + 1) + self.widths
        flat = np.bincount(
            places.ravel(), (self.powers * shares).ravel(), count * (self.layers + 1)
        )
        gradients = flat.reshape(count, -1)[:, :-1]
        return top + np.log(sums), gradients, shares

    def hessian(
        self, gradients: np.ndarray, shares: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """[layers, layers]: sum of the functions' Hessians by weights [functions]."""
        size = self.layers + 1
        weighted = shares * weights[self.owner]
        places = self.widths[:, None] * size + self.widths  # [2, 2, terms]
        values = self.powers[:, None] * self.powers * weighted
        flat = np.bincount(places.ravel(), values.ravel(), size * size)
        matrix = flat.reshape(size, size)[:-1, :-1]
        return matrix - (gradients.T * weights) @ gradients


class _InteriorPoint:
    """A primal-dual path to the optimum of a program within bounds of single widths.

    The constraints f(x) <= 0 are the budgets, then low - x and x - high where these are
    finite. Slacks s > 0 turn them into f(x) + s = 0, so the start need not be feasible.
    """

    def __init__(self, program: _Program, low: float, high: float):
        self.program, self.layers = program, program.layers
        sides = [(-1.0, low)] if np.isfinite(low) else []
        sides += [(1.0, high)] if np.isfinite(high) else []
        self.sides = len(sides)
        self.signs = np.repeat([sign for sign, _ in sides], self.layers)
        self.ends = np.repeat([end for _, end in sides], self.layers)
        self._look(_start(program, low, high))
        self.budgets = len(self.values) - 1
        self.slack = np.maximum(-self.f, 1e-2)
        self.dual = np.full(len(self.f), 1.0 / len(self.f))

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """The optimum x [layers], and the multipliers of the budgets."""
        for _ in range(_STEPS):
            if self._near():
                break
            self._step()
        active = self.dual > self.slack
        fixed = (active[self.budgets :] * self.signs != 0).reshape(-1, self.layers)
        return _polished(
            self.program,
            self.x,
            self.dual[: self.budgets],
            active[: self.budgets],
            fixed.any(axis=0),
        )

    def _look(self, x: np.ndarray) -> None:
        """Evaluates the functions at x."""
        self.x = x
        self.values, self.gradients, self.shares = self.program.evaluate(x)
        at_bounds = self.signs * (np.tile(x, self.sides) - self.ends)
        self.f = np.concatenate([self.values[1:], at_bounds])

    def _pulled(self, multipliers: np.ndarray) -> np.ndarray:
        """Jacobian of the constraints, transposed, times multipliers: [layers]."""
        rest = self.signs * multipliers[self.budgets :]
        pull = self.gradients[1:].T @ multipliers[: self.budgets]
        return pull + rest.reshape(-1, self.layers).sum(axis=0)

    @property
    def _pull(self) -> np.ndarray:
        """What stationarity misses, [layers]: zero at the optimum."""
        return self.gradients[0] + self._pulled(self.dual)

    def _near(self) -> bool:
        """Whether Newton's method may finish."""
        gap = float(self.slack @ self.dual) / len(self.f)
        miss = max(np.abs(self._pull).max(), np.abs(self.f + self.slack).max())
        return gap < _GAP and miss < _RESIDUAL

    def _step(self) -> None:
        """One step of predictor and corrector."""
        solve = self._factored()
        slack, dual, size = self.slack, self.dual, len(self.f)
        gap = float(slack @ dual) / size
        _, ds, dz = self._direction(solve, slack * dual)
        ahead = (slack + _longest(slack, ds) * ds) @ (dual + _longest(dual, dz) * dz)
        centre = gap * (ahead / size / gap) ** 3
        dx, ds, dz = self._direction(solve, slack * dual + ds * dz - centre)
        # A longer step in ln w would leave what the quadratic model describes.
        longest = 2.0 / max(float(np.abs(dx).max()), 1e-300)
        length = min(_longest(slack, ds), longest)
        self.slack = slack + length * ds
        self.dual = dual + _longest(dual, dz) * dz
        self._look(self.x + length * dx)
        # A slack follows its constraint where that is within its bound.
        self.slack = np.where(-self.f > 0.5 * self.slack, -self.f, self.slack)

    def _factored(self) -> Callable[[np.ndarray], np.ndarray]:
        """Solves with the matrix of the Newton step."""
        ratio, diagonal = self.dual / self.slack, np.diag_indices(self.layers)
        weights = np.append(1.0, self.dual[: self.budgets])
        matrix = self.program.hessian(self.gradients, self.shares, weights)
        costs = self.gradients[1:]
        matrix += (costs.T * ratio[: self.budgets]) @ costs
        matrix[diagonal] += ratio[self.budgets :].reshape(-1, self.layers).sum(axis=0)
        matrix[diagonal] += 1e-15 * np.trace(matrix)
        factor = scipy.linalg.cho_factor(matrix, check_finite=False)
        return lambda right: scipy.linalg.cho_solve(factor, right, check_finite=False)

    def _direction(
        self, solve: Callable, complement: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Newton's direction of (x, slack, dual) towards slack * dual = 0."""
        miss = self.f + self.slack
        force = (self.dual * miss - complement) / self.slack
        dx = solve(-self._pull - self._pulled(force))
        moved = self.signs * np.tile(dx, self.sides)
        ds = -miss - np.concatenate([self.gradients[1:] @ dx, moved])
        return dx, ds, -(complement + self.dual * ds) / self.slack


def _polished(
    program: _Program,
    x: np.ndarray,
    dual: np.ndarray,
    active: np.ndarray,
    fixed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The optimum to rounding: Newton's method on its conditions.

    Args:
        program: The program.
        x: Near the optimum, [layers].
        dual: Multipliers of the budgets, near those of the optimum.
        active: Which budgets bind.
        fixed: Which widths are at a bound, [layers].
    """
    free, dual = ~fixed, np.where(active, dual, 0.0)
    count, binding = int(free.sum()), int(active.sum())
    start = x, dual
    for _ in range(4):
        values, gradients, shares = program.evaluate(x)
        hessian = program.hessian(gradients, shares, np.append(1.0, dual))
        pull = gradients[0] + gradients[1:].T @ dual
        jacobian = gradients[1:][active][:, free]
        matrix = np.zeros((count + binding,) * 2)
        matrix[:count, :count] = hessian[np.ix_(free, free)]
        matrix[count:, :count], matrix[:count, count:] = jacobian, jacobian.T
        right = np.append(-pull[free], -values[1:][active])
        try:
            step = scipy.linalg.solve(matrix, right, check_finite=False)
        except scipy.linalg.LinAlgError:  # Two budgets that are one.
            return start
        x, dual = x.copy(), dual.copy()
        x[free] += step[:count]
        dual[active] += step[count:]
    return x, np.maximum(dual, 0.0)


def _longest(values: np.ndarray, direction: np.ndarray) -> float:
    """The longest step, at most 1, that keeps the values positive."""
    shrinking = direction < 0
    if not shrinking.any():
        return 1.0
    return min(1.0, 0.995 * float((-values[shrinking] / direction[shrinking]).min()))


def _start(program: _Program, low: float, high: float) -> np.ndarray:
    """Equal widths that just fit every budget.

    Raises:
        InputError: the smallest widths are over a budget.
    """

    def over(x: float) -> bool:
        values, _, _ = program.evaluate(np.full(program.layers, x))
        return bool((values[1:] > 0).any())

    inside, outside = max(low, -50.0), min(high, 50.0)
    if over(inside):
        raise InputError(
            "The smallest widths are over a budget. Ask for more, or lower --min_width."
        )
    for _ in range(30):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if over(middle) else (middle, outside)
    return np.full(program.layers, inside)
