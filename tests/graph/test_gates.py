"""Where gates go, and that their gradients are the ones of eq. 4."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.graph import gates, weights
from ns_tf.graph.channels import NONE
from ns_tf.graph.gates import Gate, Gates
from ns_tf.graph.thin import rebuild
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, shapes_only

layers = keras.layers


def placed(model):
    return gates.place(channel_graph(model))


# Where gates go.


def test_behind_a_batch_norm_no_operation_is_needed(handmade):
    assert placed(handmade["chain"]()) == Gates(("a_bn", "b_bn"), {})
    assert placed(handmade["norm_last"]()) == Gates(("a_bn", "b_bn"), {})


def test_without_a_batch_norm_the_reader_reads_through_a_gate(handmade):
    found = placed(handmade["no_norm"]())
    assert found.norms == ()
    assert found.edges == {
        ("b", 0, 0): ("a_relu", 0, 0),
        ("c", 0, 0): ("b_sigmoid", 0, 0),
        ("logits", 0, 0): ("average", 0, 0),
    }


def test_a_concatenation_with_one_input_bare_is_gated_as_a_whole(handmade):
    found = placed(handmade["concat"]())
    assert found.norms == ("c_bn",)
    assert found.edges == {("c", 0, 0): ("relu", 0, 0)}


def test_of_two_batch_norms_the_last_one_is_the_gate(handmade):
    """What a depthwise convolution adds as bias has to be closed as well."""
    assert placed(handmade["depthwise"]()).norms == ("depthwise_bn",)


def test_a_sum_that_is_added_to_again_is_gated_where_it_leaves(handmade):
    """Closing the batch norms before an addition would count the sum twice."""
    found = placed(handmade["residual"]())
    assert found.norms == ("b_bn",)
    assert found.edges == {
        ("b", 0, 0): ("a_relu", 0, 0),
        ("logits", 0, 0): ("average", 0, 0),
    }


def test_a_sum_of_batch_norms_alone_is_gated_by_them():
    image = keras.Input((6, 7, 3), name="image")
    sides = [
        layers.BatchNormalization(name=f"{name}_bn")(
            layers.Conv2D(11, 1, name=name)(image)
        )
        for name in ("a", "b")
    ]
    x = layers.ReLU(name="relu")(layers.Add(name="add")(sides))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    found = placed(keras.Model(image, layers.Dense(5, name="logits")(x)))
    assert found == Gates(("a_bn", "b_bn"), {})


def behind(*stack) -> Gates:
    """The gates of image - a[11] - BN - these layers - b[5] - logits."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.BatchNormalization(name="a_bn")(layers.Conv2D(11, 1, name="a")(image))
    for layer in stack:
        x = layer(x)
    x = layers.Conv2D(5, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return placed(keras.Model(image, layers.Dense(5, name="logits")(x)))


def test_a_norm_is_the_gate_of_what_passes_a_factor_on():
    for layer in (
        *(layers.ReLU(), layers.ReLU(6.0), layers.LeakyReLU(), layers.Dropout(0.5)),
        *(layers.MaxPooling2D(), layers.Activation("relu6"), layers.UpSampling2D()),
    ):
        assert behind(layer).norms == ("a_bn",)
    for layer in (
        *(layers.ELU(), layers.Activation("silu"), layers.Activation("tanh")),
        *(layers.Activation("sigmoid"), layers.ReLU(threshold=1.0)),
    ):
        found = behind(layers.ReLU(), layer)
        assert found.norms == ()
        assert found.edges["b", 0, 0] == (layer.name, 0, 0)


def test_a_norm_before_an_edge_with_a_gate_is_no_gate_of_another():
    """It would close, and count, the channel of that edge twice."""
    image = keras.Input((6, 7, 3), name="image")
    a = layers.BatchNormalization(name="a_bn")(layers.Conv2D(11, 1, name="a")(image))
    b = layers.Conv2D(5, 1, name="b")(a)
    x = layers.Concatenate(name="concat")([a, layers.Conv2D(7, 1, name="c")(image)])
    x = layers.Concatenate()([b, layers.Conv2D(3, 1, name="d")(x)])
    found = placed(keras.Model(image, x))
    assert found.norms == ()
    assert found.edges == {("b", 0, 0): ("a_bn", 0, 0), ("d", 0, 0): ("concat", 0, 0)}


def test_a_shared_norm_is_a_gate_if_it_is_at_all_its_calls():
    def shared(layer):
        image = keras.Input((6, 7, 3), name="image")
        norm = layers.BatchNormalization(name="norm")
        x, y = (norm(layers.Conv2D(11, 1, name=name)(image)) for name in ("x", "y"))
        ends = [layers.Conv2D(5, 1, name="a")(x), layers.Conv2D(5, 1)(layer(y))]
        return placed(keras.Model(image, layers.Concatenate()(ends)))

    assert shared(layers.ReLU()).norms == ("norm",)
    assert shared(layers.Activation("sigmoid")).norms == ()
    assert shared(layers.DepthwiseConv2D(3, padding="same")).norms == ()


def test_a_batch_norm_that_is_also_the_output_is_no_gate():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    a = layers.BatchNormalization(name="a_bn")(x)
    b = layers.Conv2D(5, 1, name="b")(a)
    graph = channel_graph(keras.Model(image, [a, b]), free=True)
    found = gates.place(graph)
    assert found.norms == ()
    assert found.edges == {("b", 0, 0): ("a_bn", 0, 0)}


def test_frozen_channels_have_no_gates():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layers.Softmax(name="softmax")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    assert placed(keras.Model(image, layers.Dense(5)(x))) == Gates((), {})


def test_a_norm_over_channels_weighs_them_beside_the_gates_behind_it():
    """
    a - batch norm -+- relu - layer norm - relu - b
                    +- relu - c
    """
    image = keras.Input((6, 7, 3), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(11, 1, name="a")(image))
    x = layers.ReLU(name="before")(x)
    y = layers.LayerNormalization(name="norm")(x)
    y = layers.Conv2D(5, 1, name="b")(layers.ReLU(name="behind")(y))
    x = layers.Concatenate()([y, layers.Conv2D(5, 1, name="c")(x)])
    x = layers.GlobalAveragePooling2D()(x)
    found = placed(keras.Model(image, layers.Dense(5)(x)))
    assert found.norms == ()
    assert found.edges.items() >= {
        (("norm", 0, 0), ("before", 0, 0)),
        (("b", 0, 0), ("behind", 0, 0)),
        (("c", 0, 0), ("before", 0, 0)),
    }


@pytest.mark.parametrize(
    "name, size, count",
    [("vgg11", 32, 8), ("preact_resnet18", 8, 17)]
    + [pytest.param("mobilenet_v2", 8, 19, marks=pytest.mark.slow)],
)
def test_where_all_widths_differ_the_paper_networks_need_no_operation(
    name, size, count
):
    """Every layer's filters leave behind batch norms, as in the paper's figures."""
    found = analyse(architectures.get(name), (size, size, 3), 5)
    at = gates.place(found.reference)
    behind = {
        int(found.reference.owner[found.reference.axes[norm, "gamma"][0][0]])
        for norm in at.norms
    } | {
        int(found.reference.owner[found.reference.channels[tensor][0]])
        for tensor in at.edges.values()
    }
    assert set(found.primary) <= behind
    assert len(found.primary) == count


def test_an_identity_between_widths_is_gated():
    found = analyse(architectures.get("preact_resnet18"), (8, 8, 3), 5)
    graph = found.graph(shapes_only(found.build, [4] * 17))
    crossing = {call.name for call in graph.calls if call.crossing}
    gated = {name for name, _, _ in gates.place(graph).edges}
    assert crossing <= gated
    assert crossing


# What a gate is.


def test_a_gate_multiplies_each_channel_and_is_not_trained(rng):
    gate = Gate()
    x = rng.normal(size=(2, 3, 5, 7)).astype("float32")
    np.testing.assert_array_equal(gate(x), x)
    values = rng.normal(size=7).astype("float32")
    gate.gate.assign(values)
    np.testing.assert_array_equal(gate(x), x * values)
    assert gate.trainable_variables == []
    assert [w.name for w in gate.weights] == ["gate"]


def test_a_gate_survives_a_models_config():
    image = keras.Input((7,), name="image")
    model = keras.Model(image, Gate(name="g")(image))
    again = keras.Model.from_config(model.get_config())
    assert isinstance(again.get_layer("g"), Gate)
    assert again.get_layer("g").gate.shape == (7,)


# Gradients.


def explicit(handmade) -> keras.Model:
    """`chain` with a `Gate` behind every batch norm."""
    model = handmade["chain"]()

    def call(layer, *args, **kwargs):
        x = layer(*args, **kwargs)
        return Gate(name=f"{layer.name}_gate")(x) if "_bn" in layer.name else x

    return keras.models.clone_model(model, call_function=call)


@pytest.mark.parametrize("training", [False, True])
def test_gamma_and_beta_have_the_gradient_of_an_explicit_gate(
    handmade, randomise, rng, training, float64
):
    """g dL/dg = gamma dL/dgamma + beta dL/dbeta, whatever g, gamma and beta are."""
    model = randomise(explicit(handmade))
    by_key = weights.weights(model)
    for name in ("a_bn", "b_bn"):
        gate = by_key[f"{name}_gate", "gate"]
        gate.assign(rng.uniform(0.5, 1.5, gate.shape))
    images, labels = rng.normal(size=(11, 6, 7, 3)), rng.integers(0, 5, 11)
    keys = [
        (f"{name}{end}", weight)
        for name in ("a_bn", "b_bn")
        for end, weight in (("_gate", "gate"), ("", "gamma"), ("", "beta"))
    ]
    with tf.GradientTape() as tape:
        watched = [by_key[key].value for key in keys]
        tape.watch(watched)
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, model(images, training=training), from_logits=True
            )
        )
    gradients = tape.gradient(loss, watched)
    products = [
        np.array(by_key[key]) * np.array(gradient)
        for key, gradient in zip(keys, gradients, strict=True)
    ]
    for gate, gamma, beta in (products[:3], products[3:]):
        np.testing.assert_allclose(gate, gamma + beta, rtol=1e-8, atol=1e-14)
        for part in (gate, gamma, beta):
            assert np.median(np.abs(part)) > 0


@pytest.mark.parametrize(
    "name",
    ["chain", "no_norm", "norm_last", "concat", "dense_block", "flatten", "depthwise"]
    + ["residual", "excite", "shared"],
)
def test_gates_together_have_the_derivative_of_scaling_the_channel(
    name, handmade, randomise, rng, float64
):
    """Sum over a channel's gates of g dL/dg = dL/dt of all of them times 1 + t."""
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    at = gates.place(graph)
    keep = np.ones(len(graph.owner), bool)
    gated, extra = rebuild(model, graph, keep, at)
    axes = {**graph.axes, **extra}
    arrays = weights.values(model)
    arrays |= {key: np.ones(gated_shape(gated, key)) for key in extra}
    weights.assign(gated, arrays)
    images, labels = rng.normal(size=(11, 6, 7, 3)), rng.integers(0, 5, 11)
    by_key = weights.weights(gated)
    keys = [
        key
        for key in by_key
        if key[1] == "gate" or (key[0] in at.norms and key[1] in ("gamma", "beta"))
    ]

    def loss():
        outputs = gated(images, training=True)
        return tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=True
            )
        )

    with tf.GradientTape() as tape:
        watched = [by_key[key].value for key in keys]
        tape.watch(watched)
        value = loss()
    analytic = np.zeros(len(keep))
    for key, gradient in zip(keys, tape.gradient(value, watched), strict=True):
        followed = axes[key][0] != NONE
        product = arrays[key] * np.array(gradient)
        np.add.at(analytic, axes[key][0][followed], product[followed])

    step = 1e-5
    for group in graph.groups:
        channel = max(group.channels, key=lambda c: abs(analytic[c]))
        if group.frozen:
            assert analytic[channel] == 0
            continue
        sides = []
        for factor in (1 + step, 1 - step):
            for key in keys:
                scale = np.where(axes[key][0] == channel, factor, 1)
                by_key[key].assign(arrays[key] * scale)
            sides.append(float(loss()))
        for key in keys:
            by_key[key].assign(arrays[key])
        numeric = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(analytic[channel], numeric, rtol=1e-4, atol=1e-8)
        assert analytic[channel] != 0


def gated_shape(model, key):
    return weights.weights(model)[key].shape
