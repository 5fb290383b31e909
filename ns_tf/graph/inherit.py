"""The network that a builder makes at smaller widths, filled from a larger one."""

import keras
import numpy as np

from ns_tf.graph.channels import NONE, ChannelGraph, match
from ns_tf.graph.weights import thinned, values, weights


def inherit(
    model: keras.Model,
    graph: ChannelGraph,
    keep: np.ndarray,
    thin: keras.Model,
    thin_graph: ChannelGraph,
) -> None:
    """Fills `thin`, which the builder made at the widths of `keep`, from `model`.

    Channels that stay keep all their values. Where widths that were joined by an
    identity differ in `thin`, the builder makes a projection that `model` does not
    have. Its kernel starts as the selection matrix of the channels that both ends
    still have, K[i, j] = 1 if input i is added to output j in `model`, else 0; a batch
    norm behind it starts as an identity.

    The outputs are those of `model` with the other channels masked, with two
    exceptions: two widths agree again, so that a projection became an identity; a new
    projection reads another tensor than the identity did (the pre-activation of
    PreAct ResNet).

    Args:
        model: The network to inherit from.
        graph: Its channel graph.
        keep: [channels of graph] bool.
        thin: Set in place.
        thin_graph: Its channel graph.

    Raises:
        InputError: a group of `thin` shares no layer with one of `model`.
    """
    old = _old_numbers(graph, keep, thin_graph)
    arrays = values(model)
    source_of = crossings(graph)
    epsilon = {layer.name: getattr(layer, "epsilon", 0.0) for layer in thin.layers}
    for (layer, name), variable in weights(thin).items():
        key = layer, name
        if key in arrays:
            variable.assign(thinned(arrays[key], key, graph, keep))
        elif layer in thin_graph.kernels:
            *_, inputs, outputs = thin_graph.axes[key]
            sources = np.array([source_of.get(int(c), NONE) for c in old[outputs]])
            variable.assign((old[inputs][:, None] == sources)[None, None])
        else:
            neutral = {"gamma": 1.0, "moving_variance": 1.0 - epsilon[layer]}
            neutral["renorm_stddev"] = 1.0
            variable.assign(np.full(variable.shape, neutral.get(name, 0.0)))


def _old_numbers(
    graph: ChannelGraph, keep: np.ndarray, thin_graph: ChannelGraph
) -> np.ndarray:
    """[channels of thin_graph]: the numbers that they had in `graph`."""
    old = np.empty(len(thin_graph.owner), int)
    for group in thin_graph.groups:
        before = graph.groups[match(group, graph)]
        old[group.channels] = before.channels[keep[before.channels]]
    return old


def crossings(graph: ChannelGraph) -> dict[int, int]:
    """Which channels identity shortcuts between groups add to which.

    Args:
        graph: Read with a reference, which tells groups of one size apart.

    Returns:
        Channel of a join's output -> the channel of another group that is added to it.
    """
    return {
        int(target): int(source)
        for call in graph.calls
        for place in call.crossing
        if graph.channels[call.inputs[place]].ndim == 1
        for source, target in zip(
            graph.channels[call.inputs[place]], graph.channels[call.output], strict=True
        )
    }
