"""Traced networks compute what the model does, from constants."""

import numpy as np
import tensorflow as tf

from ns_tf.measure.traced import traced


def test_weights_are_constants(handmade, randomise, rng):
    model = randomise(handmade["residual"]())
    function = traced(model, batch=3)
    images = rng.normal(size=(3, 6, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(
        function(tf.constant(images))[0], model(images, training=False), atol=1e-5
    )
    assert not function.variables
