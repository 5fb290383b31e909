"""What single layers do to channels: one property a rule, and what has no rule."""

import keras
import numpy as np
import pytest

from ns_tf.graph.channels import NONE
from ns_tf.graph.rules import ADD, CHANNELWISE, JOIN, NORM, THROUGH, UNKNOWN
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def around(layer, *, shape=(6, 7, 3), flat=False) -> keras.Model:
    """image - a[11] - layer - b[5] - (average) - logits[2]."""
    image = keras.Input(shape, name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layer(x)
    if flat or len(x.shape) == 2:
        x = layers.Dense(5, name="b")(x)
    else:
        x = layers.Conv2D(5, 1, name="b")(x)
        x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, layers.Dense(2, name="logits")(x))


def found(layer, **options):
    """(kind of the layer's call, why a is frozen, graph)."""
    graph = channel_graph(around(layer, **options))
    (call,) = (call for call in graph.calls if call.name == layer.name)
    reasons = {group.name: group.frozen for group in graph.groups}
    assert reasons["logits"] == "it is the model's output"
    return call.kind, reasons["a"], graph


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
    layers.Flatten(),
]


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


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "hard_sigmoid", "exponential"])
def test_activations_that_lift_a_zero_are_not_passed_through(name):
    kind, reason, _ = found(layers.Activation(name))
    assert (kind, reason) == (CHANNELWISE, None)


def test_an_activation_in_a_layer_counts_as_well():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, activation="softmax", name="a")(image)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert "softmax of 'a'" in graph.groups[0].frozen


def test_a_sigmoid_in_a_layer_freezes_nothing():
    """A gate after it closes it; only what mixes channels has to stay whole."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, activation="sigmoid", name="a")(image)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].frozen is None


def test_a_leaky_relu_with_a_threshold_does_not_keep_a_zero():
    layer = layers.ReLU(negative_slope=0.5, threshold=1.0)
    assert float(layer(np.zeros(1))[0]) == -0.5
    assert found(layer)[0] == CHANNELWISE


class Doubled(layers.Layer):
    """Nobody's layer."""

    def call(self, x):
        return 2 * x


@pytest.mark.parametrize(
    "layer",
    [
        layers.LayerNormalization(name="odd"),
        layers.GroupNormalization(1, name="odd"),
        layers.Softmax(name="odd"),
        layers.Activation("softmax", name="odd"),
        layers.PReLU(name="odd"),
        layers.Permute((2, 1, 3), name="odd"),
        layers.Reshape((6, 11, 7), name="odd"),
        layers.Conv2D(22, 1, groups=11, name="odd"),
        layers.Conv2DTranspose(13, 3, name="odd"),
        layers.SeparableConv2D(13, 3, name="odd"),
        layers.BatchNormalization(axis=1, name="odd"),
        Doubled(name="odd"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_has_no_rule_freezes_what_reaches_it_and_is_named(layer):
    kind, reason, graph = found(layer)
    assert kind == UNKNOWN
    assert reason == f"{type(layer).__name__} 'odd' cannot be followed"
    # Nothing is known of what comes out; what is made after it is free again.
    assert (graph.axes["b", "kernel"][-2] == NONE).all()
    assert {g.name: g.frozen for g in graph.groups}["b"] is None


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.MaxPooling2D(data_format="channels_first", name="odd"),
        lambda: layers.Flatten(data_format="channels_first", name="odd"),
    ],
)
def test_channels_first_is_not_followed(layer):
    kind, reason, _ = found(layer())
    assert kind == UNKNOWN and "'odd'" in reason


def test_a_batch_norm_without_scale_or_centre_is_no_gate():
    for options in ({"scale": False}, {"center": False}):
        kind, reason, _ = found(layers.BatchNormalization(**options))
        assert (kind, reason) == (CHANNELWISE, None)
    assert found(layers.BatchNormalization(axis=3))[0] == NORM


def test_a_softmax_at_the_end_freezes_the_classes_only():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layers.GlobalAveragePooling2D()(x)
    for end in (
        layers.Dense(2, activation="softmax", name="classes"),
        keras.Sequential([layers.Dense(2, name="classes"), layers.Softmax()]).layers,
    ):
        y = x
        for layer in end if isinstance(end, list) else [end]:
            y = layer(y)
        reasons = {
            g.name: g.frozen for g in channel_graph(keras.Model(image, y)).groups
        }
        assert reasons["a"] is None
        assert reasons["classes"] is not None


def joined(layer, *inputs) -> keras.Model:
    return keras.Model(inputs[0], layers.Dense(2, name="logits")(layer(list(inputs))))


@pytest.mark.parametrize(
    "layer, kind",
    [
        (layers.Add(), ADD),
        (layers.Subtract(), JOIN),
        (layers.Multiply(), JOIN),
        (layers.Average(), JOIN),
        (layers.Maximum(), JOIN),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_joins_tie_channel_by_channel(layer, kind):
    image = keras.Input((3,), name="image")
    one, other = (layers.Dense(7, name=name)(image) for name in ("one", "other"))
    x = layer([one, other])
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].makers == ("one", "other")
    assert graph.groups[0].frozen is None
    assert [call.kind for call in graph.calls if call.name == layer.name] == [kind]


def test_a_join_that_repeats_one_channel_for_all_freezes():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    mask = layers.Conv2D(1, 1, name="mask")(image)
    x = layers.Multiply(name="attend")([x, mask])
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    for group in graph.groups[:2]:
        assert group.frozen == "Multiply 'attend' cannot be followed"


def test_a_concatenation_of_pixels_freezes():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    y = layers.Conv2D(7, 1, name="b")(image)
    x = layers.Concatenate(axis=1, name="stack")([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert {group.frozen for group in graph.groups[:2]} == {
        "Concatenate 'stack' cannot be followed"
    }


def test_operators_are_followed_like_the_layers_they_are():
    """`x + y` between Keras tensors is an operation without weights."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image)
    x = x + layers.Conv2D(7, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert graph.groups[0].makers == ("a", "b")
    assert graph.groups[0].frozen is None


def test_an_operator_with_a_constant_freezes():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(7, 1, name="a")(image) + 1
    x = layers.GlobalAveragePooling2D()(x)
    graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert "cannot be followed" in graph.groups[0].frozen


def test_rank_one_and_three_convolutions_have_the_same_axes():
    for rank, layer in ((1, layers.Conv1D), (3, layers.Conv3D)):
        image = keras.Input((5,) * rank + (3,), name="image")
        x = layer(7, 1, name="a")(image)
        x = layers.Flatten(name="flatten")(x)
        graph = channel_graph(keras.Model(image, layers.Dense(2, name="logits")(x)))
        axes = graph.axes["a", "kernel"]
        assert axes[:rank] == (None,) * rank
        assert len(axes) == rank + 2
        np.testing.assert_array_equal(axes[-1], graph.groups[0].channels)
        assert len(graph.axes["logits", "kernel"][0]) == 5**rank * 7
