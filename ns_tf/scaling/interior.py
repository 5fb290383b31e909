"""The best widths under many budgets, of which nobody knows which ones bind.

Peak RAM is a budget for every operation of a network, and as many of them bind as there
are layers. So no choice of them can be tried. The conditions of `ns_tf.scaling.prices`
are followed from within the budgets instead, with

    lambda_k · ln(B_k / C_k) = mu

for every budget k, from a large mu down to one that leaves a millionth of a millionth
of a budget (a primal-dual interior point method; Boyd and Vandenberghe, "Convex
Optimization", 2004, section 11.7). Widths and multipliers stay in logarithms, in which
layers of any size are found alike.
"""

import numpy as np

from ns_tf.scaling.conditions import Bounds, Posynomials, System
from ns_tf.scaling.worth import Value

_BEGIN, _END = 1.0, 1e-12  # mu.
_FASTER = 0.2  # mu of a step over that of the step before it, where that was solved.
_CLOSE = 0.1  # What the conditions may be off for mu to fall.
_STEPS = 250  # Newton steps, at most; some 60 are usual.
_LONGEST = 1.0  # A Newton step in ln w.
_SLACK = 0.05  # What the start leaves of every budget, in logarithms.
_NEARER = 0.9  # What a step may take of what is left of a budget.


def interior(
    value: Value, prices: Posynomials, bounds: Bounds, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The optimum x = ln w [layers], and the multipliers of the budgets.

    Args:
        value: What widths are worth.
        prices: Costs over their budgets.
        bounds: ln of the least and the largest widths, [layers] each.
        start: x [layers] within the budgets.

    Returns:
        The multiplier of a budget that does not bind is 0. None where nothing lies
        within the budgets, or no step leads on.
    """
    low, high = bounds
    x, mu = _within(prices, start, low), _BEGIN
    if x is None:
        return None
    logs = np.log(mu) - np.log(-prices(x))
    for _ in range(_STEPS):
        system = System.at(value, prices, x, logs)
        held = ((x <= low) & (system.f <= 0)) | ((x >= high) & (system.f >= 0))
        off = logs + np.log(-system.over) - np.log(mu)
        miss = max(np.abs(system.f[~held]).max(initial=0.0), np.abs(off).max())
        if miss < _CLOSE:
            if mu <= _END:
                break
            mu *= _FASTER
            off -= np.log(_FASTER)
        step = _step(system, ~held, off)
        if step is None:
            return None
        x, logs = _moved(prices, bounds, (x, logs), step)
    multipliers = np.exp(logs)
    # Of multiplier and slack, whose product is mu, the smaller one stands for 0.
    return x, np.where(multipliers > -prices(x), multipliers, 0.0)


def _within(prices: Posynomials, x: np.ndarray, low: np.ndarray) -> np.ndarray | None:
    """A point between x and the least widths that leaves `_SLACK` of every budget."""
    floor = np.maximum(low, 0.0)
    for share in (*np.linspace(0.95, 0.05, 19), 0.01, 0.0):
        near = floor + share * (x - floor)
        most = prices(near).max()
        if most <= -_SLACK or (most < 0 and share <= 0.01):
            return near
    return None


def _step(
    system: System, free: np.ndarray, off: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Newton's step of x [layers] and of ln of the multipliers [budgets].

    Args:
        system: The conditions.
        free: [layers] bool: widths that are held at no bound.
        off: [budgets]: how far ln(lambda · slack) is from ln mu.
    """
    pull = system.slopes / system.over[:, None]  # d ln slack / dx
    matrix = system.inner + system.outer.T @ pull
    right = -system.f - system.outer.T @ off
    dx = np.zeros(len(free))
    try:
        dx[free] = np.linalg.solve(matrix[np.ix_(free, free)], right[free])
    except np.linalg.LinAlgError:  # Nothing may move.
        return None
    return dx, -off - pull @ dx


def _moved(
    prices: Posynomials,
    bounds: Bounds,
    at: tuple[np.ndarray, np.ndarray],
    step: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The point after a step, shortened so that something of every budget is left."""
    (x, logs), (dx, dlogs) = at, step
    left = prices(x)
    length = min(1.0, _LONGEST / max(float(np.abs(dx).max()), 1e-300))
    while length > 1e-12:
        near = np.clip(x + length * dx, *bounds)
        if (prices(near) <= (1 - _NEARER) * left).all():
            return near, logs + length * dlogs
        length /= 2
    return x, logs
