"""L1 norm of the filter (Li et al., ICLR 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion
from ns_tf.prune.method import CHANNEL, WEIGHT


@criterion("magnitude", scope="layer", levels=(CHANNEL, WEIGHT))
def magnitude(kernel: np.ndarray) -> np.ndarray:
    """sum |K[..., f]|, [filters]: the L1 norm of each filter's own weights.

    It does not see what reads the filter, nor the scale of a batch norm behind it.

    >>> magnitude(np.array([[1.0, -2.0], [3.0, 0.5]])).tolist()
    [4.0, 2.5]

    Args:
        kernel: [..., filters] of one layer.
    """
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)))
