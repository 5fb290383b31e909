"""Filters as gates: the pull on a kernel is the derivative of what it pays."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from trained import noise_images, pruner

from ns_tf.base import InputError
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph
from ns_tf.prune import gatings
from ns_tf.prune.filters import Filters, sizes

FORMULAS = gatings.get("group_lasso").formulas


@pytest.mark.parametrize("name", ["chain", "concat", "residual"])
def test_the_pull_is_the_derivative_of_the_penalty(name, handmade, randomise):
    """strength · sum over filters of price · size, by TensorFlow's own derivative."""
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    gates = Filters(model, graph, FORMULAS, Runtime().execution)
    price = np.linspace(1.0, 2.0, len(graph.owner))
    gates.press(0.5, price)
    prices = np.append(price, 0.0)
    with tf.GradientTape() as tape:
        penalty = 0.0
        for key, axis in weights.making(model, graph):
            kernel = tf.convert_to_tensor(weights.weights(model)[key])
            last = np.moveaxis(np.arange(kernel.ndim), axis, -1)
            flat = tf.reshape(tf.transpose(kernel, last), (-1, kernel.shape[axis]))
            root = tf.sqrt(tf.reduce_mean(flat**2, axis=0))
            own = prices[graph.axes[key][axis]].astype("float32")
            penalty += 0.5 * tf.reduce_sum(own * root)
    variables = model.trainable_variables
    wanted = tape.gradient(penalty, [v.value for v in variables])
    zeros = [tf.zeros_like(v.value) for v in variables]
    for found, own in zip(gates.probe(zeros, []), wanted, strict=True):
        own = np.zeros(found.shape) if own is None else own
        np.testing.assert_allclose(found, own, atol=1e-6)


def test_a_channel_has_the_largest_of_its_filters(handmade, randomise):
    model = randomise(handmade["residual"]())
    graph = channel_graph(model)
    found = sizes(model, graph, FORMULAS)
    expected = np.zeros(len(found))
    for axes, kernel in weights.kernels(model, graph):
        root = np.sqrt((kernel**2).reshape(-1, kernel.shape[-1]).mean(axis=0))
        for channel, size in zip(axes[-1], root, strict=True):
            if channel >= 0:
                expected[channel] = max(expected[channel], size)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_filter_of_zeros_is_not_pulled_on_and_not_alive():
    kernel = np.array([[0.0, 3.0], [0.0, -4.0]], np.float32)
    pull = keras.ops.convert_to_numpy(FORMULAS.pull(kernel, np.float32(1.0)))
    np.testing.assert_allclose(pull, [[0, 3 / 50**0.5], [0, -4 / 50**0.5]], rtol=1e-6)
    size = keras.ops.convert_to_numpy(FORMULAS.size(kernel))
    assert FORMULAS.alive(size).tolist() == [False, True]


def test_a_network_without_norms_can_be_pruned_by_it_and_not_by_gammas(rng):
    x = image = keras.Input((8, 8, 3))
    for name, width in (("a", 7), ("b", 11)):
        x = keras.layers.Conv2D(width, 3, activation="relu", name=name)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
    images = noise_images(rng, shape=(8, 8, 3))
    pruner(model, images, method="group_lasso", macs=0.5).check()
    with pytest.raises(InputError, match="reads batch norms"):
        pruner(model, images, method="morphnet", macs=0.5).check()
