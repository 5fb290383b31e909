"""Given widths with the weights of a trained network."""

import keras
import numpy as np
import pytest
from small import chain, coloured, residual

from ns_tf.base import InputError
from ns_tf.graph.gated import GatedNetwork
from ns_tf.prune import given
from ns_tf.prune.config import CutConfig
from ns_tf.prune.given import at_widths
from ns_tf.prune.source import trained_network

SMALL = {"proxy_images": 31, "proxy_batch": 8}
NETWORKS = {"chain": (chain, (11, 7), (5, 7)), "tied": (residual, (7, 11, 7), (5, 6))}


def network(name, randomise):
    """(a network of random weights with its data, widths below its own)."""
    builder, widths, less = NETWORKS[name]
    model = builder(widths, input_shape=(5, 5, 3), classes=5)
    dataset = coloured(np.random.default_rng(31))
    return trained_network(randomise(model), dataset), less


@pytest.mark.parametrize("name", NETWORKS)
def test_at_its_own_widths_it_is_the_network_bit_for_bit(name, randomise, monkeypatch):
    whole, _ = network(name, randomise)
    monkeypatch.setattr(given, "ChannelPruner", None)  # Nothing is scored or repaired.
    own = whole.problem.architecture.widths
    model = at_widths(whole, own, CutConfig(**SMALL))
    assert model is not whole.model
    pairs = zip(model.weights, whole.model.weights, strict=True)
    for one, other in pairs:
        assert one.path.split("/")[-1] == other.path.split("/")[-1]
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name", [pytest.param("chain", marks=pytest.mark.slow), "tied"]
)
def test_before_repair_it_is_the_network_with_the_other_channels_closed(
    name, randomise, rng, float64, monkeypatch
):
    whole, widths = network(name, randomise)
    kept = []
    cut = given.cut
    monkeypatch.setattr(given, "cut", lambda *a: (kept.append(a[2]), cut(*a))[1])
    model = at_widths(whole, widths, CutConfig(repair="none", **SMALL), seed=3)
    structure = whole.problem.structure
    assert structure.names and tuple(
        model.get_layer(name).filters for name in structure.names
    ) == tuple(widths)
    gated = GatedNetwork(whole.model, structure.graph(whole.model))
    images = rng.normal(size=(13, 5, 5, 3))
    masked = gated.model([images, gated.rows(13, kept[0])], training=False)
    np.testing.assert_allclose(model(images, training=False), masked, atol=1e-10)
    assert not np.allclose(masked, whole.model(images, training=False), atol=1e-3)


def test_the_channels_of_highest_score_stay(randomise):
    whole, _ = network("chain", randomise)
    model = at_widths(whole, (4, 7), CutConfig("magnitude", repair="none", **SMALL))
    kernel = np.array(whole.model.get_layer("conv1").kernel)
    stay = np.sort(np.argsort(np.abs(kernel).sum(axis=(0, 1, 2)))[-4:])
    np.testing.assert_array_equal(model.get_layer("conv1").kernel, kernel[..., stay])


@pytest.mark.slow
def test_it_is_repaired_as_asked_and_the_same_each_time(randomise):
    whole, widths = network("chain", randomise)
    before = whole.model.get_weights()
    one, again, bare = (
        at_widths(whole, widths, CutConfig(repair=repair, **SMALL), seed=3)
        for repair in (None, None, "none")
    )
    for a, b in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    norms = [np.array(m.get_layer("bn1").moving_mean) for m in (one, bare)]
    assert not np.allclose(*norms)
    for a, b in zip(before, whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "widths, told",
    [
        ((5, 8), "conv2 would have 8 filters and has 7 .* max_width=\\[11, 7\\]"),
        ((5, 7, 3), "has 2 widths; got 3"),
    ],
)
def test_widths_that_cannot_be_filled_are_refused(randomise, widths, told):
    whole, _ = network("chain", randomise)
    with pytest.raises(InputError, match=told) as error:
        at_widths(whole, widths, CutConfig(**SMALL))
    assert "\n" not in str(error.value)


def test_a_criterion_that_cannot_read_the_network_is_refused(randomise):
    image = keras.Input((5, 5, 3))
    x = keras.layers.Conv2D(7, 3, activation="swish", name="conv")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = randomise(keras.Model(image, keras.layers.Dense(5)(x)))
    whole = trained_network(model, coloured(np.random.default_rng(31)))
    with pytest.raises(InputError, match="conv"):
        at_widths(whole, (5,), CutConfig("apoz", **SMALL))


def test_gates_that_learn_give_their_weights(randomise):
    """Their budget is the size of these widths."""
    whole, widths = network("chain", randomise)
    asked = {"method": "sss", "gate_epochs": 1, "gate_batch": 8}
    model = at_widths(whole, widths, CutConfig(**asked, **SMALL))
    assert model.get_layer(whole.problem.structure.names[0]).filters == widths[0]
    assert np.isfinite(model.layers[-1].kernel).all()
