"""Networks that compute with other values of some of their weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.substituted import WeighedNetwork


def test_weights_are_weighed_and_stay_as_they_are(handmade, randomise, rng, float64):
    """Its statistics follow; those of a kernel that does not train, too."""
    model, twin = (randomise(handmade["residual"]()) for _ in range(2))
    weights.assign(twin, weights.values(model))
    first, second, *_ = [key for key in weights.weights(model) if key[1] == "kernel"]
    for one in (model, twin):
        one.get_layer(first[0]).trainable = False
    shapes = {key: weights.weights(model)[key].shape for key in (first, second)}
    numbers = {
        first: np.full((1,) * 4, 2),
        second: np.arange(shapes[second][2]).reshape(-1, 1) % 3,
    }
    gates = keras.Variable([0.5, 2.0, -1.0])
    network = WeighedNetwork(model, numbers, gates)
    before = weights.values(model)
    images = rng.normal(size=(5, 6, 7, 3))
    own = weights.weights(twin)
    for key, places in numbers.items():
        own[key].assign(before[key] * np.array(gates)[places])
    with tf.GradientTape() as tape:
        tape.watch(gates.value)
        found = network(images, training=True)
    np.testing.assert_allclose(found, twin(images, training=True), atol=1e-12)
    for key, value in weights.values(model).items():
        expected = before[key] if key in numbers else weights.values(twin)[key]
        np.testing.assert_allclose(value, expected, atol=1e-12)
    slope = tape.gradient(found, gates.value)
    assert np.isfinite(slope).all() and (np.array(slope) != 0).any()
    np.testing.assert_allclose(
        network(images, training=False), twin(images, training=False), atol=1e-12
    )


def test_a_kernel_that_a_training_assigns_is_refused():
    image = keras.Input((4, 4, 3))
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(5, 1), name="sn")(image)
    inner = keras.Model(image, x)
    model = keras.Model(image, keras.layers.Flatten()(inner(image)))
    for one in (inner, model):
        with pytest.raises(InputError, match="'sn' sets its kernel in every step"):
            WeighedNetwork(one, {}, keras.Variable([1.0]))
