"""What the network answers without a channel."""

import keras
import numpy as np
from trained import noise_images, scored

from ns_tf.graph import weights
from ns_tf.graph.gates import Gates
from ns_tf.graph.thin import rebuild
from ns_tf.graph.weights import take
from ns_tf.prune import signals


def test_it_is_what_the_network_without_the_channel_answers(
    handmade, randomise, rng, float64
):
    model = randomise(handmade["residual"]())
    network = scored(model, noise_images(rng), images=23)
    seen = {}

    def formula(logits, masked_logits):
        seen[len(seen)] = masked_logits
        return float(np.abs(masked_logits - logits).max())

    scores = signals.get("masked_logits").scores(formula, signals.Reading(network, 0))
    images = np.concatenate([x for x, _ in network.batches()])
    for place in (0, 3, len(seen) - 1):
        channel = np.flatnonzero(network.wanted)[place]
        keep = np.arange(len(network.alive)) != channel
        thin, _ = rebuild(model, network.graph, keep, Gates((), {}))
        arrays, axes = weights.values(model), network.graph.axes
        parts = {k: take(a, axes.get(k, ()), keep) for k, a in arrays.items()}
        weights.assign(thin, parts)
        np.testing.assert_allclose(seen[place], thin(images), atol=1e-10)
    assert (scores[~network.wanted] == 0).all() and (scores[network.wanted] > 0).all()


def test_probabilities_are_read_as_their_logarithms(handmade, randomise, rng):
    """A softmax at the end changes no score."""
    model = randomise(handmade["chain"]())
    ended = keras.Model(model.input, keras.layers.Softmax()(model.output))
    dataset = noise_images(rng)

    def formula(logits, masked_logits):
        return float(np.ptp(masked_logits - logits, axis=1).mean())

    both = [
        signals.get("masked_logits").scores(
            formula, signals.Reading(scored(one, dataset, images=16), 0)
        )
        for one in (model, ended)
    ]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-3, atol=1e-5)
