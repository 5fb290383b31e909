"""The control that a criterion has to beat: filters are removed at random."""

import numpy as np

from ns_tf.prune.criteria import criterion
from ns_tf.prune.method import CHANNEL, WEIGHT


@criterion("random", scope="global", allocation="uniform", levels=(CHANNEL, WEIGHT))
def random(noise: np.ndarray) -> np.ndarray:
    """The noise itself, [channels].

    >>> random(np.array([0.5, 0.25])).tolist()
    [0.5, 0.25]

    Args:
        noise: [channels]: uniform in [0, 1).
    """
    return noise
