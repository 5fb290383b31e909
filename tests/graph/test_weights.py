"""The weights of a model by layer and name, and parts of them."""

import keras
import numpy as np
import pytest

from ns_tf.graph import weights
from ns_tf.graph.weights import by_kind, named, stays, take

layers = keras.layers


def test_every_weight_has_a_key_of_its_own():
    """A nested model and an attention layer have several kernels each."""
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(5, 1, name="a")(image)
    inner = [layers.Conv2D(5, 1, name="b"), layers.Conv2D(5, 1, name="c")]
    x = keras.Sequential(inner, name="inner")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    assert len(weights.weights(model)) == len(model.weights)


def test_take_is_plain_indexing(rng):
    array = rng.normal(size=(3, 5, 7))
    keep = np.array([1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    axes = (None, np.array([0, 1, 4, 5, 9]), np.array([2, 2, -1, 3, 6, 7, 10]))
    part = take(array, axes, keep)
    expected = array[:, [0, 3, 4]][:, :, [0, 1, 2, 3, 6]]
    np.testing.assert_array_equal(part, expected)
    np.testing.assert_array_equal(take(array, (), keep), array)


def test_what_is_no_channel_always_stays():
    keep = np.zeros(5, bool)
    stay = stays(np.array([-1, 0, 4, -1]), keep)
    np.testing.assert_array_equal(stay, [1, 0, 0, 1])


def test_values_and_assign_are_each_others_inverse(handmade, randomise):
    model = randomise(handmade["residual"]())
    arrays = weights.values(model)
    assert len(arrays) == len(model.weights)
    randomise(model)
    assert any(
        (np.array(w) != arrays[k]).any() for k, w in weights.weights(model).items()
    )
    weights.assign(model, arrays)
    for key, weight in weights.weights(model).items():
        np.testing.assert_array_equal(weight, arrays[key])
    del arrays["a", "kernel"]
    with pytest.raises(KeyError):
        weights.assign(model, arrays)
