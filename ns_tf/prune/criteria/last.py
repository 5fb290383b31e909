"""The last filters of a layer go first, as in a network trained at many widths."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("last", scope="layer", allocation="greedy")
def last(place: np.ndarray) -> np.ndarray:
    """Minus the place, [channels].

    For the whole network of a supernet (`ns_tf.supernet`), whose smaller networks have
    the first filters of every layer. With the allocation "greedy" it is AutoSlim, Yu &
    Huang, 2019. A network that was trained as usual has no such order.

    >>> last(np.array([0.0, 1.0, 2.0])).tolist()
    [-0.0, -1.0, -2.0]

    Args:
        place: [channels]: of each among its layer's, from 0.
    """
    return -place
