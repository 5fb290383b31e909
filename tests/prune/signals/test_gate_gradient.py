"""Gradients of the gates, as training reads them."""

import keras
import numpy as np
import tensorflow as tf
from small import batches, made_by, planted, prunable

from ns_tf.prune.signals.gate_gradient import NormGate, Probe

layers = keras.layers


def test_the_score_is_the_square_of_the_gate_gradient_by_hand(rng, float64):
    """h = image[3] W, logits = h V: no batch norm, so the gates are a layer."""
    image = keras.Input((3,), name="image")
    x = layers.Dense(5, use_bias=False, name="hidden")(image)
    model = keras.Model(image, layers.Dense(2, use_bias=False, name="logits")(x))
    w, v = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    model.set_weights([w, v])
    pruned = prunable(model)
    expected = np.zeros(5)
    for _ in range(2):
        images, labels = rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
        h = images @ w
        p = np.exp(h @ v)
        p /= p.sum(axis=1, keepdims=True)
        d_logits = (p - np.eye(2)[labels]) / 7
        expected += (h * (d_logits @ v.T)).sum(axis=0) ** 2
        pruned.train(images, labels, 0.0)
    scores = pruned.score_sums()[made_by(pruned.graph, "hidden")]
    np.testing.assert_allclose(scores, expected, rtol=1e-10)
    pruned.forget()
    assert (pruned.score_sums() == 0).all()


def test_a_batch_norm_that_is_not_trained_is_scored_all_the_same(rng):
    model = planted(rng)
    model.get_layer("b_bn").trainable = False
    pruned = prunable(model)
    for images, labels in batches(rng, 1):
        pruned.train(images, labels, 0.0)
    assert (pruned.score_sums()[made_by(pruned.graph, "b")] > 0).any()


def probe(formula, *, alive):
    """A probe of two channels behind a batch norm and of one with a gate layer."""
    gamma, beta = keras.Variable([2.0, 3.0]), keras.Variable([0.5, 0.25])
    gate = keras.Variable([1.0])
    norm = NormGate(gamma, beta, (1, 0), np.array([0, 2]))
    alive = tf.Variable(np.append(alive, 1).astype(np.float32))
    scores = tf.Variable(tf.zeros(3))
    return Probe([norm], [(gate, np.array([1]))], alive, scores, formula)


def test_a_batch_norms_gate_is_gamma_and_beta_together():
    made = probe(lambda gradient: gradient, alive=[1, 1, 1])
    d_beta, d_gamma = tf.constant([5.0, 7.0]), tf.constant([11.0, 13.0])
    applied = made([d_beta, d_gamma], [tf.constant([17.0])])
    expected = [2 * 11 + 0.5 * 5, 17, 3 * 13 + 0.25 * 7]
    np.testing.assert_allclose(made.scores, expected)
    np.testing.assert_array_equal(applied, [d_beta, d_gamma])


def test_every_step_adds_the_formula_of_its_own_gradient():
    made = probe(lambda gradient: gradient**2, alive=[1, 1, 1])
    for _ in range(3):
        made([tf.zeros(2), tf.constant([1.0, -2.0])], [tf.constant([3.0])])
    np.testing.assert_allclose(made.scores, [3 * 2**2, 3 * 3**2, 3 * 6**2])


def test_closed_gates_get_no_gradient():
    made = probe(None, alive=[1, 0, 0])
    d_beta, d_gamma = tf.constant([5.0, 7.0]), tf.constant([11.0, 13.0])
    applied = made([d_beta, d_gamma], [tf.constant([17.0])])
    np.testing.assert_array_equal(applied, [[5, 0], [11, 0]])
    np.testing.assert_array_equal(made.scores, np.zeros(3))  # Without a formula.


def test_channels_of_an_image_are_no_channels_and_always_open():
    """As a concatenation has them; their number is NONE, -1."""
    norm = NormGate(
        keras.Variable([2.0, 3.0]),
        keras.Variable([0.0, 0.0]),
        (0, 1),
        np.array([-1, 0]),
    )
    alive, scores = tf.Variable([0.0, 1.0]), tf.Variable([0.0])
    made = Probe([norm], [], alive, scores, lambda gradient: gradient)
    applied = made([tf.constant([5.0, 7.0]), tf.zeros(2)], [])
    np.testing.assert_array_equal(applied[0], [5, 0])
    np.testing.assert_array_equal(scores, [21])


def test_a_gate_that_is_read_twice_has_the_sum_of_both_gradients():
    gates = [(keras.Variable([1.0]), np.array([0])) for _ in range(2)]
    made = Probe([], gates, tf.Variable([1.0, 1.0]), tf.Variable([0.0]), lambda g: g**2)
    made([], [tf.constant([2.0]), tf.constant([3.0])])
    assert made.watch == [gate for gate, _ in gates]
    np.testing.assert_allclose(made.scores, [25])


def test_a_network_without_gates_has_no_scores():
    made = Probe([], [], tf.Variable([1.0, 1.0]), tf.Variable([0.0]), lambda g: g**2)
    assert made([tf.constant([2.0])], []) == [2]
    np.testing.assert_array_equal(made.scores, [0])
