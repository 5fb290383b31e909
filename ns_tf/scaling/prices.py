"""Widths that are worth most at a price: the geometric program of a law and budgets.

A search leaves a layer with w filters when the last filter of the network is worth
v(tau). So one more filter of the layer is worth v_l(w) = v(tau), at the tau where the
law gives it w filters. With v = tau^-p that is v_l(w) = (w / alpha_l)^(-p / beta_l),
and a network is worth

    U(w) = const - sum_l c_l w_l^(-q_l),   q_l = p / beta_l - 1,
    c_l = alpha_l^(p / beta_l) / q_l.

To maximise U under budgets C_k(w) <= B_k, where C_k is a posynomial, is a geometric
program (Boyd, Kim, Vandenberghe, Hassibi, "A tutorial on geometric programming", 2007):
convex in x = ln w, as long as p > max beta. It has one optimum, where

    v_l w_l = sum_k lambda_k dC_k / dx_l,

with lambda_k = 0 for a budget that does not bind. The paper's curve is p -> infinity.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.base import InputError
from ns_tf.networks.costs import CostPolynomial
from ns_tf.scaling.conditions import Bounds, Posynomials, System
from ns_tf.scaling.interior import interior
from ns_tf.scaling.worth import Value

_RESIDUAL = 1e-12  # Of the conditions, in logarithms.
_OVER = 1e-9  # What a budget may be over, in ln of the cost, to count as met.
_STEPS = 60  # Newton steps, at most; some 6 are usual.
_LONGEST = 2.0  # A Newton step in ln w.
_WIDEST = 40.0  # ln w of a layer alone.
_REACH = 600.0  # |ln lambda|, near the ends of float64.
_FEW = 4  # Budgets of which all choices are tried: 15, each of a few steps.


@dataclasses.dataclass(frozen=True)
class Optimum:
    """The best real-valued widths under budgets, and what the budgets are worth."""

    widths: np.ndarray  # [layers]
    # lambda_k B_k over the sum of all: what each budget takes of the value; 0 for one
    # that does not bind.
    shares: Mapping[str, float]
    log_loss: float  # ln of the loss; no whole widths within the budgets have less.


def optimum(
    value: Value,
    costs: Mapping[str, CostPolynomial],
    budgets: Mapping[str, float],
    *,
    low: float | np.ndarray = 1.0,
    high: float | np.ndarray = np.inf,
) -> Optimum:
    """The widths of most value that meet every budget.

    The conditions are solved by Newton's method in logarithms,

        ln(v_l w_l) = ln sum_k lambda_k dC_k/dx_l,   ln C_k = ln B_k,

    for the budgets k that bind: first for each of them alone, then for pairs, until the
    others are met. Where there are more than `_FEW`, or one does not depend on all
    widths, as an instant of peak RAM, the same conditions are followed from within
    (`ns_tf.scaling.interior`). In this form the Jacobian is diagonally dominant, so
    that widths of any scale are found to rounding. Projections that exist where two
    widths differ are counted as if they all did.

    Args:
        value: What widths are worth.
        costs: By budget.
        budgets: The most that each cost may be.
        low: The smallest width, or that of each layer.
        high: The largest width, or that of each layer.

    Raises:
        InputError: the smallest widths are over a budget.
    """
    names = list(budgets)
    prices = Posynomials.of(
        [costs[name] for name in names],
        [budgets[name] for name in names],
        len(value.q),
    )
    with np.errstate(divide="ignore"):  # ln 0 is no bound.
        bounds = tuple(np.log(np.full(len(value.q), end)) for end in (low, high))
    solved = _solve(value, prices, bounds)
    if solved is None:
        return _corner(value, prices, bounds, names)
    x, multipliers = solved
    taken = multipliers * np.exp(prices(x))
    shares = taken / max(float(taken.sum()), 1e-300)
    widths = np.exp(x)
    return Optimum(
        widths,
        dict(zip(names, shares.tolist(), strict=True)),
        float(value.log_loss(widths)),
    )


def _solve(
    value: Value, prices: Posynomials, bounds: Bounds
) -> tuple[np.ndarray, np.ndarray] | None:
    """The optimum x [layers], and the multipliers of the budgets.

    None where Newton's method finds nothing: budgets so close to the smallest network
    that hardly a width can move.

    Raises:
        InputError: the smallest widths are over a budget.
    """
    start = _on_the_curve(value, prices, bounds)
    # Multipliers of about 1: only their ratios count.
    scale = np.median(value.log_c + np.log(value.q) - value.q * start)
    value = dataclasses.replace(value, log_c=value.log_c - scale)
    none = np.zeros(len(prices))
    if (start >= bounds[1]).all():  # The largest widths fit.
        return start, none
    partial = (prices.gradients(start) == 0).any()
    if len(prices) > _FEW or partial:
        return interior(value, prices, bounds, start)
    nearest = None
    for count in range(1, len(prices) + 1):
        for binding in itertools.combinations(range(len(prices)), count):
            x, logs = _newton(value, prices.only(binding), bounds, start)
            if x is None:
                continue
            over = float(prices(x).max())
            if nearest is None or over < nearest[0]:
                multipliers = none.copy()
                multipliers[list(binding)] = np.exp(logs)
                nearest = over, x, multipliers
            if over <= _OVER:
                return nearest[1:]
    return nearest and nearest[1:]


def _corner(
    value: Value,
    prices: Posynomials,
    bounds: Bounds,
    names: Sequence[str],
) -> Optimum:
    """Widths within the budgets, all of which count alike, and a bound on the loss.

    The bound gives every layer the largest width that it can have alone.
    """
    x = _on_the_curve(value, prices, bounds)
    alone = [_alone(layer, prices, bounds) for layer in range(len(x))]
    shares = dict.fromkeys(names, 1 / len(names))
    return Optimum(np.exp(x), shares, float(value.log_loss(np.exp(alone))))


def _alone(
    layer: int,
    prices: Posynomials,
    bounds: Bounds,
) -> float:
    """ln of the largest width of a layer within the budgets, all others the least."""
    x = bounds[0].copy()
    low, high = bounds[0][layer], min(bounds[1][layer], _WIDEST)
    for _ in range(50):
        x[layer] = (low + high) / 2
        over = (prices(x) > _OVER).any()
        low, high = (low, x[layer]) if over else (x[layer], high)
    return high


def _on_the_curve(value: Value, prices: Posynomials, bounds: Bounds) -> np.ndarray:
    """x where a filter is worth the same in every layer: the paper's curve.

    As far along it as the budgets allow.

    Raises:
        InputError: the smallest widths are over a budget.
    """
    low, high = bounds

    def at(worth: float) -> np.ndarray:
        x = (value.log_c + np.log(value.q) - worth) / (value.q + 1)
        return np.clip(x, low, high)

    def over(x: np.ndarray) -> bool:
        return bool((prices(x) > _OVER).any())

    if np.isfinite(low).all() and over(low):
        raise InputError(
            "The smallest widths are over a budget. Ask for more, or lower --min_width."
        )
    # ln of what a filter is worth: little for large networks, much for small ones.
    large, small = -1.0, 1.0
    while over(at(small)):
        small *= 2
    while not over(at(large)) and (at(large) < high).any() and large > -1e9:
        large *= 2
    for _ in range(30):
        middle = (large + small) / 2
        large, small = (middle, small) if over(at(middle)) else (large, middle)
    return at(small)


def _newton(
    value: Value,
    prices: Posynomials,
    bounds: Bounds,
    x: np.ndarray,
) -> tuple[np.ndarray | None, np.ndarray]:
    """x [layers] and ln of the multipliers where these budgets bind; None if nowhere.

    A width at a bound is held there while its condition leads out of the bounds.
    """
    low, high = bounds
    logs = _first_multipliers(value, prices, x)
    for _ in range(_STEPS):
        system = System.at(value, prices, x, logs)
        held = ((x <= low) & (system.f <= 0)) | ((x >= high) & (system.f >= 0))
        if system.miss(~held) < _RESIDUAL:
            return x, logs
        try:
            dx, dlogs = system.step(~held)
        except np.linalg.LinAlgError:  # Nothing may move, or two budgets are one.
            return None, logs
        # Multipliers may not run away either: a step of theirs can be 1e5 times longer.
        longest = max(np.abs(dx).max(), np.abs(dlogs).max(), 1e-300)
        length = min(1.0, _LONGEST / float(longest))
        x = np.clip(x + length * dx, low, high)
        logs = logs + length * dlogs
        if not np.abs(logs).max() < _REACH:
            return None, logs
    return None, logs


def _first_multipliers(value: Value, prices: Posynomials, x: np.ndarray) -> np.ndarray:
    """ln of multipliers that suit the middle one of the layers, [budgets]."""
    worth = np.median(value.log_c + np.log(value.q) - value.q * x)
    pulls = np.median(prices.gradients(x), axis=1)
    return worth - np.log(pulls) - np.log(len(prices))
