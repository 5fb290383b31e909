"""The scales of batch norms, of a trained network."""

from collections.abc import Callable, Iterator

import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.channels import NONE
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
    for channels, _ in _gammas(network):
        scaled[channels[channels != NONE]] = True
    bare = np.flatnonzero(network.wanted & ~scaled)
    if len(bare):
        layer = network.layer_of(bare[0])
        raise InputError(
            "The criterion reads batch norms, and none with a gamma scales the filters "
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
    scores = np.zeros(len(reading.network.alive))
    for channels, values in _gammas(reading.network):
        real = channels != NONE
        np.maximum.at(scores, channels[real], formula(values)[real])
    return scores


def _gammas(network: ScoredNetwork) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(numbers of channels, gamma [channels]) of every norm that has one."""
    for key, variable in weights.weights(network.model).items():
        axes = network.graph.axes.get(key)
        if key[1] == "gamma" and axes and axes[-1] is not None:
            yield axes[-1], np.array(variable)
