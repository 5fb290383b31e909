"""L1 norm of what reads the channel, with AMC's agent (He et al., ECCV 2018)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("amc", scope="layer", allocation="amc", repair="least_squares")
def amc(reading_kernel: np.ndarray) -> np.ndarray:
    """sum |K[..., c, :]|, [channels]: the L1 norm of the weights that read a channel.

    AMC chooses the inputs of a layer by it, and refits the layer by least squares. How
    many channels go, its agent says (`ns_tf.prune.allocations.amc`).

    >>> amc(np.array([[[1.0, -2.0], [3.0, 0.5]]])).tolist()
    [3.0, 3.5]

    Args:
        reading_kernel: [..., channels, filters] of a layer that reads the channels.
    """
    magnitudes = np.abs(reading_kernel)
    return magnitudes.sum(axis=(*range(magnitudes.ndim - 2), -1))
