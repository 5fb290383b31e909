"""The scale of the batch norm (Network Slimming, Liu et al., ICCV 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("gamma", scope="layer")
def gamma(gamma: np.ndarray) -> np.ndarray:
    """|gamma|, [channels]; of several norms that scale a channel the largest.

    The paper's score, on a network that was not trained to have small scales. It does
    not see a channel whose gamma is 0 and whose beta is not.

    >>> gamma(np.array([0.5, -0.2, 0.0])).tolist()
    [0.5, 0.2, 0.0]

    Args:
        gamma: [channels] of one batch norm.
    """
    return np.abs(gamma)
