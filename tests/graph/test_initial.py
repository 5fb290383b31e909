"""Initialisers of given numbers, at other widths."""

import keras
import numpy as np
import pytest

from ns_tf.graph.initial import fitted
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model

layers, Constant = keras.layers, keras.initializers.Constant


@pytest.fixture(scope="module")
def given() -> keras.Model:
    """Embeddings of 4 features and biases of 6 units that begin with known numbers."""
    vectors = np.arange(20.0).reshape(5, 4)
    tokens = keras.Input((3,), dtype="int32")
    x = layers.Embedding(5, 4, embeddings_initializer=Constant(vectors))(tokens)
    inner = layers.Dense(6, bias_initializer=Constant(list(range(6))), name="inner")
    x = layers.TimeDistributed(inner, name="steps")(x)
    x = layers.GlobalAveragePooling1D()(x)
    end = layers.Dense(2, bias_initializer=Constant(np.array([7.0, 8.0])), name="end")
    return keras.Model(tokens, end(x))


@pytest.mark.parametrize("widths", [(2, 3), (4, 6), (8, 9)])
def test_numbers_at_equal_distances_are_those_of_another_width(given, widths):
    found = from_model(given)
    assert found.widths == (4, 6)
    small = found.builder(widths, input_shape=(3,), classes=2)
    vectors, _, biases, _, end = small.get_weights()
    places = np.arange(widths[0]) * 4 // widths[0]
    np.testing.assert_array_equal(vectors, np.arange(20.0).reshape(5, 4)[:, places])
    np.testing.assert_array_equal(biases, np.arange(widths[1]) * 6 // widths[1])
    np.testing.assert_array_equal(end, [7, 8])


def test_a_network_of_other_widths_is_read_from_its_file(given, tmp_path):
    small = from_model(given).builder((2, 3), input_shape=(3,), classes=2)
    small.save(tmp_path / "small.keras")
    tokens = np.arange(6).reshape(2, 3) % 5
    read = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(read(tokens), small(tokens))


def test_what_is_one_number_is_left_alone(given):
    graph, config = channel_graph(given), layers.Dense(3).get_config()
    config |= {"bias_initializer": keras.initializers.serialize(Constant(2.0))}
    assert fitted(given.get_layer("end"), config, graph, len) is config
