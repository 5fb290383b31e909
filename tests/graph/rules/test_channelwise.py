"""Layers that work within channels: which keep a zero, which do not."""

import keras
import numpy as np
import pytest
from graphs import found
from random_graphs import stamp
from thinner import Thinner

from ns_tf.graph.rules import CHANNELWISE, THROUGH, UNKNOWN
from ns_tf.graph.walk import channel_graph

layers, ops = keras.layers, keras.ops


KEEPS_ZERO = [
    layers.ReLU(),
    layers.ReLU(6.0),
    layers.LeakyReLU(),
    layers.ELU(),
    layers.Activation("tanh"),
    layers.Activation("relu6"),
    layers.Activation("silu"),
    layers.Activation(keras.activations.gelu),
    layers.MaxPooling2D(),
    layers.AveragePooling2D(2, padding="same"),
    layers.GlobalAveragePooling2D(),
    layers.GlobalMaxPooling2D(),
    layers.UpSampling2D(),
    layers.ZeroPadding2D(),
    layers.Cropping2D(1),
    layers.Dropout(0.5),
    layers.SpatialDropout2D(0.5),
    layers.GaussianDropout(0.5),
    layers.Identity(),
    layers.PReLU(),
    layers.PReLU(shared_axes=[1, 2]),
    layers.PReLU(shared_axes=[1, 2, 3]),
    layers.Flatten(),
]


SPATIAL = {  # Of a sequence and of a volume, as of an image above.
    f"{name}{axes}D": (getattr(layers, f"{name}{axes}D"), axes)
    for name in (
        *("AveragePooling", "Cropping", "GlobalAveragePooling", "GlobalMaxPooling"),
        *("MaxPooling", "SpatialDropout", "UpSampling", "ZeroPadding"),
    )
    for axes in (1, 3)
}


@pytest.mark.parametrize("layer", KEEPS_ZERO, ids=lambda layer: layer.name)
def test_layers_that_pass_channels_through_keep_a_zero(layer, rng):
    kind, reason, graph = found(layer)
    assert (kind, reason) == (THROUGH, None)
    x = rng.normal(size=(3, 6, 7, 11)).astype("float32")
    x[..., 4] = 0
    y = np.array(layer(x))
    # Channels vary fastest in what comes out, whatever its rank.
    y = y.reshape(len(y), -1, 11)
    assert (y[..., 4] == 0).all()
    assert (np.abs(np.delete(y, 4, axis=-1)).max(axis=(0, 1)) > 0).all()
    np.testing.assert_array_equal(
        graph.axes["b", "kernel"][-2].reshape(-1, 11) - graph.groups[0].channels, 0
    )


@pytest.mark.parametrize("name", SPATIAL)
def test_layers_of_sequences_and_volumes_pass_channels_through(name, rng):
    make, axes = SPATIAL[name]
    needed = {"Spatial": (0.5,), "Average": (2,)}.get(name[:7], ())
    layer = make(*needed)
    convolution = {1: layers.Conv1D, 3: layers.Conv3D}[axes]
    image = keras.Input((6,) * axes + (3,), name="image")
    x = layer(convolution(11, 1, name="a")(image))
    x = layers.Dense(2, name="logits")(layers.Flatten()(x))
    model = keras.Model(image, x)
    graph = channel_graph(model)
    assert {g.name: g.frozen is None for g in graph.groups}["a"]
    assert {c.name: c.kind for c in graph.calls}[layer.name] == THROUGH
    y = np.array(layer(rng.normal(size=(3, *(6,) * axes, 11)) * (np.arange(11) != 4)))
    y = y.reshape(len(y), -1, 11)
    assert (y[..., 4] == 0).all() and np.abs(y[..., 5]).max() > 0


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "hard_sigmoid", "exponential"])
def test_activations_that_lift_a_zero_are_not_passed_through(name):
    kind, reason, _ = found(layers.Activation(name))
    assert (kind, reason) == (CHANNELWISE, None)


def test_an_activation_that_is_a_layer_of_keras_leaves_channels_free():
    for layer in (layers.ReLU(6.0), layers.LeakyReLU(), layers.ELU()):
        kind, reason, _ = found(layers.Activation(layer))
        assert (kind, reason) == (THROUGH, None)


def test_a_leaky_relu_with_a_threshold_does_not_keep_a_zero():
    layer = layers.ReLU(negative_slope=0.5, threshold=1.0)
    assert float(layer(np.zeros(1))[0]) == -0.5
    assert found(layer)[0] == CHANNELWISE


OPERATIONS = {  # Whether a zero stays zero, and a factor a factor.
    **dict.fromkeys("relu relu6 leaky_relu abs negative".split(), (True, True)),
    **dict.fromkeys("tanh silu gelu elu square hard_silu".split(), (True, False)),
    **dict.fromkeys("sigmoid softplus exp hard_sigmoid".split(), (False, False)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_work_within_channels(name, rng):
    zero, factor = OPERATIONS[name]
    function = getattr(ops, name)
    image = keras.Input((6, 7, 3), name="image")
    x = function(layers.Conv2D(11, 1, name="a")(image))
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2)(x)))
    call = graph.calls[2]
    assert graph.groups[0].frozen is None
    assert call.kind == (THROUGH if zero else CHANNELWISE) and call.scales == factor
    values = rng.normal(size=23)
    assert (float(function(0.0)) == 0) == zero
    if factor and name != "relu6":
        np.testing.assert_allclose(function(3 * values), 3 * function(values), 1e-6)


@pytest.mark.parametrize(
    "layer, kind",
    [
        (layers.Rescaling(0.5), THROUGH),
        (layers.Rescaling(0.5, offset=1.0), CHANNELWISE),
        (layers.Rescaling([0.5] * 11), UNKNOWN),
        (layers.Softmax(axis=(1, 2)), CHANNELWISE),
        (layers.Softmax(), UNKNOWN),
        (layers.Resizing(3, 4), THROUGH),
        (layers.Resizing(9, 9, pad_to_aspect_ratio=True), THROUGH),
        (layers.Resizing(9, 9, pad_to_aspect_ratio=True, fill_value=2.0), CHANNELWISE),
        (layers.Resizing(9, 9, fill_value=2.0), THROUGH),
    ],
)
def test_settings_decide_what_a_layer_does(layer, kind):
    assert found(layer)[0] == kind


@pytest.mark.parametrize("limits", [(-1, 6), (0.0, 1.0), (0.5, 1.0)])
def test_a_clip_keeps_a_zero_between_its_limits(limits):
    image = keras.Input((6, 7, 3), name="image")
    x = ops.clip(layers.Conv2D(11, 1, name="a")(image), *limits)
    graph = channel_graph(keras.Model(image, layers.GlobalMaxPooling2D()(x)))
    assert graph.calls[2].kind == (THROUGH if limits[0] <= 0 else CHANNELWISE)


@pytest.mark.parametrize("over", [ops.any, ops.all])
def test_masks_of_concatenated_channels_leave_them_free(over, float64, rng):
    """Keras's mask of a concatenation is whether any channel of it is masked."""
    tokens, steps = keras.Input((7,), dtype="int32"), keras.Input((7, 3))
    words = layers.Embedding(11, 8, mask_zero=True, name="a")(tokens)
    other = layers.Dense(6, name="b")(steps)
    both = layers.Concatenate()([words, other])
    options = {}
    if over is ops.all:
        odd = ops.expand_dims(tokens % 2 == 1, -1)
        odd = ops.logical_or(odd, ops.zeros_like(words, "bool"))
        masks = [odd, ops.ones_like(other, "bool")]
        options = {"mask": ops.all(ops.concatenate(masks, -1), -1)}
    x = layers.LSTM(5, name="c")(both, **options)
    model = keras.Model([tokens, steps], layers.Dense(2)(x))
    assert {type(one).__name__ for one in model.operations} & {"Any", "All"}
    graph = channel_graph(model)
    assert [group.frozen for group in graph.groups[:3]] == [None] * 3
    thinner = Thinner(stamp(model, rng), graph)
    keep = thinner.subset(rng, 0.5)
    examples = [rng.integers(0, 3, (4, 7)), rng.normal(size=(4, 7, 3))]
    thin = np.array(thinner.thin(keep)(examples))
    assert np.abs(thin).min() > 1e-6
    np.testing.assert_allclose(thin, thinner.closed(keep)(examples), rtol=0, atol=1e-10)


@pytest.mark.parametrize("axis", [-1, (-2, -1), 1, None])
def test_channels_stay_that_a_mask_tells_apart(axis):
    steps = keras.Input((7, 3))
    x = ops.any(layers.Dense(5, name="a")(steps) > 0, axis=axis, keepdims=True)
    graph = channel_graph(keras.Model(steps, x))
    assert graph.groups[0].frozen.startswith("Any 'any")
