"""From a pruning trace to one power law a layer (algorithm 2).

A trace has the widths of a network after every pruning event, and its size tau. On
double-logarithmic paper the width of a layer is close to a straight line in tau; its
slope beta says how fast the layer grows with the network.
"""

import numpy as np
import scipy.linalg

from ns_tf.base import InputError, PruneTrace, ScalingLaw

MIN_ROWS = 6  # With fewer rows, the two numbers of a layer say nothing.
# Standard deviation of ln width below which a layer counts as constant; the logarithm
# of whole widths has rounding of about 1e-15.
_CONSTANT = 1e-12
# Ratio of the two singular values below which all rows count as of the same tau.
_SAME = 1e-10


def fit_law(trace: PruneTrace, *, min_rows: int = MIN_ROWS) -> ScalingLaw:
    """Least-squares power law through a trace (eq. 6-8), all layers in one solve.

    Solves [ln tau, 1] · [beta; ln alpha] = ln widths for alpha and beta [layers].

    >>> tau = np.geomspace(1e4, 1e6, 7)
    >>> widths = np.stack([0.5 * tau**0.5, 2 * tau**0.25], axis=1)
    >>> law = fit_law(PruneTrace(widths, tau))
    >>> law.alpha.round(9).tolist(), law.beta.round(9).tolist()
    ([0.5, 2.0], [0.5, 0.25])

    Args:
        trace: widths [steps, layers] and tau [steps], all positive.
        min_rows: The fewest steps that are enough for a law.

    Returns:
        alpha, beta, r2 and residual [layers], and the range of tau. A layer whose width
        never changed has beta 0 and r2 1: its law leaves nothing unexplained.

    Raises:
        InputError: too few rows, rows that all have the same tau, numbers that have no
            logarithm, or widths and tau of different lengths.
    """
    widths, tau = _checked(trace, min_rows)
    log_tau, log_widths = np.log(tau), np.log(widths)
    matrix = np.stack([log_tau, np.ones_like(log_tau)], axis=1)  # [steps, 2]
    solution, _, rank, _ = scipy.linalg.lstsq(matrix, log_widths, cond=_SAME)
    if rank < 2:
        raise _same_tau(tau)
    beta, log_alpha = solution
    missed = np.mean(np.square(log_widths - matrix @ solution), axis=0)
    variance = np.var(log_widths, axis=0)
    constant = variance <= _CONSTANT**2
    r2 = np.where(constant, 1.0, 1 - missed / np.where(constant, 1.0, variance))
    return ScalingLaw(
        alpha=np.exp(log_alpha),
        beta=beta,
        r2=r2,
        residual=np.sqrt(missed),
        tau_range=(float(tau.min()), float(tau.max())),
    )


def _checked(trace: PruneTrace, min_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Widths [steps, layers] and tau [steps] as floats, if a law can be fitted.

    Raises:
        InputError: as of `fit_law`.
    """
    widths, tau = np.asarray(trace.widths, float), np.asarray(trace.tau, float)
    if widths.ndim != 2 or tau.shape != widths.shape[:1]:
        raise InputError(
            "A trace has widths [steps, layers] and tau [steps]; got "
            f"{list(widths.shape)} and {list(tau.shape)}."
        )
    if len(tau) < min_rows:
        raise InputError(
            f"A law needs at least {min_rows} recorded pruning events; this trace has "
            f"{len(tau)}, from when every layer had lost a filter. Remove fewer "
            "filters at once (--filters_per_event), go on further (--stop_fraction) "
            "or start with a wider network (--ratio)."
        )
    sound = np.isfinite(widths).all(axis=1) & (widths > 0).all(axis=1)
    sound &= np.isfinite(tau) & (tau > 0)
    if not sound.all():
        row = int(np.argmin(sound))
        raise InputError(
            f"A trace has positive, finite widths and tau; row {row + 1} has tau "
            f"{tau[row]:g} and widths {', '.join(f'{w:g}' for w in widths[row])}. "
            "Remove that row or prune again."
        )
    if tau.min() == tau.max():
        raise _same_tau(tau)
    return widths, tau


def _same_tau(tau: np.ndarray) -> InputError:
    """The error for tau [steps] that do not vary."""
    return InputError(
        "A law needs networks of different size; all "
        f"{len(tau)} rows of the trace have tau {tau[0]:,.10g}. Prune further: "
        "a smaller --stop_fraction."
    )
