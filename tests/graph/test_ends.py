"""Pixels in, probabilities out: what a model does itself is not done once more."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from graphs import headed

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.batches import eval_batches
from ns_tf.data.dataset import for_network
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax, scales_pixels

layers, ops = keras.layers, keras.ops


def nested(*tail):
    return keras.Sequential([layers.Dense(7), *tail])


def heads():
    return layers.Dense(5, activation="softmax")


def by_hand(x):
    x = ops.exp(x - ops.max(x, axis=-1, keepdims=True))
    return x / ops.sum(x, axis=-1, keepdims=True)


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
    "scaled by one": ([layers.Softmax(), layers.Rescaling(1.0)], True),
    "times one": ([layers.Dense(5, activation="softmax"), lambda x: x * 1.0], True),
    "plus nothing": ([nested(layers.Softmax()), lambda x: x + 1e-7], True),
    "cast": ([layers.Softmax(), lambda x: keras.ops.cast(x, "float16")], True),
    "limited": ([layers.Softmax(), lambda x: ops.clip(x, 1e-7, 1 - 1e-7)], True),
    "of two": ([lambda x: layers.Average()([heads()(x), heads()(x)])], True),
    "of one that is none": (
        [lambda x: layers.Average()([heads()(x), layers.Dense(5)(x)])],
        False,
    ),
    "as a layer": ([layers.Dense(5, activation=layers.Softmax())], True),
    "by hand": ([layers.Dense(5), lambda x: by_hand(x)], True),
    "of TensorFlow": ([layers.Dense(5, activation=tf.nn.softmax)], True),
    "sure dropout": (
        [layers.Softmax(), lambda x: layers.Dropout(0.5)(x, training=True)],
        True,
    ),
    "every step": (
        [layers.Reshape((1, 5)), layers.TimeDistributed(heads())],
        True,
    ),
    "logarithm": ([layers.Dense(5, activation="log_softmax")], False),
    "per cent": ([layers.Softmax(), layers.Rescaling(100.0)], False),
    "recurrent": ([layers.Reshape((1, 5)), layers.LSTM(5)], False),
    "no weights": ([layers.Softmax()], True),
}


@pytest.mark.parametrize("name", TAILS)
def test_a_softmax_is_seen_wherever_it_is(name):
    tail, expected = TAILS[name]
    x = image = keras.Input((5,))
    for layer in tail:
        x = layer(x)
    model = keras.Model(image, x)
    before = model.get_config()
    assert ends_in_softmax(model) is expected
    assert model.get_config() == before


def test_an_end_that_cannot_be_computed_is_told_in_one_line():
    class Odd(layers.Layer):
        def call(self, x):
            raise TypeError("No.")

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    image = keras.Input((5,))
    model = keras.Model(image, Odd()(layers.Dense(5)(image)), name="mine")
    with pytest.raises(InputError, match="The end of 'mine' cannot be computed: "):
        ends_in_softmax(model)


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


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ([layers.Dense(1)], False),
        ([layers.Dense(1, activation="sigmoid")], True),
        ([layers.Dense(5), layers.Activation("sigmoid")], True),
        ([layers.Dense(5), lambda x: 1 / (1 + ops.exp(-x))], True),
        ([nested(layers.Dense(1, activation="sigmoid"))], True),
        ([layers.Dense(1, activation="relu")], False),
        ([layers.Dense(1, activation="tanh")], False),
        ([layers.Dense(5, activation="softmax")], True),
    ],
)
def test_outputs_from_0_to_1_are_known_by_what_computes_them(tail, expected):
    x = inputs = keras.Input((3,))
    for layer in tail:
        x = layer(x)
    assert ends_in_sigmoid(keras.Model(inputs, x)) is expected
