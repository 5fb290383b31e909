"""The scales of batch norms, of a trained network."""

from collections.abc import Callable

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.channels import NONE
from ns_tf.prune.signals import Reading, signal


@signal("gamma", shape="[channels]")
def gamma(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the norms that scale each channel, [n]: the largest of them.

    Args:
        formula: gamma [channels] of a norm -> scores [channels].
        reading: The network.

    Raises:
        InputError: no batch norm with a gamma scales a channel that is asked for; names
            the layer.
    """
    network = reading.network
    scores = np.full(len(network.alive), -np.inf)
    for key, variable in weights.weights(network.model).items():
        axes = network.graph.axes.get(key)
        if key[1] == "gamma" and axes and axes[-1] is not None:
            real = axes[-1] != NONE
            values = formula(np.array(variable))
            np.maximum.at(scores, axes[-1][real], values[real])
    bare = np.flatnonzero(network.wanted & np.isneginf(scores))
    if len(bare):
        raise InputError(
            "The criterion reads batch norms, and none with a gamma scales the "
            f"filters of {network.layer_of(bare[0])!r}. Keep that layer "
            f"(--keep={network.layer_of(bare[0])}), or use taylor_fo."
        )
    return np.where(np.isneginf(scores), 0.0, scores)
