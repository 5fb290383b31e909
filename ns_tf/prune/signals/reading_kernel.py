"""The kernels of the layers that read channels, of a trained network."""

from collections.abc import Callable

import numpy as np

from ns_tf.prune.readers import readers
from ns_tf.prune.signals import Reading, signal
from ns_tf.prune.signals.gram import check


@signal("reading_kernel", shape="[..., channels, filters]", check=check)
def reading_kernel(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the kernels of the layers that read the channels, [n].

    Scores of several readers of a channel are added. A channel that nothing reads has
    score 0.

    Args:
        formula: Kernel [..., channels, filters] -> scores [channels].
        reading: The trained network.

    Raises:
        InputError: layers alone read a channel that are no plain convolution and no
            dense layer.
    """
    network = reading.network
    check(network)
    scores = np.zeros(len(network.alive) + 1)  # The last one is no channel's.
    for reader in readers(network.graph):
        kernel = np.array(network.model.get_layer(reader.layer).kernel)
        np.add.at(scores, reader.reads, formula(kernel))
    return scores[:-1]
