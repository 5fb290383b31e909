"""Pixels in, probabilities out: what a model does itself is not done once more."""

import keras
import numpy as np
import pytest
from graphs import headed

from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import for_network
from ns_tf.graph.ends import ends_in_softmax, scales_pixels

layers = keras.layers


def nested(*tail):
    return keras.Sequential([layers.Dense(7), *tail])


TAILS = {
    "logits": ([layers.Dense(5)], False),
    "activation": ([layers.Dense(5, activation="softmax")], True),
    "layer": ([layers.Dense(5), layers.Softmax()], True),
    "named": ([layers.Dense(5), layers.Activation("softmax")], True),
    "linear after it": ([layers.Softmax(), layers.Activation("linear")], True),
    "reshaped": ([layers.Softmax(), layers.Reshape((5,)), layers.Dropout(0.1)], True),
    "computed on": ([layers.Softmax(), layers.Dense(5)], False),
    "sigmoid": ([layers.Dense(5, activation="sigmoid")], False),
    "in a model": ([nested(layers.Dense(5, activation="softmax"))], True),
    "not in a model": ([nested(layers.Dense(5))], False),
    "in a model's model": ([nested(nested(layers.Softmax()))], True),
}


@pytest.mark.parametrize("name", TAILS)
def test_a_softmax_is_seen_wherever_it_is(name):
    tail, expected = TAILS[name]
    x = image = keras.Input((5,))
    for layer in tail:
        x = layer(x)
    assert ends_in_softmax(keras.Model(image, x)) is expected


def flipped(x):
    return x[..., ::-1]


def preprocessed(x):
    return flipped(x) / 127.5 - 1


HEADS = {
    "pixels": ([], False),
    "rescaled": ([layers.Rescaling(1 / 255)], True),
    "normalised": ([layers.Normalization()], True),
    "arithmetic": ([preprocessed], True),
    "turned only": ([flipped], False),
    "varied before": ([layers.RandomFlip(), layers.Rescaling(2)], True),
    "padded before": ([layers.ZeroPadding2D(1), layers.Rescaling(2)], True),
    "in a model": ([keras.Sequential([layers.Rescaling(2)])], True),
    "after a model": (
        [keras.Sequential([layers.RandomFlip()]), layers.Rescaling(2)],
        True,
    ),
    "after what learns": ([layers.Conv2D(3, 1), layers.Rescaling(2)], False),
    "after a model that learns": (
        [keras.Sequential([layers.Conv2D(3, 1)]), layers.Rescaling(2)],
        False,
    ),
    "batch norm": ([layers.BatchNormalization()], False),
    "twice": ([lambda x: layers.Add()([x, layers.Conv2D(3, 1)(x)])], False),
}


@pytest.mark.parametrize("name", HEADS)
def test_scaling_is_seen_before_anything_learns(name):
    head, expected = HEADS[name]
    assert scales_pixels(headed(head)) is expected


def test_a_model_of_whole_numbers_takes_pixels_as_they_are():
    assert scales_pixels(headed([lambda x: keras.ops.cast(x, "float32")], "uint8"))


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_networks_that_scale_get_the_pixels_as_given(rng, kind):
    images = rng.integers(0, 256, (23, 8, 8, 3), np.uint8)
    images = images if kind == "uint8" else (images / 255).astype(kind)
    data = from_arrays((images, np.arange(23) % 5), classes=5)
    taken = for_network(data, scales_pixels=True)
    seen, _ = next(iter(eval_batches(taken, taken.test, 100)))
    np.testing.assert_array_equal(seen, taken.test.images)
    assert seen.dtype == "float32"
    unit = 255 if kind == "uint8" else 1  # As an export undoes it.
    np.testing.assert_allclose(taken.mean + seen * taken.std, seen / unit, rtol=1e-6)
    assert for_network(data, scales_pixels=False) is data
