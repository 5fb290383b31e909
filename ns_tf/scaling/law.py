"""From a pruning trace to one power law a layer (algorithm 2)."""

import numpy as np
import scipy.linalg

from ns_tf.base import InputError, PruneTrace, ScalingLaw

# The ln of whole widths carries rounding of about 1e-15; below this it does not vary.
_CONSTANT = 1e-12
MIN_ROWS = 6  # With fewer, two numbers a layer say nothing.
_SAME = 1e-10  # Singular values, relative: less means that tau does not vary either.


def fit_law(trace: PruneTrace, *, min_rows: int = MIN_ROWS) -> ScalingLaw:
    """Least-squares power law through a trace (eq. 6-8), all layers in one solve.

    Solves [ln tau, 1] · [beta; ln alpha] = ln widths.

    Args:
        trace: widths [steps, layers] and tau [steps], all positive.
        min_rows: Fewest steps that are enough for a law.

    Returns:
        alpha, beta, r2 and residual [layers], with the range of tau. A layer whose
        width never changed has beta 0 and r2 1: the law tells all there is to tell.

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
    """Widths [steps, layers] and tau [steps] as floats, if a law can be fitted."""
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
    return InputError(
        "A law needs networks of different size; all "
        f"{len(tau)} rows of the trace have tau {tau[0]:,.10g}. Prune further: "
        "a smaller --stop_fraction."
    )
