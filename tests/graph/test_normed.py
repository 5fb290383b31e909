"""Kernels before norms: as large as before gates, and the network infers the same."""

import keras
import numpy as np
import pytest

from ns_tf.graph import weights
from ns_tf.graph.fold import folded, folds
from ns_tf.graph.normed import absorbing, as_large
from ns_tf.graph.walk import channel_graph

layers = keras.layers


def network(*behind, **options):
    """A convolution "b" of 5 filters behind one of 3, and what reads it."""
    x = image = keras.Input((6, 7, 3))
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="a")(x)
    x = made = layers.Conv2D(5, 3, padding="same", name="b", **options)(x)
    read = [one(made) for one in behind]
    x = layers.Add()(read) if len(read) > 1 else read[0]
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    found = keras.Model(image, layers.Dense(2, name="logits")(x))
    return found, channel_graph(found)


def norm(**options):
    return layers.BatchNormalization(**{"name": "norm", **options})


@pytest.mark.parametrize("name", ["chain", "residual"])
def test_a_network_infers_the_same_by_kernels_as_large_as_they_were(
    name, handmade, randomise, rng, float64
):
    model = randomise(handmade[name]())
    graph = channel_graph(model)
    was, kernels = weights.values(model), folds(graph)
    gates = np.where(graph.frozen, 1.0, rng.uniform(0.01, 0.3, len(graph.owner)))
    gates[np.flatnonzero(~graph.frozen)[0]] = 0.0
    gated = folded(was, kernels, gates)
    found = as_large(gated, was, [k.key for k in kernels], model, graph)
    images = rng.normal(size=(3, 6, 7, 3))
    weights.assign(model, gated)
    expected = model(images, training=False)
    weights.assign(model, found)
    np.testing.assert_allclose(
        model(images, training=False), expected, rtol=1e-10, atol=1e-10
    )
    sizes = {
        key: [np.linalg.norm(a[key][gated[key] != 0]) for a in (was, gated, found)]
        for key in (kernel.key for kernel in kernels)
    }
    normed = [key for key in sizes if absorbing(model, graph, key[0])]
    assert normed
    for key, (before, small, now) in sizes.items():
        assert now == pytest.approx(before if key in normed else small, rel=1e-12)


def test_statistics_behind_a_kernel_and_its_bias_follow_them():
    """Sizes 5 and 0.5: f = 10; eps 0.25 is within the variance: 100 · 1.25 - 0.25."""
    model, graph = network(norm(epsilon=0.25))
    was = weights.values(model)
    was = {key: np.zeros_like(value) for key, value in was.items()}
    was["b", "kernel"][0, 0, 0, :2] = 3, 4
    was["b", "bias"][:] = 0.5
    was["norm", "moving_mean"][:], was["norm", "moving_variance"][:] = 0.25, 1.0
    now = {**was, ("b", "kernel"): was["b", "kernel"] / 10}
    found = as_large(now, was, [("b", "kernel")], model, graph)
    assert found["b", "kernel"][0, 0, 0, :2] == pytest.approx([3, 4])
    assert found["b", "bias"] == pytest.approx(5.0)
    assert found["norm", "moving_mean"] == pytest.approx(2.5)
    assert found["norm", "moving_variance"] == pytest.approx(124.75)
    larger = {**was, ("b", "kernel"): was["b", "kernel"] * 10}
    same = as_large(larger, was, [("b", "kernel")], model, graph)
    assert same["b", "kernel"] == pytest.approx(larger["b", "kernel"])


def frozen(one):
    one.trainable = False
    return one


@pytest.mark.parametrize(
    "behind, options, expected",
    [
        ([norm()], {}, ["norm"]),
        ([norm()], {"activation": "relu"}, ["norm"]),
        ([norm(name="x"), norm(name="y")], {}, ["x", "y"]),
        ([norm()], {"activation": "tanh"}, []),  # Not the factor behind it.
        ([norm()], {"activation": "relu6"}, []),  # Nor where its cap is met.
        ([norm()], {"activation": layers.ReLU(6.0)}, []),
        ([norm(), layers.Activation("relu")], {}, []),  # Read by something else.
        ([layers.Activation("relu")], {}, []),
        ([frozen(norm())], {}, []),  # Its statistics do not follow a training.
        ([layers.LayerNormalization()], {}, []),
    ],
)
def test_norms_take_up_what_they_alone_read(behind, options, expected):
    model, graph = network(*behind, **options)
    assert [one.name for one in absorbing(model, graph, "b")] == expected
    assert absorbing(model, graph, "logits") == ()


def test_a_norm_that_reads_another_layer_too_takes_up_nothing():
    x = image = keras.Input((6, 7, 3))
    shared = norm()
    one = layers.Conv2D(5, 3, padding="same", name="b")(x)
    other = layers.Conv2D(5, 3, padding="same", name="c")(x)
    x = layers.Add()([shared(one), shared(other)])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(2)(x))
    assert absorbing(model, channel_graph(model), "b") == ()
    seen = keras.Model(image, [layers.Dense(2)(x), one])  # Nor one that ends a model.
    assert absorbing(seen, channel_graph(seen), "b") == ()
