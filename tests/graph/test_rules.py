"""What single layers do to channels: one property a rule, and what has no rule."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph import rules, weights
from ns_tf.graph.channels import NONE
from ns_tf.graph.gates import Gates
from ns_tf.graph.rules import (
    ADD,
    CHANNELWISE,
    JOIN,
    MAKE,
    NORM,
    THROUGH,
    UNKNOWN,
    Effect,
    rule,
)
from ns_tf.graph.thin import rebuild
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import take

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


@keras.saving.register_keras_serializable("ns_tf_tests")
def centred(x):
    """Nobody knows what it does."""
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


STRANGE = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sparsemax": "sparsemax",
    "glu": "glu",
    "centred": centred,
    "<lambda>": lambda x: x * x,
    "PReLU": layers.PReLU(),
    "Softmax": layers.Softmax(),
}
TAKING = {
    "Activation": lambda a: layers.Activation(a, name="odd"),
    "DepthwiseConv2D": lambda a: layers.DepthwiseConv2D(3, activation=a, name="odd"),
    "Conv2D": lambda a: layers.Conv2D(11, 1, activation=a, name="odd"),
    "Dense": lambda a: layers.Dense(11, activation=a, name="odd"),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("kind", TAKING)
@pytest.mark.parametrize("name", STRANGE)
def test_an_activation_that_may_mix_channels_freezes_and_is_named(name, kind):
    """What a convolution makes; what a layer that makes nothing reads."""
    _, _, graph = found(TAKING[kind](STRANGE[name]))
    reasons = {group.name: group.frozen for group in graph.groups}
    makes = kind in ("Conv2D", "Dense")
    assert reasons["odd" if makes else "a"].startswith(f"the {name} of 'odd' ")
    assert reasons["b"] is None and (not makes or reasons["a"] is None)


def test_an_activation_that_is_a_layer_of_keras_leaves_channels_free():
    for layer in (layers.ReLU(6.0), layers.LeakyReLU(), layers.ELU()):
        kind, reason, _ = found(layers.Activation(layer))
        assert (kind, reason) == (THROUGH, None)


def test_a_class_of_ones_own_is_not_taken_for_the_one_of_keras_of_its_name():
    @keras.saving.register_keras_serializable("ns_tf_tests")
    class ReLU(layers.Layer):
        def call(self, x):
            return centred(x)

    assert found(ReLU(name="odd"))[1] == "ReLU 'odd' cannot be followed"


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


@pytest.mark.parametrize("options", [{"renorm": True}, {"synchronized": True}, {}])
def test_channels_index_all_weights_of_a_batch_norm(options):
    layer = layers.BatchNormalization(**options)
    kind, reason, graph = found(layer)
    assert (kind, reason) == (NORM, None)
    for weight in layer.weights:
        (axis,) = graph.axes[layer.name, weight.name]
        np.testing.assert_array_equal(axis, graph.groups[0].channels)


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


# Rules of one's own.


@keras.saving.register_keras_serializable("ns_tf_tests")
class Scale(layers.Layer):
    """Multiplies every channel by a weight of its own."""

    def build(self, shape):
        self.scale = self.add_weight(
            shape=shape[-1:], initializer="random_normal", name="scale"
        )

    def call(self, x):
        return x * self.scale


@pytest.fixture
def own_rules(monkeypatch):
    """Rules that a test registers are gone when it ends."""
    monkeypatch.setattr(rules, "_RULES", dict(rules._RULES))


def scale(walk, layer, inputs, shapes):
    return Effect(THROUGH, output=inputs[0], axes={"scale": (inputs[0],)})


def test_a_layer_of_ones_own_is_followed_by_a_rule_of_ones_own(own_rules):
    assert found(Scale(name="mine"))[:2] == (
        UNKNOWN,
        "Scale 'mine' cannot be followed",
    )
    assert rule("Scale")(scale) is scale
    kind, reason, graph = found(Scale(name="mine"))
    assert (kind, reason) == (THROUGH, None)
    np.testing.assert_array_equal(graph.axes["mine", "scale"][0], np.arange(11))


def test_a_network_with_a_rule_of_ones_own_is_thinned_exactly(own_rules, rng):
    rule("Scale")(scale)
    model = around(Scale(name="mine"))
    graph = channel_graph(model)
    keep = np.ones(len(graph.owner), bool)
    keep[graph.groups[0].channels[[1, 4, 8]]] = False
    thin, extra = rebuild(model, graph, keep, Gates((), {}))
    assert extra == {} and thin.get_layer("mine").scale.shape == (8,)
    arrays = weights.values(model)
    weights.assign(
        thin, {key: take(a, graph.axes[key], keep) for key, a in arrays.items()}
    )
    for name in ("kernel", "bias"):
        variable = getattr(model.get_layer("a"), name)
        variable.assign(np.array(variable) * keep[graph.axes["a", name][-1]])
    images = rng.normal(size=(3, 6, 7, 3)).astype("float32")
    np.testing.assert_allclose(thin(images), model(images), atol=1e-5)


def test_a_rule_may_make_channels_tie_them_and_freeze_them(own_rules):
    @rule("Doubled")
    def follow(walk, layer, inputs, shapes):
        assert shapes == [(None, 6, 7, 11)]
        output = walk.make(layer.name, 11)
        walk.tie(output[:5], inputs[0][:5])
        walk.freeze(output[10:], "because")
        return Effect(MAKE, output)

    graph = channel_graph(around(Doubled(name="mine")))
    sizes = {group.makers: (group.size, group.frozen) for group in graph.groups}
    assert sizes["a", "mine"] == (5, None)
    assert sizes["a",] == (6, None)
    assert sizes["mine",] == (6, "because")


def test_a_rule_may_decline(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: None)
    assert found(Doubled(name="odd"))[1] == "Doubled 'odd' cannot be followed"


def test_a_later_rule_replaces_an_earlier_one(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(THROUGH, inputs[0]))
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(CHANNELWISE, inputs[0]))
    assert found(Doubled(name="mine"))[0] == CHANNELWISE


def test_a_rule_that_miscounts_channels_is_refused(own_rules):
    rule("Doubled")(lambda walk, layer, inputs, shapes: Effect(THROUGH, inputs[0][:7]))
    with pytest.raises(InputError, match="rule of Doubled says that 'mine' puts out 7"):
        found(Doubled(name="mine"))


def test_a_rule_needs_a_name():
    with pytest.raises(TypeError, match="Expected class names"):
        rule(scale)
    with pytest.raises(TypeError, match="Expected class names"):
        rule()


def test_an_effect_has_no_axes_unless_they_are_named():
    effect = Effect(THROUGH, np.arange(3))
    assert effect.axes == {} and effect.crossing == ()
