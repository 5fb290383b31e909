"""Norms of open channels compute what norms without the closed ones do."""

import keras
import numpy as np
import pytest

from ns_tf.graph.statistics import opened

layers = keras.layers
NORMS = {
    "layer": lambda: layers.LayerNormalization(epsilon=0.1),
    "no offset": lambda: layers.LayerNormalization(center=False),
    "neither": lambda: layers.LayerNormalization(center=False, scale=False),
    "group": lambda: layers.GroupNormalization(3, epsilon=0.1),
    "rms": lambda: layers.RMSNormalization(epsilon=0.1),
    "unit": lambda: layers.UnitNormalization(),
}
KEEP = np.array([True, False, True, True] * 3)


@pytest.fixture(params=NORMS)
def norms(request, rng, float64):
    """(the norm of 12 channels, one of the 9 kept, one that takes gates)."""
    whole, thin = NORMS[request.param](), NORMS[request.param]()
    open_ = opened(whole)
    x = rng.normal(size=(5, 4, 3, 12))
    whole(x), thin(x[..., KEEP]), open_(x, np.ones((5, 12)))
    for number, weight in enumerate(whole.weights):
        weight.assign(rng.normal(size=weight.shape))
        thin.weights[number].assign(np.array(weight)[KEEP])
        open_.weights[number].assign(weight)
    return whole, thin, open_, x


def test_with_open_gates_it_is_the_norm(norms):
    whole, _, open_, x = norms
    np.testing.assert_allclose(open_(x, np.ones((5, 12))), whole(x), atol=1e-12)
    assert [w.name for w in open_.weights] == [w.name for w in whole.weights]
    assert open_.name == whole.name


def test_closed_channels_do_not_count(norms):
    _, thin, open_, x = norms
    found = np.array(open_(x, np.repeat(KEEP[None].astype(float), 5, axis=0)))
    np.testing.assert_allclose(found[..., KEEP], thin(x[..., KEEP]), atol=1e-12)


@pytest.mark.parametrize("name", ["mean", "max", "min"])
@pytest.mark.parametrize("keepdims", [True, False])
def test_a_mean_is_one_of_open_channels(name, keepdims, rng, float64):
    image = keras.Input((4, 12))
    made = getattr(keras.ops, name)(image, axis=-1, keepdims=keepdims)
    open_ = opened(made._keras_history.operation)
    x = rng.normal(size=(5, 4, 12))
    gates = np.repeat(KEEP[None].astype(float), 5, axis=0)
    expected = getattr(np, name)(x[..., KEEP], -1, keepdims=keepdims)
    np.testing.assert_allclose(open_(x, gates), expected, atol=1e-12)
    again = type(open_).from_config(open_.get_config())
    np.testing.assert_array_equal(again(x, gates), open_(x, gates))


@pytest.mark.parametrize("name", ["max", "min"])
def test_open_gates_give_the_very_largest_in_float32(name):
    function = getattr(keras.ops, name)
    open_ = opened(function(keras.Input((4, 3)), axis=-1)._keras_history.operation)
    x = np.array([[-1e9, 0.5, 0.3], [1e9, -0.5, 0.3]], "float32")[:, None]
    np.testing.assert_array_equal(open_(x, np.ones((2, 3))), function(x, axis=-1))


def test_an_operation_normalises_open_channels(rng, float64):
    made = keras.ops.normalize(keras.Input((4, 12)))
    open_ = opened(made._keras_history.operation)
    x, gates = rng.normal(size=(5, 4, 12)), np.repeat(KEEP[None] * 1.0, 5, axis=0)
    found = np.array(open_(x, gates))[..., KEEP]
    expected = keras.ops.normalize(x[..., KEEP])
    np.testing.assert_allclose(found, expected, atol=1e-12)
    again = type(open_).from_config(open_.get_config())
    np.testing.assert_array_equal(again(x, gates), open_(x, gates))


def test_every_image_has_gates_of_its_own(norms):
    whole, _, open_, x = norms
    gates = np.ones((5, 12))
    gates[0] = KEEP
    found = np.array(open_(x, gates))
    np.testing.assert_allclose(found[1:], np.array(whole(x))[1:], atol=1e-12)


def test_half_precision_is_computed_in_float32(rng):
    layer = layers.LayerNormalization(dtype="mixed_float16")
    x = (100 * rng.normal(size=(2, 7)) + 3000).astype("float16")
    expected, found = layer(x), opened(layer)(x, np.ones((2, 7), "float16"))
    assert found.dtype == expected.dtype == "float16"
    np.testing.assert_allclose(found, expected, atol=2e-3)
