"""Derivatives of every image's own loss by the gates, of a trained network."""

from collections.abc import Callable

import numpy as np

from ns_tf.prune.signals import Reading, signal


@signal("example_gradients", shape="[images, channels]")
def example_gradients(formula: Callable, reading: Reading) -> np.ndarray:
    """The formula's mean over the images, [n].

    The formula has to be a mean over images, so that minibatches can be weighed by
    their sizes.

    Args:
        formula: g dL_i/dg [images, n] -> scores [n].
        reading: The trained network, and the images.
    """
    network = reading.network
    sums = np.zeros(len(network.alive))

    def add(images, labels):
        gradients = network.example_gradients(images, labels)
        sums[:] += len(gradients) * formula(gradients)

    reading.tally(network.steps, network.batches, add, {"sums": sums})
    return sums / len(network.proxy.split)
