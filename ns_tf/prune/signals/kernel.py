"""The kernels of the layers that make filters."""

import numpy as np

from ns_tf.prune.signals import signal


@signal("kernel", shape="[..., filters]")
def kernel(formula, reading):
    """Scores of kernels, [n]; added up where several layers make a filter."""
    scores = np.zeros(len(reading.network.alive))
    for channels, values in reading.network.kernels():
        np.add.at(scores, channels, formula(values))
    return scores
