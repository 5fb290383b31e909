"""What explains the next layer best (ThiNet, Luo et al., TPAMI 2019)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("thinet_omp", scope="layer", repair="scale+statistics", images=256)
def thinet_omp(gram: np.ndarray) -> np.ndarray:
    """Channels less the step at which each is picked, [channels].

    Orthogonal matching pursuit of y, the sum of all x_c: the channel is picked whose
    own best scale leaves the least of what is still open, then all scales are fitted
    again. A channel that contributes nothing is picked last.

    >>> x = np.array([[1, 1.8, -2], [2, -1, 1.5]])
    >>> int(np.argmax(thinet_omp(x.T @ x)))
    0

    Args:
        gram: [channels, channels]: X'X of what channels contribute to outputs.
    """
    size, power = len(gram), np.diag(gram)
    moment = gram.sum(axis=0)  # X'y.
    scores, picked, open_ = np.zeros(size), [], moment
    alive = power > 1e-12 * power.max(initial=0)
    for step in range(int(alive.sum())):
        gain = np.where(alive, open_**2 / np.where(alive, power, 1), -np.inf)
        gain[picked] = -np.inf
        channel = int(np.argmax(gain))
        picked.append(channel)
        scores[channel] = size - step
        inner = gram[np.ix_(picked, picked)]
        scale = np.linalg.lstsq(inner, moment[picked], rcond=None)[0]
        open_ = moment - gram[:, picked] @ scale
    return scores
