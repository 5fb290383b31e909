"""Widths that are worth most at a price: the geometric program of a law and budgets.

A search leaves a layer with w filters when the lowest score of the network is S. So one
more filter is worth v_l(w) = S(tau), at the tau where the law gives the layer w filters.
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
from collections.abc import Mapping, Sequence

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
    layers, names = len(value.q), list(budgets)
    program = _Program.of(value, [(costs[name], budgets[name]) for name in names])
    x, multipliers = _solve(program, np.log(low), np.log(high), layers)
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
        """[layers, layers]: sum of the functions' Hessians, with weights [functions]."""
        size = self.layers + 1
        weighted = shares * weights[self.owner]
        places = self.widths[:, None] * size + self.widths  # [2, 2, terms]
        values = self.powers[:, None] * self.powers * weighted
        flat = np.bincount(places.ravel(), values.ravel(), size * size)
        matrix = flat.reshape(size, size)[:-1, :-1]
        return matrix - (gradients.T * weights) @ gradients


def _solve(
    program: _Program, low: float, high: float, layers: int
) -> tuple[np.ndarray, np.ndarray]:
    """The optimum x [layers], and the multipliers of the budgets.

    Slacks s > 0 turn f(x) <= 0 into f(x) + s = 0, so the start need not be feasible.
    """
    x = _start(program, low, high, layers)
    sides = [(-1.0, low)] if np.isfinite(low) else []
    sides += [(1.0, high)] if np.isfinite(high) else []
    signs = np.repeat([sign for sign, _ in sides], layers)
    ends = np.repeat([end for _, end in sides], layers)

    def constraints(values, x):
        """Budgets, then the bounds of single widths."""
        return np.concatenate([values[1:], signs * (np.tile(x, len(sides)) - ends)])

    def pulled(multipliers, gradients):
        """Jacobian' times multipliers, [layers]."""
        budgets, rest = multipliers[:bounds], multipliers[bounds:]
        return gradients[1:].T @ budgets + (signs * rest).reshape(-1, layers).sum(0)

    def moved(dx, gradients):
        """Jacobian times dx, [constraints]."""
        return np.concatenate([gradients[1:] @ dx, signs * np.tile(dx, len(sides))])

    values, gradients, shares = program.evaluate(x)
    bounds = len(values) - 1
    f = constraints(values, x)
    slack, dual = np.maximum(-f, 1e-2), np.full(len(f), 1.0 / len(f))
    for _ in range(_STEPS):
        pull = gradients[0] + pulled(dual, gradients)  # Zero at the optimum.
        miss = f + slack
        gap = float(slack @ dual) / len(f)
        if gap < _GAP and max(np.abs(pull).max(), np.abs(miss).max()) < _RESIDUAL:
            break
        ratio = dual / slack
        matrix = program.hessian(gradients, shares, np.append(1.0, dual[:bounds]))
        matrix += (gradients[1:].T * ratio[:bounds]) @ gradients[1:]
        matrix[np.diag_indices(layers)] += ratio[bounds:].reshape(-1, layers).sum(0)
        matrix[np.diag_indices(layers)] += 1e-15 * np.trace(matrix)
        factor = scipy.linalg.cho_factor(matrix, check_finite=False)

        def direction(complement, pull=pull, miss=miss, ratio=ratio, factor=factor):
            right = -pull - pulled(ratio * miss - complement / slack, gradients)
            dx = scipy.linalg.cho_solve(factor, right, check_finite=False)
            ds = -miss - moved(dx, gradients)
            return dx, ds, -(complement + dual * ds) / slack

        dx, ds, dz = direction(slack * dual)
        ahead = (slack + _longest(slack, ds) * ds) @ (dual + _longest(dual, dz) * dz)
        centre = gap * (ahead / len(f) / gap) ** 3
        dx, ds, dz = direction(slack * dual + ds * dz - centre)
        # A longer step in ln w would leave what the quadratic model describes.
        primal = min(_longest(slack, ds), 2.0 / max(float(np.abs(dx).max()), 1e-300))
        x, slack = x + primal * dx, slack + primal * ds
        dual = dual + _longest(dual, dz) * dz
        values, gradients, shares = program.evaluate(x)
        f = constraints(values, x)
        # A slack follows its constraint where that is within its bound.
        slack = np.where(-f > 0.5 * slack, -f, slack)
    active = dual > slack
    fixed = (active[bounds:] * signs != 0).reshape(-1, layers).any(0)
    return _polished(program, x, dual[:bounds], active[:bounds], fixed)


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


def _start(program: _Program, low: float, high: float, layers: int) -> np.ndarray:
    """Equal widths that just fit every budget.

    Raises:
        InputError: the smallest widths are over a budget.
    """

    def over(x: float) -> bool:
        values, _, _ = program.evaluate(np.full(layers, x))
        return bool((values[1:] > 0).any())

    inside, outside = max(low, -50.0), min(high, 50.0)
    if over(inside):
        raise InputError(
            "The smallest widths are over a budget. Ask for more, or lower --min_width."
        )
    for _ in range(30):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if over(middle) else (middle, outside)
    return np.full(layers, inside)
