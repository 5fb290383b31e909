"""The scales of batch norms, of a trained network."""

from collections.abc import Callable

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph.channels import NONE
from ns_tf.prune.norms import gammas, largest
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal


def check(network: ScoredNetwork) -> None:
    """Refuses a network with a channel that no batch norm scales.

    Args:
        network: Of its channels those that are asked for count.

    Raises:
        InputError: there is one; names the layer.
    """
    scaled = np.zeros(len(network.alive), bool)
    for _, channels, _ in gammas(network.model, network.graph):
        scaled[channels[channels != NONE]] = True
    bare = np.flatnonzero(network.wanted & ~scaled)
    if len(bare):
        layer = network.layer_of(bare[0])
        raise InputError(
            "The method reads batch norms, and none with a gamma scales the filters "
            f"of {layer!r}. Keep that layer (--keep={layer}), or use taylor_fo."
        )


@signal("gamma", shape="[channels]", check=check)
def gamma(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the norms that scale each channel, [n]: the largest of them.

    Args:
        formula: gamma [channels] of a norm -> scores [channels], none below 0.
        reading: The network.

    Raises:
        InputError: as `check`.
    """
    check(reading.network)
    network = reading.network
    return largest(network.model, network.graph, formula)
