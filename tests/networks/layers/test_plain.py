"""Networks of epitomes as networks of Keras's own layers."""

import keras
import numpy as np
import pytest
from graphs import around

from ns_tf.base import InputError
from ns_tf.networks.layers import EpitomeConv2D, EpitomeDense
from ns_tf.networks.layers.plain import as_plain, has_epitomes

layers = keras.layers


@pytest.fixture
def model(rng):
    """Epitomes in the model and in a model within; a batch norm and a frozen layer."""
    inner = keras.Sequential(
        [
            keras.Input((6, 7, 5)),
            EpitomeConv2D(11, 3, epitome=(3, 3, 3, 4), padding="same", name="within"),
            layers.BatchNormalization(name="bn"),
        ],
        name="inner",
    )
    x = image = keras.Input((6, 7, 3), name="image")
    x = inner(layers.Conv2D(5, 1, name="a", trainable=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = EpitomeDense(2, epitome=(6, 2), sampling="wrapped", name="logits")(x)
    model = keras.Model(image, x)
    for weight in model.weights:
        weight.assign(np.abs(rng.normal(size=weight.shape)))
    model.compile(loss="mse")
    return model


def test_it_answers_the_same_without_a_layer_of_ns_tf(model, rng):
    plain = as_plain(model)
    assert has_epitomes(model) and not has_epitomes(plain)
    assert {type(one).__module__.partition(".")[0] for one in plain.layers} == {"keras"}
    x = rng.normal(size=(3, 6, 7, 3))
    assert np.allclose(plain(x), model(x), atol=1e-5)
    assert plain.loss == "mse" and not plain.get_layer("a").trainable
    assert plain.get_layer("within").kernel.shape == (3, 3, 5, 11)


@keras.saving.register_keras_serializable("test_plain")
class Block(layers.Layer):
    """A block of somebody's, with an epitome within."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = EpitomeDense(7, epitome=(5, 3), name="dense")

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(keras.ops.relu(x))


@keras.saving.register_keras_serializable("test_plain")
class Masked(Block):
    """A block that takes masks and hands them on, which is not seen through."""

    def build(self, shape):
        super().build(shape)
        self.supports_masking = True

    def call(self, x, mask=None):
        return super().call(x)


def test_epitomes_in_blocks_become_kernels_or_are_refused(rng):
    model = around(Block(name="block"))
    plain = as_plain(model)
    x = rng.normal(size=(3, *model.input_shape[1:]))
    assert not has_epitomes(plain)
    assert np.allclose(plain(x), model(x), atol=1e-5)
    with pytest.raises(InputError, match="'masked' has epitomes within"):
        as_plain(around(Masked(name="masked")))


def test_a_model_without_epitomes_is_itself():
    model = around(layers.ReLU())
    assert as_plain(model) is model
    with pytest.raises(InputError, match="sequential model; got 5"):
        as_plain(5)
