"""Scores and removals are those of factors put by hand on every leaving edge."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_graphs import (
    IMAGE,
    Drawn,
    assert_removing_is_zeroing,
    stamp,
    with_factors,
)
from small import prunable

from ns_tf.graph import gates, weights
from ns_tf.graph.gates import Gates
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def squared_gradients(model, factors, images, labels) -> np.ndarray:
    """[channels]: (dL/dg)^2 of the factors of one training step."""
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, model(images, training=True), from_logits=True
        )
        loss = tf.reduce_mean(losses)
    return tf.convert_to_tensor(tape.gradient(loss, factors)).numpy()[:-1] ** 2


def assert_scores_are_those_of_the_factors(model, rng) -> np.ndarray:
    graph = channel_graph(model)
    images, labels = rng.normal(size=(7, *IMAGE)), rng.integers(0, 5, 7)
    arrays = weights.values(model)
    expected = squared_gradients(*with_factors(model, graph), images, labels)
    weights.assign(model, arrays)  # Moving statistics were changed.
    pruned = prunable(model, graph)
    pruned.train(images, labels, 0.0)
    free, scores = ~graph.frozen, pruned.score_sums()
    np.testing.assert_allclose(
        scores[free], expected[free], rtol=1e-8, atol=1e-12 * max(expected.max(), 1e-9)
    )
    return expected[free]


@pytest.mark.parametrize("seed", range(6))
def test_scores_of_random_networks_are_those_of_factors_on_all_edges(seed, float64):
    rng = np.random.default_rng(seed)
    model = stamp(Drawn(rng).model(), rng)
    assert_scores_are_those_of_the_factors(model, rng)


@pytest.mark.parametrize("seed", range(6, 14))
def test_removing_from_random_networks_is_zeroing_what_others_read(seed, float64):
    rng = np.random.default_rng(seed)
    assert_removing_is_zeroing(stamp(Drawn(rng).model(), rng), rng)


# What norms alone cannot be the gate of.


def convolved(x, width, name):
    return layers.Conv2D(width, 3, padding="same", name=name)(x)


def normed(x, width, name):
    return layers.BatchNormalization(name=f"{name}_bn")(convolved(x, width, name))


def partly_past_its_norm(image):
    a = convolved(image, 5, "a")
    norm = layers.BatchNormalization(name="a_bn")(a)
    return convolved(layers.Concatenate()([norm, a]), 4, "b"), convolved(norm, 3, "c")


def beside_a_plain_branch(image):
    a, b = normed(image, 5, "a"), convolved(image, 4, "b")
    return convolved(layers.Concatenate()([a, b]), 3, "c"), convolved(a, 4, "d")


def u_net(image):
    encoded = layers.ReLU()(normed(image, 5, "encode"))
    x = layers.ReLU()(normed(layers.MaxPooling2D((2, 1))(encoded), 6, "inner"))
    x = convolved(layers.UpSampling2D((2, 1))(x), 4, "decode")  # Without a norm.
    return (convolved(layers.Concatenate()([encoded, x]), 3, "end"),)


def one_norm_of_two_layers(image):
    norm = layers.BatchNormalization(name="norm")
    a, b = norm(convolved(image, 5, "a")), norm(convolved(image, 5, "b"))
    filtered = layers.DepthwiseConv2D(3, padding="same")(b)
    y = layers.BatchNormalization(name="y_bn")(filtered)
    return convolved(a, 4, "x"), convolved(y, 4, "y")


def one_layer_of_two_groups(image):
    layer = layers.Conv2D(5, 3, padding="same", name="both")
    a, b = convolved(image, 4, "a"), normed(image, 4, "b")
    return convolved(layer(a), 3, "c"), layer(b)


def a_sum_of_norms_and_more(image):
    x = layers.Add()([normed(image, 5, "a"), normed(image, 5, "b")])
    y = layers.Concatenate()([x, convolved(image, 2, "c")])
    return convolved(layers.ReLU()(x), 3, "d"), convolved(y, 3, "e")


def smooth(image):
    x = layers.Activation("silu")(normed(image, 5, "a"))
    return (layers.Activation("gelu")(normed(x, 4, "b")),)


def smooth_and_straight(image):
    x = normed(image, 5, "a")
    y = convolved(layers.Activation("tanh")(x), 3, "b")
    return y, convolved(layers.ReLU()(x), 3, "c")


CASES = (
    *(partly_past_its_norm, beside_a_plain_branch, u_net, one_norm_of_two_layers),
    *(one_layer_of_two_groups, a_sum_of_norms_and_more, smooth, smooth_and_straight),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_channels_that_leave_by_several_ways_are_scored_once_on_each(case, float64):
    rng = np.random.default_rng(31)
    image = keras.Input(IMAGE, name="image")
    x = layers.Concatenate()([*case(image), convolved(image, 2, "last")])
    x = layers.GlobalAveragePooling2D()(x)
    model = stamp(keras.Model(image, layers.Dense(5, name="logits")(x)), rng)
    assert (assert_scores_are_those_of_the_factors(model, rng) > 0).sum() > 8


def test_a_relu_with_a_cap_is_gated_before_it_as_in_the_paper(rng, float64):
    """Departure: a value that it cuts off counts nothing (docs/design.md)."""
    image = keras.Input(IMAGE, name="image")
    norm = normed(image, 5, "a")
    x = layers.GlobalAveragePooling2D()(layers.ReLU(0.5)(norm))
    model = stamp(keras.Model(image, layers.Dense(5, name="logits")(x)), rng)
    graph = channel_graph(model)
    assert gates.place(graph) == Gates(("a_bn",), {})
    images, labels = rng.normal(size=(7, *IMAGE)), rng.integers(0, 5, 7)
    factors = tf.Variable(np.ones(6))
    x = layers.ReLU(0.5)(norm * tf.constant(1.0, tf.float64))
    behind = keras.Model(image, norm)
    with tf.GradientTape() as tape:
        x = tf.clip_by_value(behind(images, training=True) * factors[:5], 0, 0.5)
        outputs = model.get_layer("logits")(tf.reduce_mean(x, (1, 2)))
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=True
            )
        )
    expected = tf.convert_to_tensor(tape.gradient(loss, factors)).numpy()[:5] ** 2
    pruned = prunable(model, graph)
    pruned.train(images, labels, 0.0)
    np.testing.assert_allclose(pruned.score_sums()[:5], expected, rtol=1e-8)
