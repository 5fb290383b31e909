"""Curves tau -> widths: along a law, or in proportion."""

import math
import numbers
from collections.abc import Sequence

import numpy as np

from ns_tf.base import Curve, InputError, ScalingLaw, Widths


def power_law(law: ScalingLaw) -> Curve:
    """The curve alpha_l · tau ** beta_l (eq. 5).

    A search along it begins at the largest tau that was fitted.

    Raises:
        InputError: if an alpha is not positive and finite, or a beta not finite.
    """
    alpha, beta = np.asarray(law.alpha, float), np.asarray(law.beta, float)
    sound = np.isfinite(alpha) & (alpha > 0) & np.isfinite(beta)
    if alpha.shape != beta.shape or alpha.ndim != 1 or not sound.all():
        raise InputError(
            "A law has a positive alpha and a finite beta for every layer; got alpha "
            f"{alpha.tolist()}, beta {beta.tolist()}. Fit it again."
        )

    def at(tau: float) -> np.ndarray:
        with np.errstate(over="ignore", under="ignore"):
            return law.widths(tau)

    start = law.tau_range[1] if law.tau_range else 1.0
    terms = {"kind": "law", "alpha": alpha.tolist(), "beta": beta.tolist()}
    return Curve(at, start, law.tau_range, terms)


def uniform_curve(widths: Sequence[float], tau: float = 1.0) -> Curve:
    """The curve that multiplies all widths by one number; `widths` is its value at tau.

    Costs grow with the square of widths, so widths grow with the square root of tau.
    From default widths this is the paper's baseline, from pruned ones its MorphNet.
    """
    base = np.asarray(widths, float)

    def at(position: float) -> np.ndarray:
        return base * math.sqrt(position / tau)

    return Curve(at, tau, terms={"kind": "uniform", "widths": base.tolist()})


def floor_ratio(widths: Sequence[int], ratio: float) -> Widths:
    """`int(width * ratio)`, at least 1: the widths that define the paper's budgets.

    Raises:
        InputError: if the ratio is not a positive, finite number.
    """
    if not is_positive(ratio):
        raise InputError(f"A ratio is a positive number, such as 0.25; got {ratio!r}.")
    # Rounding first: 0.29 * 100 is 28.999999999999996.
    return tuple(max(1, math.floor(round(w * float(ratio), 6))) for w in widths)


def is_positive(value: object) -> bool:
    """Whether it is a positive, finite number, and no bool."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0
