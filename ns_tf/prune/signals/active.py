"""How often the ReLU behind a channel is above 0, in a trained network."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph.calls import Tensor, functional
from ns_tf.graph.channels import NONE
from ns_tf.parts import first
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal

_RELUS = ("relu", "relu6")  # Layers, operations and activations, in lower case.


def check(network: ScoredNetwork) -> None:
    """Refuses a network with a channel that no ReLU is behind.

    Args:
        network: Of its channels those that are asked for count.

    Raises:
        InputError: there is one; names the layer.
    """
    bare = np.flatnonzero(network.wanted & (_carried(network) == 0))
    if len(bare):
        layer = network.layer_of(bare[0])
        raise InputError(
            "The criterion reads ReLUs, and there is none behind the filters of "
            f"{layer!r}. Keep that layer (--keep={layer}), or use taylor_fo."
        )


@signal("active", shape="[channels]", check=check)
def active(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the share of images and pixels at which the ReLU is above 0, [n].

    Of several ReLUs that carry a channel the mean.

    Args:
        formula: Shares [n] -> scores [n].
        reading: The trained network, and the images.

    Raises:
        InputError: as `check`.
    """
    network = reading.network
    check(network)
    tensors = relu_outputs(network)
    sums, shares = np.zeros(len(network.alive)), _shares(network, tensors)
    channels = [network.graph.channels[tensor] for tensor in tensors]

    def add(images, labels):
        del labels
        count = len(first(images))
        rows = tf.constant(network.rows(count))
        for own, above in zip(channels, shares(images, rows), strict=True):
            real = own != NONE
            np.add.at(sums, own[real], count * above.numpy()[real])

    reading.tally(network.steps, network.batches, add, {"sums": sums})
    share = sums / np.maximum(_carried(network), 1) / len(network.proxy.split)
    return formula(share)


def _carried(network: ScoredNetwork) -> np.ndarray:
    """[n]: how many ReLUs each channel is behind."""
    carried = np.zeros(len(network.alive), int)
    for tensor in relu_outputs(network):
        own = network.graph.channels[tensor]
        np.add.at(carried, own[own != NONE], 1)
    return carried


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
        if call.inputs and (_is_relu(activation) or _is_relu(operation)):
            found.append(call.output)
    return found


def _is_relu(operation: Any) -> bool:
    """Whether a layer, an operation or an activation is 0 for all that is below 0."""
    name = getattr(operation, "__name__", type(operation).__name__).lower()
    moved = getattr(operation, "negative_slope", 0), getattr(operation, "threshold", 0)
    return name in _RELUS and not any(moved)
