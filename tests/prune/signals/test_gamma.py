"""The scales of norms, by channel."""

import numpy as np
import pytest
from small import made_by
from trained import noise_images, scored

from ns_tf.base import InputError
from ns_tf.prune import signals


def read(model, dataset):
    network = scored(model, dataset)
    return network, signals.get("gamma").scores(np.abs, signals.Reading(network, 0))


def test_of_norms_of_one_channel_the_largest_counts(handmade, randomise, rng):
    model = randomise(handmade["residual"]())
    network, scores = read(model, noise_images(rng))
    both = [np.abs(model.get_layer(f"{n}_bn").gamma.numpy()) for n in ("a", "c")]
    own = made_by(network.graph, "a")
    np.testing.assert_allclose(scores[own], np.maximum(*both))
    own = made_by(network.graph, "b")
    np.testing.assert_allclose(scores[own], np.abs(model.get_layer("b_bn").gamma))


def test_a_layer_without_a_norm_is_refused_by_name(handmade, randomise, rng):
    with pytest.raises(InputError, match="filters of 'a'. Keep that layer"):
        read(randomise(handmade["no_norm"]()), noise_images(rng))
