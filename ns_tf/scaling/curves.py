"""Curves tau -> widths: along a law, or in proportion to given widths."""

import math
from collections.abc import Sequence

import numpy as np

from ns_tf.base import Curve, InputError, ScalingLaw


def power_law(law: ScalingLaw) -> Curve:
    """The curve phi_l(tau) = alpha_l · tau ** beta_l of every layer l (eq. 5).

    A search along it begins at the largest tau that was fitted, or at 1 if the law does
    not know its range.

    >>> law = ScalingLaw(np.array([2.0, 0.5]), np.array([0.25, 0.5]), None, None, None)
    >>> power_law(law)(10_000.0).tolist()
    [20.0, 50.0]

    Args:
        law: alpha and beta [layers].

    Raises:
        InputError: if alpha and beta are not of one length, an alpha is not positive
            and finite, or a beta not finite.
    """
    alpha, beta = np.asarray(law.alpha, float), np.asarray(law.beta, float)
    if alpha.shape != beta.shape or alpha.ndim != 1 or not _is_sound(alpha, beta):
        raise InputError(
            "A law has a positive alpha and a finite beta for every layer; got alpha "
            f"{alpha.tolist()}, beta {beta.tolist()}. Fit it again."
        )

    def at(tau: float) -> np.ndarray:
        # Far outside of the range that was fitted, widths become infinite or zero.
        with np.errstate(over="ignore", under="ignore"):
            return law.widths(tau)

    start = law.tau_range[1] if law.tau_range else 1.0
    terms = {"kind": "law", "alpha": alpha.tolist(), "beta": beta.tolist()}
    return Curve(at, start, law.tau_range, terms, law)


def _is_sound(alpha: np.ndarray, beta: np.ndarray) -> bool:
    """Whether alpha [layers] is positive and both are finite."""
    return bool((np.isfinite(alpha) & (alpha > 0) & np.isfinite(beta)).all())


def uniform_curve(widths: Sequence[float], tau: float = 1.0) -> Curve:
    """The curve phi_l(t) = widths_l · sqrt(t / tau): one factor for all layers.

    The cost of a convolution grows with the product of two widths, so a factor of
    sqrt(t / tau) on every width makes it t / tau times as large. From the default
    widths, the curve is the paper's baseline; from widths that pruning left, it is the
    paper's "MorphNet (Taylor-FO)".

    >>> uniform_curve([16, 32], tau=100.0)(400.0).tolist()
    [32.0, 64.0]

    Args:
        widths: Widths [layers] of the curve at `tau`.
        tau: The size of the network of these widths, where a search begins.
    """
    base = np.asarray(widths, float)

    def at(position: float) -> np.ndarray:
        return base * math.sqrt(position / tau)

    return Curve(at, tau, terms={"kind": "uniform", "widths": base.tolist()})
