"""Cutting a trained network: the channels that stay, with their weights."""

from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.inherit import crossings, inherit
from ns_tf.networks.structure import Structure
from ns_tf.prune import criteria
from ns_tf.prune.removal import Prunable, down_to


def pruned(
    trained: keras.Model, structure: Structure, widths: Sequence[int]
) -> keras.Model:
    """The network of these widths with the filters of largest L1 norm.

    Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017. Channels that an
    identity shortcut joins are chosen together, by the sum of their norms, so that the
    addition still adds matching channels.

    Args:
        trained: A trained network of the architecture.
        structure: Of its architecture.
        widths: [layers], at most those of the trained network.

    Returns:
        A new network with the weights of the filters that stay.
    """
    graph = structure.graph(trained)
    scores = _norms(trained, graph)
    keep = down_to(scores, Prunable.of(structure, graph), widths)
    return cut(trained, structure, keep)


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


def _norms(model: keras.Model, graph: ChannelGraph) -> np.ndarray:
    """[channels]: L1 norms; channels that identities join have the sum of theirs."""
    formula = criteria.get("magnitude").formula
    scores = np.zeros(len(graph.owner))
    for axes, variable in weights.kernels(model, graph):
        np.add.at(scores, axes[-1], formula(np.array(variable)))
    joined = np.arange(len(scores))  # The first of the channels joined to each.
    for target, source in sorted(crossings(graph).items()):
        joined[joined == joined[target]] = joined[source]
    sums = np.bincount(joined, weights=scores, minlength=len(scores))
    return sums[joined]
