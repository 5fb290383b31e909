"""What a trained network answers without one channel, for each of its channels."""

from collections.abc import Callable

import numpy as np

from ns_tf.base import InputError
from ns_tf.prune.scoring import ScoredNetwork
from ns_tf.prune.signals import Reading, signal


def check(network: ScoredNetwork) -> None:
    """Refuses a network with several outputs.

    Args:
        network: The trained network.

    Raises:
        InputError: it has them.
    """
    count = len(network.model.outputs)
    if count > 1:
        raise InputError(
            f"The criterion compares logits, and {network.model.name!r} has {count} "
            "outputs. Use taylor_fo."
        )


@signal("masked_logits", shape="[images, classes]", check=check)
def masked_logits(formula: Callable, reading: Reading) -> np.ndarray:
    """Scores by the outputs of the whole network and of it without each channel, [n].

    Where channels are closed, the whole network is what is left, and a closed channel
    is one that is opened.

    It costs a forward pass of all images a channel. Channels that nobody asks for have
    score 0.

    Args:
        formula: (logits, masked_logits), both [images, classes] float64 -> a score. Of
            a network that ends in a softmax they are logarithms of probabilities.
        reading: The trained network, and the images.
    """
    network = reading.network
    batches = list(network.batches())
    scores = np.zeros(len(network.alive))

    def logits(other: int | None) -> np.ndarray:
        row = network.rows(1)[0]
        if other is not None:
            row[other] = 1 - row[other]
        parts = [np.array(network.outputs(images, row)) for images, _ in batches]
        return network.as_logits(np.concatenate(parts).astype(float))

    whole = logits(None)

    def add(channel):
        scores[channel] = formula(logits=whole, masked_logits=logits(channel))

    channels = np.flatnonzero(network.wanted)
    reading.tally(
        len(channels),
        lambda first: ((channel,) for channel in channels[first:]),
        add,
        {"scores": scores},
    )
    return scores
