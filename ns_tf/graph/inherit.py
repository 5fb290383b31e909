"""The network that a builder makes at smaller widths, filled from a larger one."""

import keras
import numpy as np

from ns_tf.graph import weights
from ns_tf.graph.channels import NONE, ChannelGraph, match
from ns_tf.graph.weights import take


def inherit(
    model: keras.Model,
    graph: ChannelGraph,
    keep: np.ndarray,
    thin: keras.Model,
    thin_graph: ChannelGraph,
) -> None:
    """Fills `thin`, which the builder made at the widths of `keep`, from `model`.

    Channels that stay keep all their values. A projection that appears in `thin`, where
    widths that were joined by an identity have come apart, starts as the selection
    matrix of what both ends still have, and a batch norm behind it as an identity.

    The outputs are the masked model's where the builder's network can compute them: not
    where two widths have come to agree again (a projection became an identity), nor
    where a new projection reads something else than the identity did (the
    pre-activation of PreAct ResNet).

    Args:
        model: The network to inherit from.
        graph: Its channel graph.
        keep: [channels of graph] bool.
        thin: Set in place.
        thin_graph: Its channel graph.
    """
    old = _old_numbers(graph, keep, thin_graph)
    arrays = weights.values(model)
    follows = crossings(graph)
    epsilon = {layer.name: getattr(layer, "epsilon", 0.0) for layer in thin.layers}
    for (layer, name), variable in weights.weights(thin).items():
        axes = graph.axes.get((layer, name), ())
        if (layer, name) in arrays:
            variable.assign(take(arrays[layer, name], axes, keep))
        elif name == "kernel":
            *_, source, target = thin_graph.axes[layer, name]
            wanted = np.array([follows.get(int(c), NONE) for c in old[target]])
            variable.assign((old[source][:, None] == wanted)[None, None])
        else:
            neutral = {"gamma": 1.0, "moving_variance": 1.0 - epsilon[layer]}
            variable.assign(np.full(variable.shape, neutral.get(name, 0.0)))


def _old_numbers(graph, keep, thin_graph) -> np.ndarray:
    """[channels of thin_graph]: the numbers that they had in `graph`."""
    old = np.empty(len(thin_graph.owner), int)
    for group in thin_graph.groups:
        before = graph.groups[match(group, graph)]
        old[group.channels] = before.channels[keep[before.channels]]
    return old


def crossings(graph: ChannelGraph) -> dict[int, int]:
    """Channel -> the channel of another group that an identity adds to it."""
    return {
        int(target): int(source)
        for call in graph.calls
        for place in call.crossing
        for source, target in zip(
            graph.channels[call.inputs[place]], graph.channels[call.output], strict=True
        )
    }
