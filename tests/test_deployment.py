"""Pixels in, probabilities out: a softmax that is there is not put there again."""

import keras
import pytest

from ns_tf.deployment import ends_in_softmax

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
