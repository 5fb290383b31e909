"""Channels by a LASSO of the next layer's outputs (He et al., ICCV 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion

_STEPS = 60  # Penalties that are tried, from the largest down.
_LEAST = 1e-4  # Of the largest penalty: the smallest.
_SWEEPS = 100


@criterion("lasso", scope="layer", repair="least_squares", images=256)
def lasso(gram: np.ndarray) -> np.ndarray:
    """The penalty at which a channel comes in, [channels], as a share of the largest.

    The beta of least |y - X beta|² / 2 + alpha |beta|_1, y the sum of all x_c, is
    followed from the alpha at which all are 0 downwards. Channels that come in at one
    step are told apart by |beta_c| |x_c|, those that never come in by |x_c|.

    Departure: the paper bisects alpha for one count of channels; its path ranks a layer
    for every count.

    >>> x = np.array([[2, 0.5], [2, -0.5]])
    >>> int(np.argmax(lasso(x.T @ x)))
    0

    Args:
        gram: [channels, channels]: X'X of what channels contribute to outputs.
    """
    moment = gram.sum(axis=0)
    largest = np.abs(moment).max(initial=0)
    scores, beta = np.zeros(len(gram)), np.zeros(len(gram))
    if largest == 0:
        return scores
    shares = np.geomspace(1, _LEAST, _STEPS)
    gap = shares[0] / shares[1]  # Ties stay between two penalties.
    for share in shares[1:]:
        beta = coefficients(gram, moment, share * largest, beta)
        size = np.abs(beta) * np.sqrt(np.diag(gram))
        new = (scores == 0) & (beta != 0)
        if new.any():
            scores[new] = share * gap ** (0.9 * size[new] / size[new].max())
    energy = np.sqrt(np.diag(gram))
    never = (scores == 0) & (energy > 0)
    scores[never] = 0.5 * _LEAST * energy[never] / energy.max()
    return scores


def coefficients(
    gram: np.ndarray, moment: np.ndarray, alpha: float, start: np.ndarray
) -> np.ndarray:
    """The beta of least beta'G beta / 2 - moment'beta + alpha |beta|_1, [channels].

    By coordinate descent. With G = Z'Z / 2 and moment = G 1 of Z below:

    >>> z = np.array([[2, 0.5], [2, -0.5]])
    >>> g = z.T @ z / 2
    >>> coefficients(g, g.sum(axis=0), 0.5, np.zeros(2)).tolist()
    [0.875, 0.0]

    Args:
        gram: G, [channels, channels].
        moment: [channels].
        alpha: The penalty.
        start: [channels], where the descent begins.
    """
    beta, power = start.copy(), np.diag(gram)
    for _ in range(_SWEEPS):
        before = beta.copy()
        for c in np.flatnonzero(power > 0):
            rest = moment[c] - gram[c] @ beta + power[c] * beta[c]
            beta[c] = np.sign(rest) * max(abs(rest) - alpha, 0) / power[c]
        if np.abs(beta - before).max() <= 1e-8 * max(1, np.abs(beta).max()):
            break
    return beta
