"""Weights that calls read by themselves are noted, and none is one of another layer."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph.flat import flat
from ns_tf.graph.reads import Reads, check_own

layers, ops = keras.layers, keras.ops


def test_reads_are_noted_and_writes_undone():
    dense = layers.Dense(3)
    dense.build((None, 2))
    before = np.array(dense.bias)
    with Reads() as reads:
        dense.bias.assign(dense.bias + 1.0)
        assert np.array(dense.bias).tolist() == [1, 1, 1]
    assert [id(weight) for weight in reads.weights] == [id(dense.bias)]
    np.testing.assert_array_equal(dense.bias, before)


def test_a_scope_around_it_says_what_weights_are():
    dense = layers.Dense(3)
    dense.build((None, 2))
    values = [(dense.bias, np.arange(3.0))]
    with keras.StatelessScope(state_mapping=values), Reads():
        assert np.array(dense.bias).tolist() == [0, 1, 2]


def tied(back) -> keras.Model:
    """An encoder, and a decoder by a function of the encoder's layer."""
    image = keras.Input((6,), name="image")
    encoder = layers.Dense(5, name="encoder")
    x = layers.Dense(5, name="middle")(encoder(image))
    return keras.Model(image, layers.Lambda(back(encoder), name="back")(x))


@pytest.mark.parametrize(
    "back",
    [
        lambda encoder: lambda x: ops.matmul(x, ops.transpose(encoder.kernel)),
        lambda encoder: lambda x: encoder(ops.pad(x, [[0, 0], [0, 1]])),
    ],
    ids=["reads", "calls"],
)
def test_a_lambda_that_reads_weights_of_another_layer_is_refused(back):
    with pytest.raises(InputError, match="'back' reads 'encoder/kernel'"):
        flat(tied(back), blocks=True)


def test_what_is_no_weight_of_the_model_may_be_read():
    number = keras.Variable(2.0)
    model = tied(lambda encoder: lambda x: x * number)
    check_own(model, flat(model, blocks=True))
