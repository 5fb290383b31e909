"""Layers made again at other sizes, and what their configurations have to hold."""

import keras
import numpy as np
import pytest
from graphs import headed

from ns_tf.base import InputError
from ns_tf.graph.remake import check_readable, remade, resized, with_statistics
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse

layers = keras.layers


def sequential(layer):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(3), layer])


def functional(layer):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, sequential(layer)(image * 2))


@pytest.mark.parametrize("place", [lambda layer: layer, sequential, functional])
def test_thinner_networks_keep_what_a_normalization_adapted_to(rng, place):
    pixels = rng.uniform(0, 255, (31, 8, 8, 3)).astype("float32")
    normal = layers.Normalization()
    normal.adapt(pixels)
    normal = place(normal)
    found = analyse(from_model(headed([normal])), (8, 8, 3), 5)
    assert found.scales_pixels
    thin = found.build((5, 3))
    again = analyse(from_model(thin), (8, 8, 3), 5).build()
    for network in (thin, again):
        first = network.get_layer(normal.name)
        np.testing.assert_allclose(first(pixels), normal(pixels), atol=1e-5)
