"""Losses by a teacher, and the discriminator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.prune.taught import (
    adversarial,
    discriminator,
    distance,
    judged,
    learned_of,
    signed,
)


def test_the_distance_and_the_discriminator_in_numpy(rng):
    own, others = rng.normal(size=(2, 3, 5)).astype("float32")
    expected = ((own - others) ** 2).mean(axis=1)
    np.testing.assert_allclose(distance(own, others), expected, rtol=1e-6)
    judge = discriminator(5)
    x = own.astype(float)
    for place in range(0, 8, 2):
        x = np.where(x > 0, x, 0.2 * x) if place else x
        x = x @ np.array(judge[place]) + np.array(judge[place + 1])
    np.testing.assert_allclose(judged(judge, own), x, rtol=1e-4, atol=1e-6)
    assert [v.shape for v in judge[::2]] == [(5, 128), (128, 256), (256, 128), (128, 1)]
    again = discriminator(5)
    np.testing.assert_array_equal(judge[0], again[0])


def test_what_moves_the_network_does_not_move_the_discriminator(rng):
    """BCE(D(own), 1) alone has a derivative by `own`; the three others by D."""
    own, others = tf.constant(rng.normal(size=(2, 3, 5)), "float32")
    judge = [tf.Variable(np.array(v)) for v in discriminator(5)]

    def cross_entropy(logits, label):
        sign = 1 if label else -1
        return tf.reduce_sum(tf.nn.softplus(-sign * logits[:, 0]))

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(own)
        found = tf.reduce_sum(adversarial(judge, own, others))
        fooling = cross_entropy(judged(judge, own), 1)
        learning = cross_entropy(judged(judge, others), 1)
        learning += cross_entropy(judged(judge, tf.stop_gradient(own)), 0)
        learning += cross_entropy(judged(judge, tf.stop_gradient(own)), 1)
    assert float(found) == pytest.approx(float(fooling + learning), rel=1e-5)
    np.testing.assert_allclose(
        tape.gradient(found, own), tape.gradient(fooling, own), rtol=1e-4, atol=1e-7
    )
    for one, other in zip(
        tape.gradient(found, judge), tape.gradient(learning, judge), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_signed_logits_have_the_curvature_of_the_distance(rng):
    """In the mean of the squares over many examples of the same derivatives J."""
    image = keras.Input((3,))
    model = keras.Model(image, keras.layers.Dense(4, use_bias=False)(image))
    slopes, count = rng.normal(size=4), 4000
    g = tf.Variable(np.ones(count))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(
            signed(model)(None, tf.cast(g[:, None] * slopes, "float32"))
        )
    squares = np.array(tf.convert_to_tensor(tape.gradient(total, g))) ** 2
    curvature = 2 * (slopes**2).sum() / 4  # Of mean (slopes (g - 1))².
    assert squares.mean() == pytest.approx(curvature, rel=0.1)


@pytest.mark.parametrize("end", [None, "sigmoid", "softmax"])
def test_logits_are_learned_however_a_network_ends(end, rng):
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(4, activation=end)(image))
    logits = rng.normal(scale=5, size=(7, 4)).astype("float32")
    outputs = keras.ops.convert_to_numpy(keras.activations.get(end)(logits))
    found = keras.ops.convert_to_numpy(learned_of(model)(outputs))
    shift = (logits - found).mean(axis=1, keepdims=True) if end == "softmax" else 0
    np.testing.assert_allclose(found + shift, logits, rtol=1e-3, atol=1e-3)
    sure = keras.ops.convert_to_numpy(learned_of(model)(np.float32([[0, 1, 0, 1]])))
    assert np.isfinite(sure).all()
