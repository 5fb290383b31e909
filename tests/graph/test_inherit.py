"""A builder's network at smaller widths, filled from a larger one."""

import keras
import numpy as np
import pytest

from ns_tf.graph.inherit import crossings, inherit
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import values

layers = keras.layers


def residual(stem: int, inner: int, norm: bool = False) -> keras.Model:
    """features[3] - stem -+- inner -+- add - logits[5], projected if widths differ."""
    features = keras.Input((3,), name="features")
    x = layers.Dense(stem, name="stem")(features)
    y = layers.Dense(inner, name="inner")(x)
    if stem != inner:
        x = layers.Dense(inner, use_bias=False, name="shortcut")(x)
        x = layers.BatchNormalization(name="shortcut_bn")(x) if norm else x
    x = layers.Add(name="add")([y, x])
    return keras.Model(features, layers.Dense(5, name="logits")(x))


def conv_residual(stem: int, inner: int) -> keras.Model:
    """The same of 1x1 convolutions, a batch norm behind the projection."""
    image = keras.Input((1, 1, 3), name="image")
    x = layers.Conv2D(stem, 1, name="stem")(image)
    y = layers.Conv2D(inner, 1, name="inner")(x)
    if stem != inner:
        x = layers.Conv2D(inner, 1, use_bias=False, name="shortcut")(x)
        x = layers.BatchNormalization(name="shortcut_bn")(x)
    x = layers.Flatten(name="flat")(layers.Add(name="add")([y, x]))
    return keras.Model(image, layers.Dense(5, name="logits")(x))


REFERENCE = (17, 19)


def subset(graph, rng, sizes: dict[str, int]) -> np.ndarray:
    """[channels] bool: so many channels of the groups that these layers make."""
    keep = graph.frozen.copy()
    for group in graph.groups:
        for maker in set(group.makers) & sizes.keys():
            keep[rng.choice(group.channels, sizes[maker], replace=False)] = True
    return keep


def channels_of(graph, name: str) -> np.ndarray:
    (group,) = (group for group in graph.groups if name in group.makers)
    return group.channels


def test_what_stays_keeps_its_values(handmade, randomise, rng):
    model = randomise(handmade["chain"]())
    graph = channel_graph(model)
    keep = graph.frozen.copy()
    a, b = channels_of(graph, "a"), channels_of(graph, "b")
    keep[a[[1, 4, 6]]] = keep[b[[0, 5]]] = True
    config = model.get_config()
    for layer in config["layers"]:
        sizes = {"a": 3, "b": 2}
        if layer["name"] in sizes:
            layer["config"]["filters"] = sizes[layer["name"]]
        layer.pop("build_config", None)
    thin = keras.Model.from_config(config)
    inherit(model, graph, keep, thin, channel_graph(thin))
    before, after = values(model), values(thin)
    np.testing.assert_array_equal(
        after["b", "kernel"], before["b", "kernel"][:, :, [1, 4, 6]][..., [0, 5]]
    )
    np.testing.assert_array_equal(
        after["a_bn", "gamma"], before["a_bn", "gamma"][[1, 4, 6]]
    )
    np.testing.assert_array_equal(
        after["logits", "kernel"], before["logits", "kernel"][[0, 5]]
    )
    np.testing.assert_array_equal(after["logits", "bias"], before["logits", "bias"])


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (1, 7), (7, 2)])
def test_a_projection_that_appears_selects_what_both_ends_still_have(
    sizes, randomise, rng
):
    """Against the masked network, computed in NumPy."""
    reference = channel_graph(conv_residual(*REFERENCE))
    model = randomise(conv_residual(7, 7))
    graph = channel_graph(model, reference)
    keep = subset(graph, rng, dict(zip(("stem", "inner"), sizes, strict=True)))
    thin = conv_residual(*sizes)
    inherit(model, graph, keep, thin, channel_graph(thin, reference))

    w = {key: array.squeeze() for key, array in values(model).items()}
    stem, inner = (keep[channels_of(graph, name)] for name in ("stem", "inner"))
    images = rng.normal(size=(11, 3))
    x = (images @ w["stem", "kernel"] + w["stem", "bias"]) * stem
    y = x @ w["inner", "kernel"] + w["inner", "bias"]
    expected = ((x + y) * inner) @ w["logits", "kernel"] + w["logits", "bias"]
    answers = thin(images.reshape(11, 1, 1, 3).astype("float32"))
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)
    kernel = values(thin)["shortcut", "kernel"][0, 0]
    assert set(np.unique(kernel)) <= {0, 1}
    assert kernel.sum() == (stem & inner).sum()


def test_where_widths_agree_still_the_identity_stays(randomise, rng):
    reference = channel_graph(residual(*REFERENCE))
    model = randomise(residual(7, 7))
    graph = channel_graph(model, reference)
    thin = residual(7, 7)
    everything = np.ones(len(graph.owner), bool)
    inherit(model, graph, everything, thin, channel_graph(thin, reference))
    for key, array in values(model).items():
        np.testing.assert_array_equal(values(thin)[key], array)


def test_crossings_are_the_channels_that_an_identity_adds():
    reference = channel_graph(residual(*REFERENCE))
    graph = channel_graph(residual(7, 7), reference)
    stem, inner = (channels_of(graph, name) for name in ("stem", "inner"))
    assert crossings(graph) == dict(zip(inner, stem, strict=True))


def test_nothing_crosses_where_a_projection_lies_between():
    assert crossings(channel_graph(residual(5, 7))) == {}
    assert crossings(channel_graph(residual(7, 7))) == {}  # Tied: one group.
