"""Reshapes of traced graphs: lengths that Keras did not know; any examples."""

import keras
import numpy as np
import pytest
from graphs import Silent

from ns_tf.graph.lengths import drawn, of_any_number, with_lengths

layers, ops = keras.layers, keras.ops


def of(call, *shape) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, call(x))


@pytest.mark.parametrize(
    "call, shape",
    [
        (lambda x: ops.reshape(x, (None, -1, 7)), (5, 6, 7)),
        (lambda x: ops.reshape(x, (None, 5, 2, 21)), (5, 6, 7)),
        (lambda x: ops.reshape(Silent()(x), (None, None, 42)), (5, 6, 7)),
        (lambda x: ops.reshape(Silent()(x), (None, -1, 7)), (5, 6, 7)),
    ],
)
def test_lengths_are_those_of_the_numbers(call, shape):
    model = with_lengths(of(call, *shape))
    made = model(np.zeros((4, *shape)))
    assert made.shape[0] == 4 and None not in made.shape
    assert model.operations[-1].newshape[0] == -1


def test_a_length_that_is_open_stays_unknown():
    model = with_lengths(of(lambda x: ops.reshape(x, (None, None, 42)), None, 6, 7))
    assert model.operations[-1].newshape.count(None) == 2


def test_a_fixed_number_of_examples_becomes_any():
    x = keras.Input(batch_shape=(13, 4, 6))
    mask = np.broadcast_to(np.arange(6.0), (13, 4, 6))
    y = ops.reshape(ops.add(x, mask), (13, -1, 3))
    model = of_any_number(keras.Model(x, y), 13)
    numbers = np.random.default_rng(0).normal(size=(5, 4, 6)).astype("float32")
    expected = (numbers + np.arange(6)).reshape(5, 8, 3)
    np.testing.assert_allclose(model(numbers), expected, rtol=1e-6)


def test_rows_of_a_fixed_number_of_examples_become_those_of_any():
    x = keras.Input(batch_shape=(26, 4))
    y = ops.reshape(x, (13, 2, 4)) + np.arange(2.0)[:, None]
    y = ops.reshape(ops.reshape(y, (52, 2)), (26, -1))
    numbers = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    expected = numbers + np.arange(6)[:, None] % 2
    model = of_any_number(keras.Model(x, y), 13)
    np.testing.assert_allclose(model(numbers), expected, rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_constant_of_every_example_is_refused(rows):
    x = keras.Input(batch_shape=(13 * rows, 4))
    model = keras.Model(x, ops.add(x, np.arange(13.0 * rows)[:, None]))
    with pytest.raises(ValueError, match="number of examples"):
        of_any_number(model, 13)


def test_numbers_are_of_the_kind_of_a_tensor():
    rng = np.random.default_rng(0)
    tokens = drawn(keras.Input((5,), dtype="int32"), rng)
    assert tokens.dtype == "int32" and {*np.unique(tokens)} <= {0, 1}
    assert drawn(keras.Input(batch_shape=(7, None)), rng).shape == (7, 3)
    assert drawn(keras.Input((5,)), rng, rows=3).shape == (6, 5)


@pytest.mark.parametrize("kind", ["initial_state", "place"])
def test_a_recurrent_layer_that_starts_from_zeros_takes_any_number(kind):
    x, zeros = keras.Input(batch_shape=(13, 4, 3)), np.zeros((13, 5), "float32")
    layer = layers.GRU(5)
    y = layer(x, zeros) if kind == "place" else layer(x, initial_state=zeros)
    model = of_any_number(keras.Model(x, y), 13)
    numbers = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    # In a graph of any number of examples, where one state does not do for all.
    np.testing.assert_allclose(model.predict(numbers, verbose=0), layer(numbers), 1e-5)


@pytest.mark.parametrize("options, first", [({}, 1.0), ({"stateful": True}, 0.0)])
def test_other_states_that_a_recurrent_layer_starts_from_are_refused(options, first):
    x = keras.Input(batch_shape=(13, 4, 3))
    state = np.full((13, 5), first, "float32")
    model = keras.Model(x, layers.SimpleRNN(5, **options)(x, initial_state=state))
    with pytest.raises(ValueError, match="starts from constants"):
        of_any_number(model, 13)
