"""The kernels of the layers that make filters."""

from collections.abc import Callable

import numpy as np

from ns_tf.prune.signals import Reading, signal


@signal("kernel", shape="[..., filters]")
def kernel(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the kernels of the layers that make channels, [n].

    Scores of layers that make the same channel are added, as where an addition joins
    them. A channel that no kernel makes has score 0.

    Args:
        formula: Kernel [..., filters] -> scores [filters].
        reading: The network whose kernels are read.
    """
    scores = np.zeros(len(reading.network.alive))
    for channels, values in reading.network.kernels():
        np.add.at(scores, channels, formula(values))
    return scores
