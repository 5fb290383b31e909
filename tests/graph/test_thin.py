"""Closing a channel's gates is the same as removing it, exactly, for every network."""

import keras
import numpy as np
import pytest
from picked import picked
from thinner import Thinner

from ns_tf.graph import gates
from ns_tf.graph.thin import rebuild, selection
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import stays, take
from ns_tf.networks import architectures, structure
from ns_tf.networks.structure import shapes_only

layers = keras.layers

HANDMADE = (
    *("chain", "no_norm", "norm_last", "concat", "flatten", "depthwise", "residual"),
    *("excite", "shared", "operators", "dense_block"),
)
# Architecture, image size. Widths are drawn from two numbers, so that many shortcuts
# are identities between layers that will come apart.
ARCHITECTURES = {
    "vgg11": 32,
    "preact_resnet18": 8,
    "mobilenet_v2": 8,
}


def assert_same(one, other, images, tolerance) -> None:
    for training in (False, True):
        expected = np.array(one(images, training=training))
        scale = np.abs(expected).max()
        # Images get answers of their own: nothing has died.
        assert np.ptp(expected, axis=0).max() > 1e-3 * scale > 0
        np.testing.assert_allclose(
            np.array(other(images, training=training)),
            expected,
            rtol=0,
            atol=tolerance * scale,
        )


def analyse(name):
    size = ARCHITECTURES[name]
    return structure.analyse(architectures.get(name), (size, size, 3), 5)


def build(name, handmade, randomise, rng) -> tuple[Thinner, np.ndarray]:
    """A network with random weights, and images for it.

    Tests read the network and its arrays; each rebuilds and fills copies of its own,
    so the tests of one precision share it.
    """
    key = name, keras.config.floatx()
    if key not in BUILT:
        BUILT[key] = _build(name, handmade, randomise, rng)
    return BUILT[key]


BUILT: dict = {}


def _build(name, handmade, randomise, rng) -> tuple[Thinner, np.ndarray]:
    if name in handmade:
        model = randomise(handmade[name]())
        graph = channel_graph(model)
    else:
        found = analyse(name)
        widths = rng.choice([5, 7], len(found.primary))
        model = randomise(found.build(widths))
        graph = found.graph(model)
    # Each image has a mean of its own, which the averages at the end can see.
    images = rng.normal(size=(7, *model.input_shape[1:]))
    images += rng.normal(size=(7, 1, 1, 3))
    settle(model, images)
    return Thinner(model, graph), images


def settle(model: keras.Model, images) -> None:
    """Sets the moving statistics to those of the images: no signal dies on its way."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)


# Of the others "depthwise" and "residual" have every operation.
@pytest.mark.parametrize(
    "name", picked({*HANDMADE, "vgg11"}, [*HANDMADE, *ARCHITECTURES])
)
def test_closed_gates_compute_what_the_thin_network_does(
    name, handmade, randomise, rng, float64
):
    thinner, images = build(name, handmade, randomise, rng)
    for share in (0.8, 0.5) if name in HANDMADE else (0.6,):
        keep = thinner.subset(rng, share)
        assert not keep.all()
        thin = thinner.thin(keep)
        assert thin.count_params() < thinner.model.count_params()
        assert_same(thinner.closed(keep), thin, images, 1e-10)


@pytest.mark.parametrize(
    "name",
    picked(HANDMADE, ["chain", "concat", "residual", "preact_resnet18"]),
)
def test_closed_gates_compute_what_the_thin_network_does_in_single_precision(
    name, handmade, randomise, rng
):
    thinner, images = build(name, handmade, randomise, rng)
    keep = thinner.subset(rng, 0.5)
    assert_same(
        thinner.closed(keep), thinner.thin(keep), images.astype("float32"), 1e-5
    )


@pytest.mark.parametrize("name", picked(HANDMADE, [*HANDMADE, "preact_resnet18"]))
def test_removing_nothing_changes_nothing(name, handmade, randomise, rng, float64):
    thinner, images = build(name, handmade, randomise, rng)
    everything = np.ones(len(thinner.graph.owner), bool)
    thin = thinner.thin(everything)
    if thinner.gates.edges:
        assert_same(thinner.model, thin, images, 1e-12)
    else:
        assert thin is thinner.model


@pytest.mark.parametrize("name", picked({"residual"}, ["residual", "preact_resnet18"]))
def test_thinning_in_two_steps_is_thinning_in_one(
    name, handmade, randomise, rng, float64
):
    thinner, images = build(name, handmade, randomise, rng)
    some = thinner.subset(rng, 0.7)
    fewer = some & thinner.subset(rng, 0.7)
    for group in thinner.graph.groups:
        fewer[group.channels[some[group.channels]][0]] = True
    axes = thinner.graph.axes
    for key, whole in thinner.arrays.items():
        once = take(whole, axes[key], fewer)
        held = [axis if axis is None else axis[stays(axis, some)] for axis in axes[key]]
        twice = take(take(whole, axes[key], some), held, fewer)
        np.testing.assert_array_equal(once, twice)
    assert_same(thinner.closed(fewer), thinner.thin(fewer), images, 1e-10)


def test_one_channel_of_every_group_is_enough(handmade, randomise, rng, float64):
    thinner, images = build("residual", handmade, randomise, rng)
    keep = thinner.subset(rng, 0)  # One channel of every group.
    thin = thinner.thin(keep)
    assert [thin.get_layer(name).filters for name in "abc"] == [1, 1, 1]
    assert_same(thinner.closed(keep), thin, images, 1e-10)


def test_an_identity_between_widths_that_come_apart_becomes_a_selection():
    found = analyse("preact_resnet18")
    model = shapes_only(found.build, [4] * 17)
    graph = found.graph(model)
    keep = np.ones(len(graph.owner), bool)
    by_maker = {maker: group for group in graph.groups for maker in group.makers}
    keep[by_maker["stem"].channels[1]] = False
    keep[by_maker["stage1_block1_conv2"].channels[2]] = False
    at = gates.place(graph)
    with keras.StatelessScope(initialize_variables=False):
        thin, extra = rebuild(model, graph, keep, at)
    # The second block's ends are the first block's sum and its own.
    assert [key for key in extra if key[1] == "kernel"] == [
        ("stage1_block1_add_select1", "kernel"),
        ("stage1_block2_add_select1", "kernel"),
    ]
    axes = extra["stage1_block1_add_select1", "kernel"]
    kernel = take(selection(4), axes, keep)
    # Stem 0, 2, 3 to sum 0, 1, 3.
    np.testing.assert_array_equal(kernel[0, 0], [[1, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert not thin.get_layer("stage1_block1_add_select1").trainable


def test_a_shared_layer_may_be_called_on_what_is_deeper_first(randomise, rng, float64):
    """
    image - a[7] -+- b[7] - c[7] - twice ---+ add - average - logits
                  +- twice - relu - d[7] ---+
    """
    image = keras.Input((6, 7, 3), name="image")
    twice = layers.Conv2D(7, 1, name="twice")
    a = layers.Conv2D(7, 1, name="a")(image)
    deep = twice(layers.Conv2D(7, 1, name="c")(layers.Conv2D(7, 1, name="b")(a)))
    shallow = layers.Conv2D(7, 1, name="d")(layers.ReLU(name="relu")(twice(a)))
    x = layers.Add(name="add")([deep, shallow])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = randomise(keras.Model(image, layers.Dense(5, name="logits")(x)))
    thinner = Thinner(model, channel_graph(model))
    images = rng.normal(size=(11, 6, 7, 3)) + rng.normal(size=(11, 1, 1, 3))
    assert_same(model, thinner.gated, images, 1e-12)


def test_a_shared_layer_may_be_called_twice_on_one_tensor(randomise, rng, float64):
    """Keras's copies of the two calls cannot be told apart, and need not be."""
    image = keras.Input((6, 7, 3), name="image")
    relu, twice = layers.ReLU(name="relu"), layers.Conv2D(5, 1, name="twice")
    a = layers.Conv2D(7, 1, name="a")(image)
    one, other = twice(relu(a)), layers.Conv2D(5, 1, name="b")(relu(a))
    x = layers.Concatenate(name="concat")([one, other, twice(relu(a))])
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = randomise(keras.Model(image, layers.Dense(5, name="logits")(x)))
    thinner = Thinner(model, channel_graph(model))
    images = rng.normal(size=(11, 6, 7, 3)) + rng.normal(size=(11, 1, 1, 3))
    keep = thinner.subset(rng, 0.5)
    assert_same(thinner.closed(keep), thinner.thin(keep), images, 1e-10)


# The pieces.


def test_the_seed_is_not_changed(handmade, randomise, rng):
    thinner, images = build("residual", handmade, randomise, rng)
    before = np.array(thinner.model(images))
    thinner.closed(thinner.subset(rng, 0.5))
    thinner.thin(thinner.subset(rng, 0.5))
    np.testing.assert_array_equal(thinner.model(images), before)
