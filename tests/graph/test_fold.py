"""Gates put into kernels: the network computes what it did with its gates."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.graph.fold import folded, folds
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.gates import Gates
from ns_tf.graph.thin import rebuild
from ns_tf.graph.walk import channel_graph

layers = keras.layers


@pytest.mark.parametrize(
    "name",
    ["chain", "concat", "dense_block", "flatten", "depthwise", "residual", "shared"],
)
def test_a_folded_network_computes_what_its_gates_did(
    name, handmade, randomise, rng, float64
):
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    gates = np.where(graph.frozen, 1.0, rng.uniform(0, 2, len(graph.owner)))
    images, network = rng.normal(size=(3, 6, 7, 3)), GatedNetwork(model, graph)
    expected = network.model([images, network.rows(3, gates)], training=False)
    weights.assign(model, folded(weights.values(model), folds(graph), gates))
    found = model(images, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_an_edge_without_a_kernel_of_its_own_is_refused_by_name():
    """A norm over channels reads them, and so do the units of a recurrent layer."""
    for layer in (
        keras.layers.LayerNormalization(name="over"),
        keras.layers.SimpleRNN(5, name="over", return_sequences=True),
    ):
        x = image = keras.Input((7, 3))
        x = layer(keras.layers.Conv1D(11, 3, name="a")(x))
        x = keras.layers.GlobalAveragePooling1D()(x)
        model = keras.Model(image, keras.layers.Dense(5, name="logits")(x))
        with pytest.raises(InputError, match="'over' has no such kernel"):
            folds(channel_graph(model))


BRANCHES = {
    "convolution": lambda: layers.Conv2D(11, 3, padding="same", activation="relu"),
    "dense": lambda: layers.Dense(11, activation="relu"),
    "transposed": lambda: layers.Conv2DTranspose(11, 3, padding="same"),
    "einsum": lambda: layers.EinsumDense("abcd,de->abce", (6, 7, 11), bias_axes="e"),
}


def single(branch):
    """x + branch(x), twice: what each branch reads and makes are the same channels."""
    x = image = keras.Input((6, 7, 3))
    x = layers.Conv2D(11, 3, padding="same", activation="relu", name="stem")(x)
    for name in ("a", "b"):
        y = BRANCHES[branch]()
        y.name = name
        x = layers.Add()(
            [x, layers.BatchNormalization()(y(x)) if name == "a" else y(x)]
        )
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_of_one_kernel_is_read_through_it_alone(
    branch, randomise, rng, float64
):
    """Folded is gated, and folded with closed gates is without these channels."""
    model = randomise(single(branch))
    graph, arrays = channel_graph(model), weights.values(model)
    kernels = folds(graph)
    assert [fold.key for fold in kernels] == [
        (name, "kernel") for name in ("a", "b", "logits")
    ]
    keep = (rng.random(len(graph.owner)) < 0.6) | graph.frozen
    images, network = rng.normal(size=(3, 6, 7, 3)), GatedNetwork(model, graph)
    for gates in (
        np.where(graph.frozen, 1.0, rng.uniform(0, 2, len(keep))),
        1.0 * keep,
    ):
        expected = network.model([images, network.rows(3, gates)], training=False)
        weights.assign(model, folded(arrays, kernels, gates))
        found = model(images, training=False)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    thin, _ = rebuild(model, graph, keep, Gates((), {}))
    small = {k: weights.take(a, graph.axes.get(k, ()), keep) for k, a in arrays.items()}
    weights.assign(thin, small)
    assert 0 < graph.frozen.sum() < keep.sum() < len(keep)
    np.testing.assert_allclose(thin(images, training=False), found, atol=1e-10)


def test_several_kernels_that_read_an_edge_are_named():
    x = image = keras.Input((6, 7, 3))
    x = layers.Conv2D(7, 3, name="a")(x)
    x = layers.SeparableConv2D(11, 3, name="two")(x)
    x = layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D()(x))
    told = "'two' has several: depthwise_kernel, pointwise_kernel"
    with pytest.raises(InputError, match=told):
        folds(channel_graph(keras.Model(image, x)))
