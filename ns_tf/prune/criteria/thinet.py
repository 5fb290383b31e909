"""What the next layer misses least (ThiNet, Luo et al., ICCV 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("thinet", scope="layer", repair="scale+statistics", images=256)
def thinet(gram: np.ndarray) -> np.ndarray:
    """The step at which each channel goes, [channels], from 0.

    The set T of what goes grows one channel at a time, each time by the channel of
    least |sum of x_c over T|²: what the next layer's outputs lose together. So one run
    ranks a layer for every width.

    >>> x = np.array([[1, 1.8, -2], [2, -1, 1.5]])
    >>> thinet(x.T @ x).tolist()
    [2.0, 0.0, 1.0]

    Args:
        gram: [channels, channels]: X'X of what channels contribute to outputs.
    """
    size = len(gram)
    steps, gone = np.zeros(size), np.zeros(size, bool)
    lost, shared = 0.0, np.zeros(size)  # |sum over T|², and its product with each x_c.
    for step in range(size):
        energy = lost + 2 * shared + np.diag(gram)
        channel = int(np.argmin(np.where(gone, np.inf, energy)))
        lost, gone[channel], steps[channel] = energy[channel], True, step
        shared = shared + gram[channel]
    return steps
