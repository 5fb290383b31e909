"""What layers adapted to, in the configurations that their copies are made of."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.graph.adapted import with_statistics
from ns_tf.graph.remake import copied
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse

layers = keras.layers
NUMBERS = np.array([[3, 5, 7], [3, 5, 3]])


def test_statistics_are_written_into_the_configuration(rng):
    pixels = rng.uniform(0, 255, (31, 3, 5, 3))
    layer = layers.Normalization()
    layer.adapt(pixels)
    config = with_statistics(layer, layer.get_config())
    axes = (0, 1, 2)
    np.testing.assert_allclose(np.ravel(config["mean"]), pixels.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(
        np.ravel(config["variance"]), pixels.var(axes), rtol=1e-4
    )
    again = layers.Normalization.from_config(config)
    np.testing.assert_allclose(again(pixels), layer(pixels), atol=1e-5)


def test_statistics_that_were_given_and_other_settings_stay():
    given = layers.IntegerLookup(vocabulary=[3, 5])
    for layer in (layers.Normalization(mean=3.0, variance=5.0), layers.Dense(7), given):
        assert with_statistics(layer, layer.get_config()) == layer.get_config()


@pytest.mark.parametrize(
    "options",
    [{}, {"output_mode": "tf_idf"}, {"num_oov_indices": 2, "mask_token": 0}],
    ids=["plain", "weights", "others"],
)
def test_a_vocabulary_is_kept_by_copies(options):
    layer = layers.IntegerLookup(name="numbers", **options)
    layer.adapt(NUMBERS)
    tokens = np.array([[7, 3, 9], [0, 5, 3]])
    np.testing.assert_allclose(copied(layer)(tokens), layer(tokens), rtol=1e-6)


def test_networks_of_other_widths_keep_a_vocabulary():
    layer = layers.IntegerLookup(name="numbers")
    layer.adapt(NUMBERS)
    tokens = keras.Input((3,), dtype="int64")
    x = layers.Flatten()(layers.Embedding(5, 7, name="words")(layer(tokens)))
    model = keras.Model(tokens, layers.Dense(2)(x))
    thin = analyse(from_model(model), (3,), 2).build((5,))
    np.testing.assert_array_equal(thin.get_layer("numbers")(NUMBERS), layer(NUMBERS))


@keras.saving.register_keras_serializable("ns_tf_tests")
class Looking(keras.Model):
    """Begins with a look-up, of which its configuration says nothing."""

    def __init__(self, **options):
        tokens = keras.Input((3,), dtype="int64")
        x = layers.IntegerLookup(output_mode="multi_hot", max_tokens=5)(tokens)
        super().__init__(inputs=tokens, outputs=x, **options)

    def get_config(self):
        return {"name": self.name}


def test_a_subclass_that_would_lose_its_vocabulary_is_refused():
    model = Looking(name="mine")
    assert with_statistics(model, model.get_config()) == {"name": "mine"}
    model.layers[1].adapt(NUMBERS)
    with pytest.raises(InputError, match="'mine' .*Give that IntegerLookup its vocab"):
        with_statistics(model, model.get_config())
