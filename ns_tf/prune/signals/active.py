"""How often the ReLU behind a channel is above 0, in a trained network."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph.calls import Tensor, functional
from ns_tf.graph.channels import NONE
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal

_RELUS = ("relu", "relu6")  # Layers, operations and activations, in lower case.


@signal("active", shape="[channels]")
def active(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the share of images and pixels at which the ReLU is above 0, [n].

    Of several ReLUs that carry a channel the mean.

    Args:
        formula: Shares [n] -> scores [n].
        reading: The trained network, and the images.

    Raises:
        InputError: no ReLU is behind a channel that is asked for; names the layer.
    """
    network = reading.network
    tensors = relu_outputs(network)
    channels = [network.graph.channels[tensor] for tensor in tensors]
    size = len(network.alive)
    carried = np.zeros(size, int)
    for own in channels:
        np.add.at(carried, own[own != NONE], 1)
    bare = np.flatnonzero(network.wanted & (carried == 0))
    if len(bare):
        raise InputError(
            "The criterion reads ReLUs, and there is none behind the filters of "
            f"{network.layer_of(bare[0])!r}. Keep that layer "
            f"(--keep={network.layer_of(bare[0])}), or use taylor_fo."
        )
    sums, shares = np.zeros(size), _shares(network, tensors)

    def add(images, labels):
        del labels
        rows = tf.constant(network.gated.rows(len(images)))
        for own, above in zip(channels, shares(images, rows), strict=True):
            real = own != NONE
            np.add.at(sums, own[real], len(images) * above.numpy()[real])

    reading.tally(network.steps, network.batches, add, {"sums": sums})
    share = sums / np.maximum(carried, 1) / len(network.proxy.split)
    return formula(share)


def _shares(network: ScoredNetwork, tensors: Sequence[Tensor]) -> Callable:
    """(images, gates) -> for each tensor [channels]: the share above 0, compiled."""
    gated = network.gated
    reader = gated.reader([gated.tensors[tensor] for tensor in tensors])

    @tf.function(autograph=False, reduce_retracing=True)
    def shares(images, rows):
        found = keras.tree.flatten(reader([images, rows], training=False))
        above = [tf.cast(values > 0, tf.float64) for values in found]
        return [tf.reduce_mean(x, axis=list(range(x.shape.rank - 1))) for x in above]

    return shares


def relu_outputs(network: ScoredNetwork) -> list[Tensor]:
    """The tensors that come out of a ReLU, as a layer or as an activation.

    Args:
        network: The trained network.
    """
    by_name = {one.name: one for one in functional(network.model).operations}
    found = []
    for call in network.graph.calls:
        operation = by_name[call.name]
        activation = getattr(operation, "activation", None)
        names = (getattr(activation, "__name__", ""), type(operation).__name__.lower())
        if call.inputs and any(name in _RELUS for name in names):
            found.append(call.output)
    return found
