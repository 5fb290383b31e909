"""L1 norm of the filter (Li et al., ICLR 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("magnitude", scope="layer")
def magnitude(kernel):
    """sum |K[..., f]|, [filters]. Says nothing about what reads the filter."""
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)))
