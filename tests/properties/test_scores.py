"""Scores and removals are those of factors put by hand on every leaving edge."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from picked import picked
from random_graphs import (
    IMAGE,
    Drawn,
    assert_removing_is_zeroing,
    stamp,
    with_factors,
)
from small import prunable
from trained import noise_images, scored

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


@pytest.mark.parametrize("seed", picked({3}, range(6)))
def test_scores_of_random_networks_are_those_of_factors_on_all_edges(seed, float64):
    rng = np.random.default_rng(seed)
    model = stamp(Drawn(rng).model(), rng)
    assert_scores_are_those_of_the_factors(model, rng)


@pytest.mark.parametrize("seed", picked({6, 12}, range(6, 14)))
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


@pytest.mark.parametrize(
    "case",
    picked(lambda case: case not in (smooth, partly_past_its_norm), CASES),
    ids=lambda case: case.__name__,
)
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


# Channels that act on one another within a layer.


def steps_of(image):
    return layers.Reshape((3, 20))(image)


def recurrent(image):
    gru = layers.GRU(4, return_sequences=True, reset_after=False)
    x = layers.Bidirectional(gru, name="both")(steps_of(image))
    return layers.LSTM(5, go_backwards=True, name="lstm")(x)


def attended(image):
    x = layers.Dense(4, name="a")(steps_of(image))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(3, 5, 2, name="attention")(y, y)
    x = layers.GroupQueryAttention(3, 4, 2, use_gate=True, name="grouped")(x, x)
    return layers.GlobalAveragePooling1D()(layers.ReLU()(x))


@pytest.fixture
def within(of, float64):
    """A network whose layers read within them what they make."""
    image = keras.Input(IMAGE, name="image")
    x = layers.Dense(5, name="logits")(of(image))
    return stamp(keras.Model(image, x), np.random.default_rng(31))


def of(quick):
    """Tests networks that are recurrent and that attend."""
    return pytest.mark.parametrize("of", picked(quick, [recurrent, attended]))


@of({recurrent})
def test_channels_within_a_layer_are_scored_where_they_are_read(within, rng):
    """By a search, and of a trained network: there is no batch norm."""
    graph, dataset = channel_graph(within), noise_images(rng, IMAGE, count=11)
    images = dataset.train.images[:7].astype(float)
    labels = dataset.train.labels[:7]
    expected = squared_gradients(*with_factors(within, graph), images, labels)
    pruned = prunable(within, graph)
    pruned.train(images, labels, 0.0)
    network = scored(within, dataset, graph=graph)
    gradients = network.example_gradients(images, labels).mean(axis=0)
    free = ~graph.frozen
    assert (expected[free] > 0).all()
    for found in (pruned.score_sums(), gradients**2):
        np.testing.assert_allclose(found[free], expected[free], rtol=1e-8, atol=1e-14)


@of({recurrent})
def test_what_nothing_reads_has_the_lowest_score(within, rng):
    """A unit, a head and an entry without weights. Norms count what is zero."""
    graph = channel_graph(within)
    some = [group for group in graph.groups if not group.frozen and group.name != "a"]
    dead = [group.channels[1] for group in some]
    keep = np.ones(len(graph.owner), bool)
    keep[dead] = False
    by_key = weights.weights(within)
    for key, axes in graph.axes.items():
        value = np.array(by_key[key])
        for place, axis in enumerate(axes):
            if axis is not None:
                shape = [1] * value.ndim
                shape[place] = -1
                value = value * weights.stays(axis, keep).reshape(shape)
        by_key[key].assign(value)
    pruned = prunable(within, graph)
    pruned.train(rng.normal(size=(7, *IMAGE)), rng.integers(0, 5, 7), 0.0)
    scores = pruned.score_sums()
    assert (scores[dead] == 0).all()
    assert (scores[keep & ~graph.frozen] > 0).all()


@of(())
def test_a_search_trains_the_same_thin_or_masked(within, rng):
    """Three steps with momentum, then again without what was closed."""
    graph = channel_graph(within)
    gone = np.array([g.channels[0] for g in graph.groups if not g.frozen])
    found = []
    for thin in (False, True):
        pruned = prunable(within, graph, search_momentum=0.9)
        draw = np.random.default_rng(5)
        for step in range(3):
            if step == 1:
                pruned.close(gone)
                pruned.forget()
                if thin:
                    pruned.compact()
            images, labels = draw.normal(size=(7, *IMAGE)), draw.integers(0, 5, 7)
            loss = pruned.train(images, labels, 0.1)
        found.append((float(loss), pruned.score_sums()[pruned.alive]))
    (loss, scores), (thin_loss, thin_scores) = found
    assert abs(loss - thin_loss) < 1e-10
    np.testing.assert_allclose(scores, thin_scores, rtol=1e-6, atol=1e-12)
