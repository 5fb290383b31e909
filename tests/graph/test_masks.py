"""Masks in kernels: which weights can go, what they compute, what gates learn from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.graph import weights
from ns_tf.graph.masks import Kernels, MaskedNetwork, masked, straight_through


def slopes(formula, *values):
    """Gradients of sum(formula(values) (0.1, 0.3))."""
    variables = [tf.Variable(value) for value in values]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(formula(*variables) * [0.1, 0.3])
    return [gradient.numpy() for gradient in tape.gradient(loss, variables)]


def test_the_derivative_by_a_gate_is_that_by_the_magnitude():
    """The sheet's numbers: coarse (0.1, -0.3), of the product (0.05, -0.06)."""
    w, open_, closed = [0.5, -0.2], [1.0, 1.0], [0.0, 0.0]
    by_weight, by_gate = slopes(straight_through, w, open_)
    np.testing.assert_allclose(by_weight, [0.1, 0.3])
    np.testing.assert_allclose(by_gate, [0.1, -0.3])
    np.testing.assert_allclose(slopes(tf.multiply, w, open_)[1], [0.05, -0.06])
    by_weight, by_gate = slopes(straight_through, w, closed)
    np.testing.assert_allclose(by_weight, [0, 0], err_msg="hidden weights stay")
    np.testing.assert_allclose(by_gate, [0.1, -0.3], err_msg="and may come back")


def test_signs_are_taken_for_derivatives_alone():
    """Kernels go through memory once for a forward pass."""
    value = tf.TensorSpec((2,))
    made = tf.function(straight_through).get_concrete_function(value, value)
    kinds = {operation.type for operation in made.graph.get_operations()}
    assert "Mul" in kinds and not {"Sign", "Sub", "AddV2"} & kinds


def test_kernels_that_train_can_lose_weights_and_nothing_else(handmade):
    model = handmade["depthwise"]()
    found = Kernels.of(model)
    of_kernels = {
        key: variable.shape
        for key, variable in weights.weights(model).items()
        if "kernel" in key[1]
    }
    assert found.shapes == of_kernels and len(found.names) == len(of_kernels)
    arrays = weights.values(model)
    flat = found.flat(arrays)
    assert flat.shape == (found.size,) == (sum(found.sizes),)
    for key, array in found.shaped(flat).items():
        np.testing.assert_array_equal(array, arrays[key])
    first, *rest = found.shapes
    model.get_layer(first[0]).trainable = False
    assert list(Kernels.of(model).shapes) == rest
    assert list(Kernels.of(model, [rest[0][0], "nothing"]).shapes) == rest[1:]
    assert Kernels.of(keras.Sequential([keras.Input((3,))])).size == 0


def test_a_masked_network_is_one_with_zeros_and_hides_no_statistics(
    handmade, randomise, rng, float64
):
    model, twin = (randomise(handmade["residual"]()) for _ in range(2))
    weights.assign(twin, weights.values(model))
    kernels = Kernels.of(model)
    gates = rng.integers(0, 2, kernels.size + 1).astype(float)
    network = MaskedNetwork(model, kernels, keras.Variable(gates))
    before = kernels.flat(weights.values(model))
    masked(twin, kernels.shaped(gates[:-1] > 0))
    with pytest.raises(KeyError):  # Not skipped: another network has no such weight.
        masked(twin, {("none", "kernel"): gates})
    images = rng.normal(size=(3, 6, 7, 3))
    for training in (False, True, False):
        found, expected = (one(images, training=training) for one in (network, twin))
        np.testing.assert_allclose(found, expected, atol=1e-10)
    np.testing.assert_array_equal(kernels.flat(weights.values(model)), before)
    left = kernels.flat(weights.values(twin))
    np.testing.assert_array_equal(left, np.where(gates[:-1], before, 0))
