"""Cutting a trained network: the channels that stay, with their weights."""

import keras
import numpy as np

from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.inherit import crossings, inherit
from ns_tf.networks.structure import Structure
from ns_tf.prune.removal import Prunable


def copied(trained: keras.Model, structure: Structure) -> keras.Model:
    """A new network of all the channels, with the same weights, bit for bit.

    Args:
        trained: A trained network of the architecture; not changed.
        structure: Of its architecture.
    """
    channels = len(structure.graph(trained).owner)
    return cut(trained, structure, np.ones(channels, bool))


def cut(trained: keras.Model, structure: Structure, keep: np.ndarray) -> keras.Model:
    """The network of some of the channels, with their weights.

    Args:
        trained: A trained network of the architecture; not changed.
        structure: Of its architecture.
        keep: [n] bool, in the numbers of `structure.graph(trained)`.

    Returns:
        A new network. With all channels it has the same weights, bit for bit.
    """
    graph = structure.graph(trained)
    model = structure.build(Prunable.of(structure, graph).count(keep))
    inherit(trained, graph, keep, model, structure.graph(model))
    return model


def joined(scores: np.ndarray, graph: ChannelGraph) -> np.ndarray:
    """Scores [n]; channels that identity shortcuts add have the sum of theirs.

    So both ends of an identity keep the same channels where their widths are equal. It
    matters for networks whose builder lets the two widths come apart; in any other
    network such channels are one.

    Args:
        scores: [n].
        graph: Of the network.
    """
    first = np.arange(len(scores))  # The first of the channels joined to each.
    for target, source in sorted(crossings(graph).items()):
        first[first == first[target]] = first[source]
    return np.bincount(first, weights=scores, minlength=len(scores))[first]
