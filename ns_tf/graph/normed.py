"""Kernels in front of batch norms, which take up a factor of what the kernels make."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from ns_tf.graph import activations
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.rules import NORM
from ns_tf.graph.weights import Key

_LINEAR = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose),
    *(keras.layers.Conv3DTranspose, keras.layers.Dense, keras.layers.EinsumDense),
    *(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
    *(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
)  # In each of their kernels, but for a bias.


def absorbing(
    model: keras.Model, graph: ChannelGraph, layer: str
) -> tuple[keras.layers.BatchNormalization, ...]:
    """The batch norms that take up a positive factor of what a layer makes.

    Args:
        model: The network.
        graph: Of the network.
        layer: Its name.

    Returns:
        Those that read what the layer makes. None if something else reads it too, if
        they read something else, or if the layer's activation changes the factor.
    """
    maker = model.get_layer(layer)
    if type(maker) not in _LINEAR or not activations.scales(maker.activation):
        return ()
    if activations.capped(maker.activation):
        return ()
    made = {call.output for call in graph.calls if call.name == layer}
    users = {call.name for call in graph.calls if made & set(call.inputs)}
    for call in graph.calls:
        alone = call.kind == NORM and made.issuperset(call.inputs)
        if call.name in users and not alone:
            return ()
    norms = tuple(model.get_layer(name) for name in sorted(users))
    plain = all(type(norm) is keras.layers.BatchNormalization for norm in norms)
    return norms if plain and made.isdisjoint(graph.outputs) else ()


def as_large(
    arrays: Mapping[Key, np.ndarray],
    others: Mapping[Key, np.ndarray],
    keys: Iterable[Key],
    model: keras.Model,
    graph: ChannelGraph,
) -> dict[Key, np.ndarray]:
    """Weights that infer the same, of kernels before norms that have not shrunk.

    The smaller such a kernel is, the further a step of a training turns it. So it and
    its bias are multiplied by f > 1, and the statistics of the norms follow:

        mean <- f mean,  variance <- f² (variance + epsilon) - epsilon.

    Sizes are Frobenius norms, over the entries that are not zero now.

    Args:
        arrays: All weights.
        others: The kernels as they were.
        keys: Of kernels; those that no norms follow stay.
        model: The network.
        graph: Of the network.
    """
    result = dict(arrays)
    for key in keys:
        layer = key[0]
        norms = absorbing(model, graph, layer)
        now, was = arrays[key].astype(float), others[key].astype(float)
        size, before = np.linalg.norm(now), np.linalg.norm(was[now != 0])
        if not norms or not 0 < size < before:
            continue
        factor = before / size
        changed = {key: factor * now}
        if (layer, "bias") in arrays:
            changed[layer, "bias"] = factor * arrays[layer, "bias"].astype(float)
        for norm in norms:
            mean, variance = (norm.name, "moving_mean"), (norm.name, "moving_variance")
            widened = factor**2 * (arrays[variance].astype(float) + norm.epsilon)
            changed[mean] = factor * arrays[mean].astype(float)
            changed[variance] = widened - norm.epsilon
        result |= {k: v.astype(arrays[k].dtype) for k, v in changed.items()}
    return result
