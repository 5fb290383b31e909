"""Derivatives of every image's loss by the gates."""

import numpy as np
import tensorflow as tf
from trained import noise_images, scored

from ns_tf.prune import signals


def test_a_derivative_is_what_a_smaller_gate_changes(handmade, randomise, rng, float64):
    model = randomise(handmade["residual"]())
    network = scored(model, noise_images(rng))
    images, labels = next(iter(network.batches()))
    images = tf.cast(images, tf.float64)
    gradients = network.example_gradients(images, labels)
    assert gradients.shape == (16, len(network.alive))

    def losses(channel, gate):
        row = network.gated.rows(16)
        row[:, channel] = gate
        outputs = network.gated.model([images, tf.constant(row)], training=False)
        return np.array(network.loss(labels, outputs))

    for channel in rng.choice(np.flatnonzero(network.wanted), 5, replace=False):
        step = 1e-6
        difference = losses(channel, 1 + step) - losses(channel, 1 - step)
        np.testing.assert_allclose(
            gradients[:, channel], difference / 2 / step, atol=1e-7
        )


def test_the_score_is_the_mean_over_all_images_whatever_the_last_minibatch(
    handmade, randomise, rng
):
    network = scored(randomise(handmade["chain"]()), noise_images(rng), images=23)
    assert network.steps == 2

    def formula(gradients):
        return gradients.mean(axis=0)

    scores = signals.get("example_gradients").scores(
        formula, signals.Reading(network, seed=0)
    )
    parts = [network.example_gradients(x, y) for x, y in network.batches()]
    expected = np.concatenate(parts).mean(axis=0)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-9)


def test_the_form_by_gamma_and_beta_is_the_same_where_a_norm_is_the_gate(
    handmade, randomise, rng, float64
):
    """gamma dL/dgamma + beta dL/dbeta: a ReLU between norm and reader commutes."""
    model = randomise(handmade["chain"]())
    network = scored(model, noise_images(rng))
    images, labels = next(iter(network.batches()))
    images = tf.cast(images, tf.float64)
    norm = model.get_layer("a_bn")
    with tf.GradientTape() as tape:
        outputs = model(images, training=False)
        total = tf.reduce_sum(network.loss(labels, outputs))
    by_gamma, by_beta = tape.gradient(total, [norm.gamma.value, norm.beta.value])
    expected = norm.gamma * by_gamma + norm.beta * by_beta
    own = network.graph.axes["a_bn", "gamma"][0]
    found = network.example_gradients(images, labels).sum(axis=0)[own]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
