"""From a pruning trace to one power law a layer (algorithm 2).

A trace has the widths of a network after every pruning event, and its size tau. On
double-logarithmic paper the width of a layer is close to a straight line in tau; its
slope beta says how fast the layer grows with the network.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from ns_tf.base import Along, InputError, PriceLaw, PruneTrace, ScalingLaw

MIN_ROWS = 6  # With fewer rows, the two numbers of a layer say nothing.
# Standard deviation of ln width below which a layer counts as constant; the logarithm
# of whole widths has rounding of about 1e-15.
_CONSTANT = 1e-12
# Ratio of the two singular values below which all rows count as of the same tau.
_SAME = 1e-10
_UNIFORM = 0.5  # The beta of uniform scaling: parameters grow as the square of a width.


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
    solution, _, rank, _ = np.linalg.lstsq(matrix, log_widths, rcond=_SAME)
    if rank < 2:
        raise InputError(
            f"A law needs networks of different size; all {len(tau)} rows of the trace "
            f"have tau {tau[0]:,.10g}. Prune further: a smaller --stop_fraction."
        )
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


def fit_by_layer(trace: PruneTrace, start: Sequence[int]) -> ScalingLaw:
    """A law of a pruning in which some layers lost their first filter late, or none.

    The rows of a layer are the events from its own first loss on. A layer whose width
    changes over `MIN_ROWS` or more of them has the line through its own rows. The
    others take the median beta of these (1/2 if there are none). They pass through the
    mean of their own rows or, where their width never changes there, through the width
    at the smallest tau. That is a lower bound: all other filters went first.

    >>> tau = np.geomspace(1e6, 1e4, 9)
    >>> widths = np.stack([0.5 * tau**0.5, np.full(9, 8)], axis=1)
    >>> law = fit_by_layer(PruneTrace(widths, tau), (503, 8))
    >>> law.beta.round(9).tolist(), law.rows.tolist(), law.widths(1e4).round(6).tolist()
    ([0.5, 0.5], [9, 0], [50.0, 8.0])

    Args:
        trace: widths [events, layers] after all events, and tau [events].
        start: Widths before the first event [layers].

    Returns:
        The law, with `rows` and `error`. r2 is 0 where beta is not fitted.

    Raises:
        InputError: no event, or numbers that have no logarithm.
    """
    widths, tau = _checked(trace, min_rows=1)
    own = widths < np.asarray(start)  # [events, layers]
    rows = own.sum(axis=0)
    fitted = [_own_line(widths[own[:, i], i], tau[own[:, i]]) for i in range(len(rows))]
    slopes = [law.beta[0] for law in fitted if law is not None]
    beta = float(np.median(slopes)) if slopes else _UNIFORM
    lowest = int(np.argmin(tau))
    lines = []
    for layer, law in enumerate(fitted):
        if law is None:
            at = own[:, layer]
            if len(set(widths[at, layer])) < 2:
                at = np.arange(len(tau)) == lowest
            law = _line_of(beta, widths[at, layer], tau[at])
        lines.append(law)
    used = own.any(axis=1) | (np.arange(len(tau)) == lowest)
    return ScalingLaw(
        *(
            np.concatenate([getattr(law, name) for law in lines])
            for name in ("alpha", "beta", "r2", "residual")
        ),
        tau_range=(float(tau.min()), float(tau[used].max())),
        rows=rows,
        error=np.concatenate([law.error for law in lines]),
    )


def _own_line(widths: np.ndarray, tau: np.ndarray) -> ScalingLaw | None:
    """The law of one layer, with the standard error of beta.

    None for too few rows, or rows of one width, which have no slope.

    Args:
        widths: Of the layer [rows].
        tau: [rows].
    """
    count = len(tau)
    if count < MIN_ROWS or len(set(widths)) < 2:
        return None
    law = fit_law(PruneTrace(widths[:, None], tau))
    variance = law.residual**2 * count / (count - 2)  # Two numbers are fitted.
    error = np.sqrt(variance / count) / np.std(np.log(tau))
    return dataclasses.replace(law, error=error)


def _line_of(beta: float, widths: np.ndarray, tau: np.ndarray) -> ScalingLaw:
    """The law of one layer, of a given beta, through the mean of its rows.

    Args:
        beta: The slope.
        widths: Of the layer [rows].
        tau: [rows].
    """
    offsets = np.log(widths) - beta * np.log(tau)
    return ScalingLaw(
        alpha=np.exp([offsets.mean()]),
        beta=np.array([beta]),
        r2=np.zeros(1),
        residual=np.array([offsets.std()]),
        error=np.full(1, np.nan),
    )


def unfitted(along: Along, names: Sequence[str]) -> tuple[str, ...]:
    """The layers that lost too few filters for a slope, in a law fitted by layer.

    Args:
        along: What widths follow.
        names: Of the layers [layers].
    """
    law = along.law
    if isinstance(along, PriceLaw):
        law = along.along or law
    if law is None or law.rows is None:
        return ()
    return tuple(
        name for name, error in zip(names, law.error, strict=True) if np.isnan(error)
    )


def uncertain(law: ScalingLaw, names: Sequence[str]) -> Iterator[str]:
    """What to know of a law that is fitted layer by layer, for people.

    Nothing for a law whose layers all have the same rows.

    Args:
        law: The law.
        names: Of the layers [layers].
    """
    if law.rows is None:
        return
    whose = "the other layers' median"
    if np.isnan(law.error).all():
        whose = "that of uniform scaling"
    yield (
        f"Too few events came after every layer had lost a filter (a law needs "
        f"{MIN_ROWS}), so each layer is fitted to the events after its own first loss."
    )
    for name, rows, beta, error in zip(
        names, law.rows, law.beta, law.error, strict=True
    ):
        if not rows:
            yield (
                f"{name} never lost a filter: its widths are lower bounds, its beta "
                f"{beta:.3f} is {whose}."
            )
        elif np.isnan(error):
            yield (
                f"{name} lost too few filters for a slope, in {rows} events from its "
                f"first loss on: its beta {beta:.3f} is {whose}."
            )
        else:
            yield f"{name}: {rows} events, beta {beta:.3f} ± {error:.3f}."


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
            f"{len(tau)}. Remove fewer filters at once (--filters_per_event), go on "
            "further (--stop_fraction) or start with a wider network (--ratio)."
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
    return widths, tau
