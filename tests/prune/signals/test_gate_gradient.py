"""Gradients of the gates, as training reads them."""

import keras
import numpy as np
from small import batches, made_by, planted, prunable

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
