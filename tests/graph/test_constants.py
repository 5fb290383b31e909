"""Constants of a number for each channel become weights that follow the channels."""

import keras
import numpy as np
import pytest

from ns_tf.graph.constants import as_weights
from ns_tf.graph.flat import flat
from ns_tf.graph.own_weights import OwnWeight
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse
from ns_tf.prune.trained import cut

layers, ops = keras.layers, keras.ops
TABLE = np.sin(np.arange(5)[:, None] * (1 + np.arange(11)))


def around(function, size=11) -> keras.Model:
    """tokens[5] - words[11] - function - average - logits."""
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = function(layers.Embedding(7, size, name="words")(tokens))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, layers.Dense(3, name="logits")(x))


def held(model: keras.Model) -> list[keras.Layer]:
    return [one for one in model.layers if isinstance(one, OwnWeight)]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + TABLE,
        lambda x: ops.multiply(np.arange(1.0, 12.0), x),
        lambda x: ops.subtract(TABLE[None], x),
        lambda x: x / (2 + TABLE),
    ],
)
def test_a_constant_is_cut_with_its_channels(function, float64, rng, tmp_path):
    model = around(function)
    found = from_model(model)
    source, tokens = found.source, rng.integers(0, 7, (6, 5))
    (holder,) = held(source)
    assert not holder.trainable_weights and found.widths == (11,)
    np.testing.assert_allclose(source(tokens), model(tokens), atol=1e-12)
    structure = analyse(found, (5,), 3)
    keep = np.append(np.arange(11) % 3 > 0, np.ones(3, bool))
    small = cut(source, structure, keep)
    embedded = np.take(np.array(model.layers[1].embeddings), tokens, axis=0)
    y = np.array(function(embedded))[..., keep[:11]].mean(1)
    kernel, bias = model.layers[-1].get_weights()
    np.testing.assert_allclose(small(tokens), y @ kernel[keep[:11]] + bias, atol=1e-12)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(tokens), small(tokens))


def test_a_shared_model_has_its_constant_once(float64, rng):
    encoder = around(lambda x: x + TABLE)
    both = [keras.Input((5,), dtype="int32") for _ in range(2)]
    model = keras.Model(both, layers.subtract([encoder(one) for one in both]))
    found = from_model(model)
    (holder,) = held(found.source)
    assert holder.name.endswith("_constant") and found.widths == (11,)
    tokens = [rng.integers(0, 7, (6, 5)) for _ in range(2)]
    np.testing.assert_allclose(found.source(tokens), model(tokens), atol=1e-12)


def test_of_a_network_that_starts_afresh_they_are_at_equal_distances():
    structure = analyse(from_model(around(lambda x: x + TABLE)), (5,), 3)
    (holder,) = held(structure.build([4]))
    np.testing.assert_allclose(holder.weights[0], TABLE[:, [0, 2, 5, 8]], rtol=1e-6)


def test_one_number_for_all_channels_is_left():
    model = as_weights(around(lambda x: x * np.full((5, 11), 2.0)))
    assert not held(model) and from_model(model).widths == (11,)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2.0,
        lambda x: x + np.ones((5, 1)),
        lambda x: x,
        lambda x: ops.maximum(x, np.arange(11.0)),
    ],
)
def test_other_constants_stay(function):
    model = around(function)
    assert as_weights(model) is model


def test_constants_of_colours_stay():
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(5, 3)((image - np.arange(3.0)) / np.array([1.0, 2.0, 4.0]))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    assert as_weights(model) is model and flat(model, blocks=True) is model
