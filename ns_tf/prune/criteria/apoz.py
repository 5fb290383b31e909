"""Average percentage of zeros behind the ReLU (Hu et al., 2016)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("apoz", scope="layer")
def apoz(active: np.ndarray) -> np.ndarray:
    """1 - APoZ, [channels]: the share of images and pixels where the output is not 0.

    Departure: the paper prunes and trains in turns; here channels are scored once,
    unless more `rounds` are asked for.

    >>> hidden = np.array([[1, 2, 0], [3, -1, 4]])  # Two images of one pixel.
    >>> apoz((hidden > 0).mean(axis=0)).tolist()
    [1.0, 0.5, 0.5]

    Args:
        active: [channels]: the share at which the ReLU behind the channel is above 0.
    """
    return active
