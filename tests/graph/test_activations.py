"""Which activations work within a channel, keep a zero, and pass a factor on."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ns_tf.graph.activations import (
    capped,
    has_weights,
    keeps_zero,
    mixing,
    name_of,
    of_library,
    scales,
)

layers = keras.layers
OTHERS = {"get", "serialize", "deserialize", "threshold"}  # `threshold` needs settings.
FUNCTIONS = sorted(
    name
    for name, function in vars(keras.activations).items()
    if callable(function) and name not in OTHERS
)


def free(activation) -> bool:
    return mixing(layers.Activation(activation)) is None


def test_keras_has_the_activations_that_are_tested():
    assert {"relu", "softmax", "glu", "sparsemax", "swish", "mish"} <= set(FUNCTIONS)
    assert len(FUNCTIONS) >= 30


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_is_free_if_a_channel_changes_no_other(name, rng):
    """By moving one channel of the input; every name in `keras.activations`."""
    activation = getattr(keras.activations, name)
    x = rng.normal(size=(50, 6)).astype("float32")
    moved = x.copy()
    moved[:, 2] += 0.5
    one, other = np.array(activation(x)), np.array(activation(moved))
    within = one.shape == x.shape and (np.delete(one - other, 2, axis=1) == 0).all()
    assert free(activation) == within
    zero = within and float(activation(np.zeros((1, 6), "float32"))[0, 0]) == 0
    assert keeps_zero(activation) == zero
    if scales(activation):
        x = x / 3 if capped(activation) else 5 * x
        np.testing.assert_allclose(activation(1.5 * x), 1.5 * activation(x), rtol=1e-5)
    elif within and name not in ("hard_tanh", "hard_shrink"):
        assert not np.allclose(activation(1.5 * x), 1.5 * activation(x), rtol=1e-3)


@pytest.mark.parametrize(
    "layer", [layers.ReLU(6.0), layers.LeakyReLU(), layers.ELU()], ids=name_of
)
def test_layers_of_keras_may_be_activations(layer):
    assert free(layer) and keeps_zero(layer)
    assert scales(layer) == (type(layer) is not layers.ELU)
    assert capped(layer) == isinstance(layer, layers.ReLU)
    lifted = layers.ReLU(negative_slope=0.5, threshold=1.0)
    assert free(lifted) and not keeps_zero(lifted) and not scales(lifted)


def relu(x):
    """Not the one of Keras."""
    return x - keras.ops.mean(x, axis=-1, keepdims=True)


UNKNOWN = [
    (relu, "relu"),
    (lambda x: x, "<lambda>"),
    (functools.partial(keras.activations.relu, max_value=6), "partial"),
    (layers.PReLU(), "PReLU"),
    (layers.Softmax(), "Softmax"),
    (keras.activations.threshold, "threshold"),
]


@pytest.mark.parametrize("activation, name", UNKNOWN, ids=lambda value: str(value)[:9])
def test_nothing_is_known_of_others_and_the_reason_names_them(activation, name):
    layer = layers.Dense(3, activation=activation, name="odd")
    assert mixing(layer) == f"the {name} of 'odd' cannot be followed"
    assert not keeps_zero(activation) and not scales(activation)


def test_functions_of_the_library_below_are_those_of_keras():
    for activation in (tf.nn.relu, keras.ops.relu, None):
        assert free(activation) and keeps_zero(activation) and of_library(activation)
    assert not free(keras.ops.softmax) and not free(tf.nn.softmax)
    assert not of_library(relu)


def test_a_layer_without_an_activation_mixes_nothing():
    assert mixing(layers.Flatten()) is None


def test_layers_with_weights_are_known_before_keras_makes_these():
    """As an activation a PReLU is built at the first call."""
    late = layers.PReLU()
    assert has_weights(late)
    late(np.ones((2, 3)))
    assert has_weights(late)
    for activation in (layers.Softmax(), layers.LeakyReLU(), None, relu):
        assert not has_weights(activation)
