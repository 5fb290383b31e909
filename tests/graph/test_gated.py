"""A network with its gates as an input: open, closed, and differentiated."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from picked import picked

from ns_tf.graph import gates, weights
from ns_tf.graph.gated import GatedNetwork, PassGates, gates_at
from ns_tf.graph.gates import Gates
from ns_tf.graph.thin import rebuild
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import take

layers = keras.layers
HANDMADE = (
    *("chain", "no_norm", "norm_last", "concat", "flatten", "depthwise", "residual"),
    *("excite", "shared", "operators", "dense_block"),
)
# Of whose parts the other handmade networks are made.
PARTED = "residual", "concat", "depthwise", "excite", "shared", "flatten"
APPLICATIONS = (
    *("VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "DenseNet121"),
    *("EfficientNetB0", "EfficientNetV2B0", "Xception", "MobileNetV3Small"),
)


def some(graph, rng, share=0.6):
    """[n] bool: a part of every group, all of the frozen ones."""
    keep = (rng.random(len(graph.owner)) < share) | graph.frozen
    for group in graph.groups:
        keep[rng.choice(group.channels)] = True
    return keep


def cut(model, graph, keep):
    """The network of the channels `keep` alone, with the model's weights."""
    thin, _ = rebuild(model, graph, keep, Gates((), {}))
    arrays = weights.values(model)
    axes = graph.axes
    weights.assign(
        thin, {key: take(a, axes.get(key, ()), keep) for key, a in arrays.items()}
    )
    return thin


def check(model, rng, tolerance=1e-10):
    """Open gates are the network, closed ones the network without the channels."""
    graph = channel_graph(model)
    gated = GatedNetwork(model, graph)
    images = rng.normal(size=(3, *model.inputs[0].shape[1:]))
    expected = np.array(model(images, training=False))
    found = np.array(gated.model([images, gated.rows(3)], training=False))
    np.testing.assert_array_equal(found, expected)
    keep = some(graph, rng)
    found = gated.model([images, gated.rows(3, keep)], training=False)
    thin = np.array(cut(model, graph, keep)(images, training=False))
    scale = max(1.0, np.abs(thin).max())
    np.testing.assert_allclose(found, thin, atol=tolerance * scale, rtol=0)
    return keep


@pytest.mark.parametrize("name", picked(PARTED, HANDMADE))
def test_open_is_the_network_and_closed_is_the_network_without(
    name, handmade, randomise, rng, float64
):
    keep = check(randomise(handmade[name]()), rng)
    assert not keep.all()


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_same_of_networks_that_people_have(name, rng, float64, randomise):
    make = getattr(keras.applications, name)
    model = make(weights=None, classes=5, input_shape=(75, 75, 3))
    assert not check(model, rng).all()


def test_the_model_that_is_gated_stays_as_it_was(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    before, config = weights.values(model), model.to_json()
    GatedNetwork(model, channel_graph(model))
    assert model.to_json() == config
    assert len(model.get_layer("a").output.shape) == 4  # Called once, as before.
    for key, value in weights.values(model).items():
        np.testing.assert_array_equal(value, before[key])


def test_a_row_gates_its_own_image_alone(handmade, randomise, rng, float64):
    model = randomise(handmade["residual"]())
    graph = channel_graph(model)
    gated = GatedNetwork(model, graph)
    images = rng.normal(size=(2, 6, 7, 3))
    keep = some(graph, rng)
    rows = np.concatenate([gated.rows(1), gated.rows(1, keep)])
    found = np.array(gated.model([images, rows], training=False))
    one, other = (
        np.array(m(images, training=False)) for m in (model, cut(model, graph, keep))
    )
    np.testing.assert_allclose(found[0], one[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], other[1], atol=1e-10)


@pytest.mark.parametrize("name", ["chain", "concat", "residual", "depthwise", "excite"])
def test_a_derivative_by_a_gate_is_a_finite_difference(
    name, handmade, randomise, rng, float64
):
    model = randomise(handmade[name]())
    gated = GatedNetwork(model, channel_graph(model))
    images, size = tf.constant(rng.normal(size=(2, 6, 7, 3))), len(gated.graph.owner)
    weight = rng.normal(size=5)

    def answer(rows):
        return gated.model([images, rows], training=False) @ weight[:, None]

    rows = tf.constant(gated.rows(2))
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = tf.reduce_sum(answer(rows))
    gradient = tape.gradient(total, rows).numpy()
    for channel in rng.choice(size, 4, replace=False):
        step = np.zeros(size + 1)
        step[channel] = 1e-6
        difference = (answer(rows + step) - answer(rows - step)) / 2e-6
        np.testing.assert_allclose(
            gradient[:, channel], np.array(difference)[:, 0], atol=1e-6
        )


def test_channels_that_are_kept_for_good_have_no_gate(handmade, randomise):
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    assert (
        GatedNetwork(model, graph).edges
        == gates.edges(graph)
        == {
            ("b", 0, 0): ("a_relu", 0, 0),
            ("logits", 0, 0): ("average", 0, 0),
        }
    )


def test_tensors_have_the_names_of_the_graph(handmade, randomise, rng):
    """Before the gates, and behind them."""
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    gated = GatedNetwork(model, graph)
    assert set(gated.tensors) == {c.output for c in graph.calls} - {("image", 0, 0)}
    name = ("a_relu", 0, 0)
    reader = gated.reader([gated.tensors[name], gated.gated[name]])
    images = rng.normal(size=(3, 6, 7, 3)).astype("float32")
    keep = some(graph, rng)
    before, behind = reader([images, gated.rows(3, keep)], training=False)
    part = keras.Model(model.input, model.get_layer("a_relu").output)
    np.testing.assert_allclose(before, part(images), rtol=1e-5)
    gate = keep[graph.channels[name]]
    np.testing.assert_allclose(behind, np.array(before) * gate, rtol=1e-5)


def test_gates_are_read_from_their_places_of_a_row(rng):
    layer = PassGates([2, 0, 3])
    x = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    row = rng.normal(size=(2, 4)).astype("float32")
    expected = x * row[:, [2, 0, 3]][:, None, None, :]
    np.testing.assert_allclose(layer(x, row), expected, rtol=1e-6)
    copy = PassGates.from_config(layer.get_config())
    np.testing.assert_array_equal(copy(x, row), layer(x, row))


def test_gates_that_follow_each_other_are_a_slice_and_have_the_same_derivative(rng):
    """The derivative by a slice is one operation, by a gather thirty."""
    row, weights = rng.normal(size=(2, 7)), rng.normal(size=(2, 3))

    @tf.function(autograph=False)
    def found(row, places):
        with tf.GradientTape() as tape:
            tape.watch(row)
            made = gates_at(row, places)
            total = tf.reduce_sum(made * weights)
        return made, tape.gradient(total, row)

    operations = {}
    for places in ([2, 3, 4], [4, 2, 3]):
        traced = found.get_concrete_function(tf.TensorSpec((2, 7), "float64"), places)
        operations[places[0]] = len(traced.graph.get_operations())
        made, derivative = traced(tf.constant(row))
        expected = np.zeros((2, 7))
        expected[:, places] = weights
        np.testing.assert_array_equal(made, row[:, places])
        np.testing.assert_array_equal(derivative, expected)
    assert operations[2] < operations[4] / 2


def test_every_branch_of_a_siamese_network_has_its_own_input(float64, rng):
    """A shared layer reads two inputs of the model."""
    one, other = keras.Input((5,), name="one"), keras.Input((5,), name="other")
    first, last = layers.Dense(7, name="first"), layers.Dense(3, name="last")
    x = last(keras.ops.tanh(first(one))) - 2 * last(keras.ops.tanh(first(other)))
    model = keras.Model([one, other], layers.Dense(2)(x))
    graph = channel_graph(model)
    gated, inputs = GatedNetwork(model, graph), tuple(rng.normal(size=(2, 4, 5)))
    rows = gated.rows(4)
    np.testing.assert_allclose(gated.model([inputs, rows]), model(inputs), atol=1e-12)
    keep = some(graph, rng)
    found = gated.model([inputs, gated.rows(4, keep)])
    thin = cut(model, graph, keep)(inputs)
    np.testing.assert_allclose(found, thin, atol=1e-12)


def test_gates_of_an_example_are_those_of_all_of_its_rows(rng):
    layer, x = PassGates([2, 0], rows=3), rng.normal(size=(6, 4, 2))
    row = rng.normal(size=(2, 4))
    expected = x * np.repeat(row[:, [2, 0]], 3, axis=0)[:, None]
    np.testing.assert_allclose(layer(x, row), expected, rtol=1e-5)
    np.testing.assert_allclose(layer(x, row[:1]), x * row[0, [2, 0]], rtol=1e-5)
