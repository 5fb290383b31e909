"""Blocks that can leave a network whole: which are found, and what is left."""

import itertools

import keras
import numpy as np
import pytest
from graphs import residual_twice

from ns_tf.graph import weights
from ns_tf.graph.blocks import BlockNetwork, blocks, without
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures

layers = keras.layers


def conv(x, name, filters=5, **options):
    return layers.Conv2D(filters, 3, padding="same", name=name, **options)(x)


def mixed():
    """Branches of many ends, one within another, an addition of two of them."""
    image = keras.Input((6, 7, 3), name="image")
    x = conv(image, "stem")
    y = layers.ReLU(name="a_relu")(layers.BatchNormalization(name="a_bn")(conv(x, "a")))
    y = layers.Dropout(0.5, name="drop")(conv(y, "b", activation="relu"))
    x = layers.Add(name="add1")([y, x])
    y = conv(x, "c")
    y = y + layers.BatchNormalization(name="d_bn")(conv(y, "d"))
    y = conv(y, "h")
    x = layers.Add(name="add3")([x, y, conv(x, "e", use_bias=False)])
    y = layers.Activation("silu", name="silu")(conv(x, "f"))
    x = layers.Add(name="add4")([x, y])  # No factor passes a SiLU.
    y = conv(x, "g")
    x = layers.Add(name="add5")([x, y])
    x = layers.GlobalAveragePooling2D(name="average")(layers.Multiply(name="m")([x, y]))
    return keras.Model(image, layers.Dense(5, name="logits")(x))


def found_in(model):
    graph = channel_graph(model)
    return graph, blocks(model, graph)


def test_branches_that_are_added_to_an_identity_are_found():
    model = mixed()
    _, found = found_in(model)
    told = {block.name: block for block in found}
    inner, last = found[1:]
    assert [found[0].name, last.name] == ["add1", "add3"]
    assert set(told["add1"].layers) == {"a", "a_bn", "a_relu", "b", "drop"}
    assert {key[0] for key in told["add1"].ends} == {"b"}
    assert set(inner.layers) == {"d", "d_bn"}
    assert set(inner.ends) == {("d_bn", "gamma"), ("d_bn", "beta")}
    assert set(last.layers) == {"e"}
    assert last.edge[2] == 2, "the branch of place 1 holds the block of d"
    assert "add4" not in told, "its end takes no factor"
    assert "add5" not in told, "its branch is read elsewhere too"


@pytest.mark.parametrize("make", [mixed, residual_twice])
def test_what_is_left_computes_what_the_masked_network_does(
    make, randomise, rng, float64
):
    """Choices of blocks: gates of 0, and the network without them."""
    model = randomise(make())
    graph, found = found_in(model)
    network = BlockNetwork(model, graph, found)
    images = rng.normal(size=(3, 6, 7, 3))
    choices = itertools.product((True, False), repeat=len(found))
    for keep in list(choices)[1::3]:
        gone = [block for block, kept in zip(found, keep, strict=True) if not kept]
        thin = without(model, graph, gone)
        weights.assign(thin, weights.values(model))
        expected = network.model([images, network.rows(3, keep)], training=False)
        np.testing.assert_allclose(thin(images, training=False), expected, atol=1e-10)
        left = {layer.name for layer in thin.layers}
        for block in gone:
            assert not left & set(block.layers)


def test_a_projection_is_no_identity():
    _, found = found_in(residual_twice())
    assert [block.name for block in found] == ["two_add"]
    assert found[0].layers == ("two_a", "two_b")
    plain = keras.Sequential([keras.Input((6, 7, 3)), layers.Conv2D(3, 3)])
    assert found_in(plain)[1] == ()


def test_shortcuts_of_a_builder():
    architecture = architectures.get("preact_resnet18")
    widths = [8] * len(architecture.widths)
    model = architecture.build(widths, input_shape=(32, 32, 3), classes=3)
    _, found = found_in(model)
    assert len(found) == 5, "three of eight have a projection"
