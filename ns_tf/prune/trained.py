"""A trained network, cut to smaller widths."""

import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.inherit import crossings, inherit
from ns_tf.prune import criteria
from ns_tf.prune.removal import Prunable, down_to


def pruned(trained, structure, widths):
    """The network of these widths with the filters of largest L1 norm.

    Channels that an identity shortcut joins are chosen together, by the sum of their
    norms, so that it still adds what belongs together.

    Args:
        trained: A trained `keras.Model` of the default widths.
        structure: Its `Structure`.
        widths: [layers], at most the default ones.
    """
    graph = structure.graph(trained)
    scores = _norms(trained, graph)
    keep = down_to(scores, Prunable.of(structure, graph), widths)
    model = structure.build(widths)
    inherit(trained, graph, keep, model, structure.graph(model))
    return model


def _norms(model, graph: ChannelGraph) -> np.ndarray:
    """[channels]: L1 norms, equal for channels that identities join."""
    formula = criteria.get("magnitude").formula
    scores = np.zeros(len(graph.owner))
    for key, variable in weights.weights(model).items():
        axes = graph.axes.get(key)
        if key[1] == "kernel" and axes and axes[-1] is not None:
            np.add.at(scores, axes[-1], formula(np.array(variable)))
    joined = np.arange(len(scores))  # The first of the channels that are joined.
    for target, source in sorted(crossings(graph).items()):
        joined[joined == joined[target]] = joined[source]
    sums = np.bincount(joined, weights=scores, minlength=len(scores))
    return sums[joined]
